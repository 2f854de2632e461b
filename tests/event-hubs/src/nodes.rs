//! The two nodes that answer requests: `$cbs` takes tokens, `$management` tells about hubs and partitions.

use crate::clock;
use crate::codec::Value;
use crate::frames::Refusal;
use crate::hub::{Hub, Partition};
use crate::message::{Reply, Request};
use crate::sas;
use crate::shared::Shared;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Node {
    Tokens,
    Management,
}

impl Node {
    /// By its address, with or without scheme and host; some clients put the hub before it.
    pub(crate) fn at(address: &str) -> Option<Self> {
        match address.rsplit('/').next()? {
            "$cbs" => Some(Self::Tokens),
            "$management" => Some(Self::Management),
            _ => None,
        }
    }
}

/// The tokens of one connection, each for an address and all below it.
#[derive(Default)]
pub(crate) struct Tokens {
    /// Address without scheme, host and port; expiry in seconds since 1970.
    held: Vec<(String, u64)>,
}

impl Tokens {
    /// Puts a token for a path of the namespace; it takes the place of an older one for the same.
    pub(crate) fn put(&mut self, path: String, expiry_seconds: u64) {
        self.held.retain(|(held, _)| *held != path);
        self.held.push((path, expiry_seconds));
    }

    pub(crate) fn expire(&mut self) {
        self.held.iter_mut().for_each(|(_, expiry)| *expiry = 0);
    }

    /// Whether a token that covers the path is valid now.
    pub(crate) fn allow(&self, path: &str) -> bool {
        let (path, now) = (path.to_lowercase(), clock::now_seconds());
        self.held.iter().any(|(held, expiry)| *expiry > now && below(held, &path))
    }
}

fn below(upper: &str, path: &str) -> bool {
    path.strip_prefix(upper).is_some_and(|rest| upper.is_empty() || rest.is_empty() || rest.starts_with('/'))
}

pub(crate) fn put_token(request: &Request, tokens: &mut Tokens, shared: &Shared) -> Reply {
    if request.property("operation") != Some("put-token") {
        return Reply::new(400, "The operation is not supported by this node.");
    }
    if let Some(busy) = shared.faults.refusing_tokens() {
        return Reply::new(401, busy);
    }
    let (Some(audience), Some(token)) = (request.property("name"), request.body.text()) else {
        return Reply::new(400, "The request needs a name and a token.");
    };
    let options = &shared.options;
    let checked = match (request.property("type"), &options.accept_jwt) {
        (Some("jwt"), Some(expected)) => sas::check_jwt(token, expected),
        (Some("jwt"), None) => Err("InvalidToken: Tokens of this type are not accepted.".to_owned()),
        _ => sas::check(token, audience, &options.key_name, &options.key),
    };
    match checked {
        Ok(grant) => {
            let address = sas::plain_address(audience);
            let path = address.split_once('/').map_or("", |(_, path)| path);
            tokens.put(path.to_owned(), grant.expiry_seconds);
            Reply::new(202, "Accepted")
        }
        Err(why) => Reply::new(401, why),
    }
}

pub(crate) fn manage(request: &Request, tokens: &Tokens, shared: &Shared) -> Reply {
    if request.property("operation") != Some("READ") {
        return Reply::new(400, "The operation is not supported by this node.");
    }
    if let Some(busy) = shared.faults.throttled() {
        return Reply::new(503, busy.description);
    }
    let name = request.property("name").unwrap_or_default();
    let is_allowed = tokens.allow(&format!("{name}/$management")) || tokens.allow(name);
    if !is_allowed || shared.faults.is_management_refused() {
        return Reply::new(
            401,
            format!(
                "Unauthorized access. 'Listen' claim(s) are required to perform this operation. Resource: '{name}'."
            ),
        );
    }
    let found = shared.hubs.get(name).and_then(|hub| match request.property("type") {
        Some("com.microsoft:partition") => {
            let partition = request.properties.get("partition");
            let id = partition.and_then(|id| id.text().map(str::to_owned).or_else(|| Some(id.integer()?.to_string())));
            hub.partition(&id.unwrap_or_default()).map(|partition| describe_partition(&hub, &partition))
        }
        _ => Ok(describe_hub(&hub)),
    });
    match found {
        Ok(body) => Reply { status: 200, description: "OK".to_owned(), body },
        Err(Refusal { description, .. }) => Reply::new(404, description),
    }
}

fn describe_hub(hub: &Hub) -> Value {
    let partitions = hub.partitions();
    map(vec![
        ("name", Value::string(&hub.name)),
        ("type", Value::string("com.microsoft:eventhub")),
        ("created_at", Value::Timestamp(hub.created_ms)),
        ("partition_count", Value::Int(partitions.len() as i32)),
        ("partition_ids", Value::Array(partitions.iter().map(|one| Value::String(one.id.to_string())).collect())),
    ])
}

fn describe_partition(hub: &Hub, partition: &Partition) -> Value {
    let log = partition.log();
    let last = log.last_enqueued();
    map(vec![
        ("name", Value::string(&hub.name)),
        ("type", Value::string("com.microsoft:partition")),
        ("partition", Value::String(partition.id.to_string())),
        ("begin_sequence_number", Value::Long(log.first_number())),
        ("last_enqueued_sequence_number", Value::Long(last.sequence_number)),
        ("last_enqueued_offset", Value::String(last.offset)),
        ("last_enqueued_time_utc", Value::Timestamp(last.enqueued_ms)),
        ("is_partition_empty", Value::Bool(log.held() == 0)),
        ("begin_sequence_number_epoch", Value::Int(-1)),
        ("last_enqueued_sequence_number_epoch", Value::Int(-1)),
    ])
}

fn map(pairs: Vec<(&str, Value)>) -> Value {
    Value::Map(pairs.into_iter().map(|(key, value)| (Value::string(key), value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_allows_its_path_and_what_lies_below_until_it_expires() {
        let mut tokens = Tokens::default();
        tokens.put("hub".to_owned(), u64::MAX);
        tokens.put("late".to_owned(), 1);
        for (path, allowed) in
            [("Hub", true), ("hub/Partitions/1", true), ("hub2", false), ("late", false), ("", false)]
        {
            assert_eq!(tokens.allow(path), allowed, "{path}");
        }
        tokens.put(String::new(), u64::MAX);
        assert!(tokens.allow("anything"));
        tokens.expire();
        assert!(!tokens.allow("hub"));
    }

    #[test]
    fn nodes_have_short_and_long_addresses() {
        assert_eq!(Node::at("$cbs"), Some(Node::Tokens));
        assert_eq!(Node::at("amqps://host/hub/$management"), Some(Node::Management));
        assert_eq!(Node::at("hub/Partitions/1"), None);
    }
}
