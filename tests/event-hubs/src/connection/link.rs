//! A link, as the emulator's end sees it: what it is for, its credit, and what is half received.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::faults::Links;
use crate::hub::{Hub, Partition, Reader};
use crate::nodes::Node;

/// What a producer may have under way.
pub(crate) const CREDIT: u32 = 1000;

pub(crate) struct Link {
    pub(crate) handle: u32,
    pub(crate) kind: Kind,
    /// Deliveries so far, counted by the sender of the link.
    pub(crate) delivery_count: u32,
    pub(crate) credit: u32,
    pub(crate) drain: bool,
    /// Deliveries go out settled.
    pub(crate) settled: bool,
}

pub(crate) enum Kind {
    Producer(Producer),
    Consumer(Consumer),
    /// The client's link to a node.
    Requests {
        node: Node,
        partial: Partial,
    },
    /// The node's link to the client; the address is the client's own, by which a request names it.
    Replies {
        node: Node,
        address: Option<String>,
        waiting: VecDeque<Bytes>,
    },
    /// Detached by us; the client has yet to say so, too.
    Detached,
}

pub(crate) struct Producer {
    pub(crate) hub: Arc<Hub>,
    /// Without one the service chooses.
    pub(crate) partition: Option<Arc<Partition>>,
    pub(crate) path: String,
    pub(crate) partial: Partial,
}

pub(crate) struct Consumer {
    pub(crate) hub: Arc<Hub>,
    pub(crate) partition: Arc<Partition>,
    pub(crate) path: String,
    pub(crate) reader: Arc<Reader>,
    /// The sequence number to be sent next.
    pub(crate) next_number: i64,
    /// Each event tells about the end of the partition.
    pub(crate) metrics: bool,
}

/// A delivery of which more frames are to come.
#[derive(Default)]
pub(crate) struct Partial {
    pub(crate) delivery_id: u32,
    pub(crate) format: u32,
    pub(crate) settled: bool,
    pub(crate) payload: BytesMut,
}

impl Link {
    pub(crate) fn new(handle: u32, kind: Kind, settled: bool) -> Self {
        Self { handle, kind, delivery_count: 0, credit: 0, drain: false, settled }
    }

    /// The path that a token has to cover.
    pub(crate) fn path(&self) -> Option<&str> {
        match &self.kind {
            Kind::Producer(producer) => Some(&producer.path),
            Kind::Consumer(consumer) => Some(&consumer.path),
            _ => None,
        }
    }

    pub(crate) fn matches(&self, hub: Option<&str>, partition: Option<usize>, links: Links) -> bool {
        let (name, id) = match &self.kind {
            Kind::Producer(producer) if links != Links::Consumers => {
                (&producer.hub.name, producer.partition.as_ref().map(|partition| partition.id))
            }
            Kind::Consumer(consumer) if links != Links::Producers => (&consumer.hub.name, Some(consumer.partition.id)),
            _ => return false,
        };
        hub.is_none_or(|hub| hub.eq_ignore_ascii_case(name)) && partition.is_none_or(|partition| id == Some(partition))
    }

    pub(crate) fn is_reader(&self, reader: &Arc<Reader>) -> bool {
        matches!(&self.kind, Kind::Consumer(consumer) if Arc::ptr_eq(&consumer.reader, reader))
    }

    pub(crate) fn closed(&mut self) {
        self.kind = Kind::Detached;
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.partition.readers().leave(&self.reader);
    }
}
