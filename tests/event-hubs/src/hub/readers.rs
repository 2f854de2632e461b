//! Who reads a partition: at most five at once of a consumer group, or one with an epoch, as the service rules it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::connection::{Handle, Order};
use crate::frames::Refusal;

/// Without an epoch, for each consumer group.
const READERS_MAX: usize = 5;

/// A link that reads, in the words of the service: a receiver.
pub(crate) struct Reader {
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) epoch: Option<i64>,
    /// The connection to tell when the link is stolen; an internal reader has none.
    pub(crate) connection: Option<Arc<Handle>>,
    /// Set when another took its place: from then on it gets no event, even before its link is detached.
    pub(crate) stolen: AtomicBool,
}

#[derive(Debug, Serialize)]
pub(crate) struct ReaderStatistics {
    pub(crate) group: String,
    pub(crate) receiver: String,
    pub(crate) epoch: Option<i64>,
    pub(crate) connection: Option<u64>,
}

#[derive(Default)]
pub(crate) struct Readers {
    all: Vec<Arc<Reader>>,
}

impl Readers {
    /// Lets a reader in, at the cost of those with a lower or the same epoch.
    pub(crate) fn admit(&mut self, new: Arc<Reader>) -> Result<(), Refusal> {
        let group = |reader: &&Arc<Reader>| reader.group == new.group;
        let highest = self.all.iter().filter(group).filter_map(|reader| reader.epoch).max();
        match (highest, new.epoch) {
            (Some(highest), None) => {
                return Err(stolen(format!(
                    "At least one receiver for the endpoint is created with epoch of '{highest}', and so non-epoch receiver \
                     is not allowed. Either reconnect with a higher epoch, or make sure all epoch receivers are closed or \
                     disconnected."
                )));
            }
            (Some(highest), Some(epoch)) if epoch < highest => {
                return Err(stolen(format!(
                    "Receiver 'nil' with a higher epoch '{highest}' already exists. Receiver '{}' with epoch {epoch} cannot \
                     be created. Make sure you are creating receiver with increasing epoch value to ensure connectivity, or \
                     ensure all old epoch receivers are closed or disconnected.",
                    new.name
                )));
            }
            (_, Some(epoch)) => self.displace(&new, epoch),
            (None, None) if self.all.iter().filter(group).count() >= READERS_MAX => {
                let names: Vec<&str> = self.all.iter().filter(group).map(|reader| reader.name.as_str()).collect();
                return Err(Refusal::new(
                    "amqp:resource-limit-exceeded",
                    format!(
                        "Exceeded the maximum number of allowed receivers per partition in a consumer group which is \
                         {READERS_MAX}. List of connected receivers - {}.",
                        names.join(", ")
                    ),
                ));
            }
            (None, None) => {}
        }
        self.all.push(new);
        Ok(())
    }

    fn displace(&mut self, new: &Reader, epoch: i64) {
        self.all.retain(|old| {
            if old.group != new.group {
                return true;
            }
            let was = old.epoch.map_or_else(|| "-1".to_owned(), |epoch| epoch.to_string());
            let why = stolen(format!(
                "New receiver '{}' with higher epoch of '{epoch}' is created hence current receiver '{}' with epoch '{was}' \
                 is getting disconnected. If you are recreating the receiver, make sure a higher epoch is used.",
                new.name, old.name
            ));
            old.stolen.store(true, Ordering::Release);
            if let Some(connection) = &old.connection {
                connection.order(Order::DetachReader { reader: Arc::clone(old), why });
            }
            false
        });
    }

    pub(crate) fn leave(&mut self, reader: &Arc<Reader>) {
        self.all.retain(|one| !Arc::ptr_eq(one, reader));
    }

    pub(crate) fn highest_epoch(&self, group: &str) -> Option<i64> {
        self.all.iter().filter(|reader| reader.group == group).filter_map(|reader| reader.epoch).max()
    }

    /// There is something new to read.
    pub(crate) fn wake(&self) {
        for connection in self.all.iter().filter_map(|reader| reader.connection.as_ref()) {
            connection.wake();
        }
    }

    pub(crate) fn statistics(&self) -> Vec<ReaderStatistics> {
        let one = |reader: &Arc<Reader>| ReaderStatistics {
            group: reader.group.clone(),
            receiver: reader.name.clone(),
            epoch: reader.epoch,
            connection: reader.connection.as_ref().map(|connection| connection.id()),
        };
        self.all.iter().map(one).collect()
    }
}

fn stolen(description: String) -> Refusal {
    Refusal::new("amqp:link:stolen", description)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(group: &str, epoch: Option<i64>) -> Arc<Reader> {
        let (group, name) = (group.to_owned(), "nil".to_owned());
        Arc::new(Reader { group, name, epoch, connection: None, stolen: AtomicBool::new(false) })
    }

    #[test]
    fn an_equal_or_higher_epoch_takes_the_place_and_a_lower_one_is_refused() {
        let mut readers = Readers::default();
        let (free, five, other) = (reader("a", None), reader("a", Some(5)), reader("b", None));
        readers.admit(Arc::clone(&free)).unwrap();
        readers.admit(Arc::clone(&other)).unwrap();
        readers.admit(Arc::clone(&five)).unwrap();
        assert!(free.stolen.load(Ordering::Acquire) && !other.stolen.load(Ordering::Acquire));
        for epoch in [None, Some(4)] {
            assert_eq!(readers.admit(reader("a", epoch)).unwrap_err().condition, "amqp:link:stolen");
        }
        readers.admit(reader("a", Some(5))).unwrap();
        assert!(five.stolen.load(Ordering::Acquire));
        assert_eq!((readers.highest_epoch("a"), readers.highest_epoch("b")), (Some(5), None));
    }

    #[test]
    fn five_readers_without_epoch_are_the_most_of_a_group() {
        let mut readers = Readers::default();
        let first = reader("a", None);
        readers.admit(Arc::clone(&first)).unwrap();
        for _ in 0..4 {
            readers.admit(reader("a", None)).unwrap();
        }
        assert_eq!(readers.admit(reader("a", None)).unwrap_err().condition, "amqp:resource-limit-exceeded");
        readers.admit(reader("b", None)).unwrap();
        readers.leave(&first);
        readers.admit(reader("a", None)).unwrap();
    }
}
