//! A simulated fleet into what takes records one by one: encoded, with their device as key, and looked after.

use std::time::{Duration, Instant};

use anyhow::Context;
use ingest::simulated::{Encoder, Event, Fleet};
use types::Micros;

use super::{Destination, Whereabouts};

/// Between two checks that what was sent has arrived.
const FLUSH_INTERVAL: Duration = Duration::from_secs(10);
const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);

/// Takes records; the key decides to which partition each goes.
pub(super) trait Outlet {
    /// `time`: when the record arrived, for those that ask.
    fn send(&mut self, key: &[u8], payload: &[u8], time: Micros) -> Result<(), ingest::Error>;

    /// Returns when all that was sent has arrived.
    fn flush(&mut self, timeout: Duration) -> Result<(), ingest::Error>;

    /// For messages: the topic `x`.
    fn name(&self) -> String;

    fn whereabouts(&self) -> Whereabouts;
}

/// An outlet being written.
pub(super) struct Stream<O> {
    outlet: O,
    encoder: Encoder,
    /// A live fleet goes on when records are lost, as devices do.
    endless: bool,
    flushed: Instant,
    key: Vec<u8>,
    payload: Vec<u8>,
}

impl<O: Outlet> Stream<O> {
    pub(super) fn new(outlet: O, fleet: &Fleet) -> Self {
        Stream {
            outlet,
            encoder: Encoder::new(fleet),
            endless: fleet.config().endless(),
            flushed: Instant::now(),
            key: Vec::new(),
            payload: Vec::new(),
        }
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        self.flushed = Instant::now();
        match self.outlet.flush(FLUSH_TIMEOUT) {
            Err(error) if self.endless => {
                tracing::warn!(error = %error, "records are lost, going on");
                Ok(())
            }
            outcome => outcome.with_context(|| format!("write to {}", self.outlet.name())),
        }
    }
}

impl<O: Outlet> Destination for Stream<O> {
    fn write(&mut self, event: &Event) -> anyhow::Result<()> {
        self.key.clear();
        self.payload.clear();
        self.encoder.key(event, &mut self.key);
        self.encoder.json(event, &mut self.payload);
        let sent = self.outlet.send(&self.key, &self.payload, event.arrival);
        sent.with_context(|| format!("write to {}", self.outlet.name()))?;
        if self.endless && self.flushed.elapsed() >= FLUSH_INTERVAL {
            self.flush()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.flush()
    }

    fn whereabouts(&self) -> Whereabouts {
        self.outlet.whereabouts()
    }
}
