//! Attaching links: the address says what a link is for, the token whether it may be.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::Connection;
use super::link::{CREDIT, Consumer, Kind, Link, Partial, Producer};
use crate::codec::Value;
use crate::frames::{self, Performative, Refusal};
use crate::hub::Reader;
use crate::nodes::Node;
use crate::selector::Selector;

/// The service's limit for a message, a batch included.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1_048_576;

const SETTLED: u64 = 1;

impl Connection {
    pub(crate) fn attach(&mut self, channel: u16, attach: &Performative) -> Result<(), Refusal> {
        let handle = attach.uint(1).ok_or_else(|| Refusal::new("amqp:invalid-field", "An attach without a handle."))?;
        if !self.sessions.contains_key(&channel) {
            return Err(Refusal::new("amqp:not-allowed", "An attach without a session."));
        }
        let receives = attach.flag(2);
        let settled = attach.field(3).and_then(Value::unsigned) == Some(SETTLED);
        match self.link_kind(attach, receives) {
            Ok(kind) => {
                let mut link = Link::new(handle, kind, settled);
                link.credit = if receives { 0 } else { CREDIT };
                self.answer(channel, attach, receives, true);
                self.insert(channel, link);
                match receives {
                    true => self.turns.push_back((channel, handle)),
                    false => self.send_flow(channel, handle, false),
                }
            }
            Err(why) => {
                self.answer(channel, attach, receives, false);
                frames::detach(&mut self.out, channel, handle, true, Some(&why));
                self.insert(channel, Link::new(handle, Kind::Detached, settled));
            }
        }
        Ok(())
    }

    fn insert(&mut self, channel: u16, link: Link) {
        if let Some(session) = self.sessions.get_mut(&channel) {
            session.links.insert(link.handle, link);
        }
    }

    /// The answer repeats what was asked; without source and target it announces a refusal.
    fn answer(&mut self, channel: u16, attach: &Performative, receives: bool, granted: bool) {
        let echo = |index: usize| if granted { attach.echo(index) } else { Value::Null };
        let wanted = attach.field(12).map(Value::names).unwrap_or_default();
        let known = |name: &&str| name.starts_with("com.microsoft:");
        let offered: Vec<&str> = wanted.into_iter().filter(known).collect();
        let fields = vec![
            attach.echo(0),
            attach.echo(1),
            Value::Bool(!receives),
            attach.echo(3),
            attach.echo(4),
            echo(5),
            echo(6),
            Value::Null,
            Value::Bool(false),
            if receives { Value::Uint(0) } else { Value::Null },
            Value::Ulong(MESSAGE_BYTES_MAX as u64),
            if offered.is_empty() { Value::Null } else { Value::symbols(&offered) },
            Value::Null,
            echo(13),
        ];
        self.send(channel, frames::ATTACH, fields);
    }

    fn link_kind(&self, attach: &Performative, receives: bool) -> Result<Kind, Refusal> {
        let address = |index: usize| match attach.field(index) {
            Some(Value::Described(terminus)) => terminus.1.field(0).and_then(Value::text).map(str::to_owned),
            _ => None,
        };
        let (ours, theirs) = if receives { (address(5), address(6)) } else { (address(6), address(5)) };
        let ours = ours.ok_or_else(|| Refusal::new("amqp:invalid-field", "A link needs an address."))?;
        match (Node::at(&ours), receives) {
            (Some(node), true) => Ok(Kind::Replies { node, address: theirs, waiting: VecDeque::new() }),
            (Some(node), false) => Ok(Kind::Requests { node, partial: Partial::default() }),
            (None, _) => self.entity_kind(attach, &ours, receives),
        }
    }

    /// A producer or a consumer. The service looks at the token first, then whether there is such a thing.
    fn entity_kind(&self, attach: &Performative, address: &str, receives: bool) -> Result<Kind, Refusal> {
        let path = path(address).to_owned();
        if let Some(busy) = self.shared.faults.throttled() {
            return Err(busy);
        }
        if !self.tokens.allow(&path) || self.shared.faults.are_rights_refused() {
            let claim = if receives { "Listen" } else { "Send" };
            let text = format!(
                "Unauthorized access. '{claim}' claim(s) are required to perform this operation. Resource: '{address}'."
            );
            return Err(Refusal::new("amqp:unauthorized-access", text));
        }
        let parts: Vec<&str> = path.split('/').collect();
        let hub = self.shared.hubs.get(parts[0])?;
        match (parts[1..].iter().map(|part| part.to_lowercase()).collect::<Vec<_>>().as_slice(), receives) {
            ([], false) => Ok(Kind::Producer(Producer { hub, partition: None, path, partial: Partial::default() })),
            ([name, id], false) if name == "partitions" => {
                let partition = Some(hub.partition(id)?);
                Ok(Kind::Producer(Producer { hub, partition, path, partial: Partial::default() }))
            }
            ([groups, group, partitions, id], true) if groups == "consumergroups" && partitions == "partitions" => {
                let (group, partition) = (hub.group(group)?, hub.partition(id)?);
                let selector = Selector::of_source(attach.field(5).unwrap_or(&Value::Null))?;
                let next_number = partition.log().begin(&selector)?;
                let reader = Arc::new(self.reader(attach, group));
                partition.readers().admit(Arc::clone(&reader))?;
                let wanted = attach.field(12).map(Value::names).unwrap_or_default();
                let metrics = wanted.contains(&"com.microsoft:enable-receiver-runtime-metric");
                Ok(Kind::Consumer(Consumer { hub, partition, path, reader, next_number, metrics }))
            }
            _ => Err(Refusal::new("amqp:not-found", format!("The messaging entity '{address}' could not be found."))),
        }
    }

    fn reader(&self, attach: &Performative, group: String) -> Reader {
        let property = |name: &str| attach.field(13).and_then(|properties| properties.get(name));
        let names = ["com.microsoft:receiver-name", "com.microsoft.com:receiver-name"];
        let name = names.iter().find_map(|name| property(name)?.text()).unwrap_or("nil").to_owned();
        let epoch = property("com.microsoft:epoch").and_then(Value::integer);
        Reader { group, name, epoch, connection: Some(Arc::clone(&self.handle)), stolen: AtomicBool::new(false) }
    }
}

/// An address without scheme and host.
fn path(address: &str) -> &str {
    let path = match address.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => address,
    };
    path.trim_matches('/')
}
