//! What `$management` says of the hub and of a partition.

use jiff::Timestamp;
use serde_amqp::Value;
use serde_amqp::primitives::OrderedMap;
use types::{Micros, Position};

use super::error::Error;
use super::failure::{Class, Failure};
use crate::Extent;

/// The hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HubFacts {
    pub(crate) name: String,
    pub(crate) created_at: Timestamp,
    pub(crate) partition_ids: Vec<String>,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartitionFacts {
    /// The first event held.
    pub(crate) begin: i64,
    /// The last event ever taken; -1 if there was none.
    pub(crate) last: i64,
    /// When the last event came.
    pub(crate) last_enqueued: Micros,
    pub(crate) is_empty: bool,
}

impl HubFacts {
    pub(super) fn of(body: &Value) -> Result<Self, Failure> {
        let map = map(body)?;
        let created_at = match get(map, "created_at")? {
            Value::Timestamp(time) => {
                Timestamp::from_millisecond(time.milliseconds()).map_err(|_| odd("created_at"))?
            }
            _ => return Err(odd("created_at")),
        };
        let ids: &[Value] = match get(map, "partition_ids")? {
            Value::Array(ids) => ids,
            Value::List(ids) => ids,
            _ => return Err(odd("partition_ids")),
        };
        let text = |value: &Value| match value {
            Value::String(text) => Ok(text.clone()),
            _ => Err(odd("partition_ids")),
        };
        Ok(HubFacts {
            name: text(get(map, "name")?)?,
            created_at,
            partition_ids: ids.iter().map(text).collect::<Result<_, _>>()?,
        })
    }

    /// How many partitions.
    ///
    /// # Errors
    /// If their ids are not the numbers from 0 on.
    pub(crate) fn partitions(&self) -> Result<u32, Error> {
        let is_number = |id: &&String| id.parse::<u32>().is_ok_and(|index| (index as usize) < self.partition_ids.len());
        match self.partition_ids.iter().find(|id| !is_number(id)) {
            Some(id) => Err(Error::PartitionName { hub: self.name.clone(), id: id.clone() }),
            None => Ok(u32::try_from(self.partition_ids.len()).unwrap_or(u32::MAX)),
        }
    }
}

impl PartitionFacts {
    pub(super) fn of(body: &Value) -> Result<Self, Failure> {
        let map = map(body)?;
        let long = |name| match get(map, name)? {
            Value::Long(number) => Ok(*number),
            _ => Err(odd(name)),
        };
        let last_enqueued = match get(map, "last_enqueued_time_utc")? {
            Value::Timestamp(time) => time.milliseconds().saturating_mul(1000),
            _ => return Err(odd("last_enqueued_time_utc")),
        };
        Ok(PartitionFacts {
            last_enqueued,
            begin: long("begin_sequence_number")?,
            last: long("last_enqueued_sequence_number")?,
            is_empty: matches!(get(map, "is_partition_empty")?, Value::Bool(true)),
        })
    }

    /// Sequence numbers go on after all events have expired, so an empty partition begins where it ends.
    pub(crate) fn extent(&self) -> Extent {
        let high = self.last.saturating_add(1).max(0);
        let low = if self.is_empty { high } else { self.begin.clamp(0, high) };
        Extent { low: Position(low), high: Position(high) }
    }
}

fn map(body: &Value) -> Result<&OrderedMap<Value, Value>, Failure> {
    match body {
        Value::Map(map) => Ok(map),
        _ => Err(Failure::new(Class::Detached, "management", "an answer that is no map")),
    }
}

fn get<'a>(map: &'a OrderedMap<Value, Value>, name: &'static str) -> Result<&'a Value, Failure> {
    map.get(&Value::String(name.into())).ok_or_else(|| odd(name))
}

fn odd(name: &str) -> Failure {
    Failure::new(Class::Detached, "management", format!("an answer without a `{name}` that makes sense"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_partition_begins_where_it_ends() {
        for (begin, last, is_empty, low, high) in [
            (0, -1, true, 0, 0),
            (0, 9, false, 0, 10),
            (4, 9, false, 4, 10),
            (4, 9, true, 10, 10),
            (-1, -1, true, 0, 0),
        ] {
            let facts = PartitionFacts { begin, last, is_empty, last_enqueued: 0 };
            assert_eq!(facts.extent(), Extent { low: Position(low), high: Position(high) }, "{facts:?}");
        }
    }

    #[test]
    fn partitions_are_numbered_from_0_on() {
        let hub = |ids: &[&str]| HubFacts {
            name: "hub".into(),
            created_at: Timestamp::UNIX_EPOCH,
            partition_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        };
        let partitions = |ids: &[&str]| {
            hub(ids).partitions().map_err(|error| match error {
                Error::PartitionName { id, .. } => id,
                other => panic!("{other}"),
            })
        };
        assert_eq!(partitions(&["1", "0", "2"]), Ok(3));
        assert_eq!(partitions(&["0", "blue"]), Err("blue".into()));
        assert_eq!(partitions(&["0", "2"]), Err("2".into()));
    }
}
