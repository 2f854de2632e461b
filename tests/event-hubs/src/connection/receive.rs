//! What clients send: deliveries put together from frames, appended to partitions or answered by a node.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::Connection;
use super::attach::MESSAGE_BYTES_MAX;
use super::link::{Kind, Partial};
use super::session::undecodable;
use crate::frames::{self, Performative, Refusal};
use crate::hub::{Hub, Partition};
use crate::message::{self, Request};
use crate::nodes::{self, Node};

/// A delivery that is whole.
struct Delivery {
    channel: u16,
    handle: u32,
    id: u32,
    format: u32,
    settled: bool,
    payload: Bytes,
}

enum Destination {
    Hub(Arc<Hub>, Option<Arc<Partition>>),
    Node(Node),
}

impl Connection {
    pub(crate) fn transfer(&mut self, channel: u16, transfer: &Performative, payload: Bytes) -> Result<(), Refusal> {
        let unattached =
            || Refusal::new("amqp:session:unattached-handle", "A transfer on a link that is not attached.");
        let session = self.sessions.get_mut(&channel).ok_or_else(unattached)?;
        session.received();
        let handle = transfer.uint(0).ok_or_else(unattached)?;
        let link = session.links.get_mut(&handle).ok_or_else(unattached)?;
        let (destination, partial) = match &mut link.kind {
            Kind::Producer(producer) => {
                (Destination::Hub(Arc::clone(&producer.hub), producer.partition.clone()), &mut producer.partial)
            }
            Kind::Requests { node, partial } => (Destination::Node(*node), partial),
            // Sent before the client could know.
            Kind::Detached => return Ok(()),
            Kind::Consumer(_) | Kind::Replies { .. } => {
                return Err(Refusal::new("amqp:not-allowed", "A transfer to its sender."));
            }
        };
        if transfer.flag(9) {
            *partial = Partial::default();
            return Ok(());
        }
        partial.delivery_id = transfer.uint(1).unwrap_or(partial.delivery_id);
        partial.format = transfer.uint(3).unwrap_or(partial.format);
        partial.settled |= transfer.flag(4);
        let size = partial.payload.len() + payload.len();
        if size > MESSAGE_BYTES_MAX {
            let text = format!(
                "The received message (delivery-id:{}, size:{size} bytes) exceeds the limit ({MESSAGE_BYTES_MAX} bytes) \
                 currently allowed on the link.",
                partial.delivery_id
            );
            link.closed();
            let why = Refusal::new("amqp:link:message-size-exceeded", text);
            frames::detach(&mut self.out, channel, handle, true, Some(&why));
            return Ok(());
        }
        if transfer.flag(5) {
            partial.payload.extend_from_slice(&payload);
            return Ok(());
        }
        let whole = std::mem::take(partial);
        link.delivery_count = link.delivery_count.wrapping_add(1);
        link.credit = link.credit.saturating_sub(1);
        let delivery = Delivery {
            channel,
            handle,
            id: whole.delivery_id,
            format: whole.format,
            settled: whole.settled,
            payload: join(whole.payload, payload),
        };
        self.deliver(&delivery, destination);
        self.replenish(channel, handle);
        Ok(())
    }

    fn deliver(&mut self, delivery: &Delivery, destination: Destination) {
        let outcome = match destination {
            Destination::Hub(hub, partition) => self.append(delivery, &hub, partition),
            Destination::Node(node) => self.answer_request(delivery, node),
        };
        let state = match &outcome {
            Ok(()) => frames::accepted(),
            Err(why) => frames::rejected(why),
        };
        if !delivery.settled {
            frames::disposition(&mut self.out, delivery.channel, true, delivery.id, delivery.id, state);
        }
    }

    fn append(&self, delivery: &Delivery, hub: &Hub, partition: Option<Arc<Partition>>) -> Result<(), Refusal> {
        if let Some(busy) = self.shared.faults.throttled() {
            return Err(busy);
        }
        let drafts = message::drafts(delivery.format, &delivery.payload).map_err(undecodable)?;
        let partition = match partition {
            Some(partition) => partition,
            None => hub.route(drafts.first().and_then(|draft| draft.partition_key.as_deref()))?,
        };
        partition.append(&drafts).map_err(|error| Refusal::new("amqp:internal-error", error.to_string()))
    }

    /// The reply goes to the link that the request names, or to the one there is.
    fn answer_request(&mut self, delivery: &Delivery, node: Node) -> Result<(), Refusal> {
        let request = Request::read(&delivery.payload).map_err(undecodable)?;
        let reply = match node {
            Node::Tokens => nodes::put_token(&request, &mut self.tokens, &self.shared),
            Node::Management => nodes::manage(&request, &self.tokens, &self.shared),
        };
        let bytes = reply.write(&request.message_id);
        let session = self.sessions.get_mut(&delivery.channel);
        let mut candidates: Vec<_> = session
            .into_iter()
            .flat_map(|session| session.links.values_mut())
            .filter_map(|link| match &mut link.kind {
                Kind::Replies { node: of, address, waiting } if *of == node => Some((address, waiting)),
                _ => None,
            })
            .collect();
        let named = candidates.iter().position(|(address, _)| address.is_some() && **address == request.reply_to);
        match candidates.get_mut(named.unwrap_or(0)) {
            Some((_, waiting)) => {
                waiting.push_back(bytes);
                Ok(())
            }
            None => {
                Err(Refusal::new("amqp:not-found", format!("No link for the reply to handle {}.", delivery.handle)))
            }
        }
    }
}

/// Most deliveries are one frame, which need not be copied.
fn join(mut before: BytesMut, last: Bytes) -> Bytes {
    if before.is_empty() {
        return last;
    }
    before.extend_from_slice(&last);
    before.freeze()
}
