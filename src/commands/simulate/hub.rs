//! An event hub of a simulated fleet: each record in its device's partition. The service itself says when it took a record.

use std::time::{Duration, Instant};

use anyhow::Context;
use ingest::event_hubs::{Config, Outgoing, Producer};
use ingest::simulated::{Encoder, Event, Fleet};
use types::Secret;

use super::{Destination, Whereabouts};
use crate::commands::input::BROKER_TIMEOUT;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Event Hubs")]
#[group(skip)]
pub(super) struct Options {
    /// The event hub, where the connection string does not name it
    #[arg(long, conflicts_with_all = ["out", "kafka"])]
    hub: Option<String>,
}

/// Between two checks that what was sent has arrived.
const FLUSH_INTERVAL: Duration = Duration::from_secs(10);
const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);

/// The hub being written.
pub(super) struct Hub {
    name: String,
    place: String,
    producer: Producer,
    encoder: Encoder,
    /// A live fleet goes on when records are lost, as devices do.
    endless: bool,
    flushed: Instant,
    key: Vec<u8>,
    payload: Vec<u8>,
}

impl Hub {
    pub(super) fn open(connection_string: &Secret, options: &Options, fleet: &Fleet) -> anyhow::Result<Self> {
        let config = Config {
            connection_string: Some(connection_string.clone()),
            hub: options.hub.clone(),
            ..Config::default()
        };
        let name = ingest::event_hubs::hub(&config)?;
        let mut producer = Producer::new(&config)?;
        let partitions =
            producer.partitions(BROKER_TIMEOUT).with_context(|| format!("look at the event hub `{name}`"))?;
        let planned = fleet.config().partitions as usize;
        if partitions != planned {
            tracing::info!(hub = name, partitions, planned, "the hub's own number of partitions counts");
        }
        Ok(Hub {
            name,
            place: connection_string.reference().to_owned(),
            producer,
            encoder: Encoder::new(fleet),
            endless: fleet.config().endless(),
            flushed: Instant::now(),
            key: Vec::new(),
            payload: Vec::new(),
        })
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        self.flushed = Instant::now();
        match self.producer.flush(FLUSH_TIMEOUT) {
            Err(error) if self.endless => {
                tracing::warn!(error = %error, "records are lost, going on");
                Ok(())
            }
            outcome => outcome.map(drop).with_context(|| format!("write to the event hub `{}`", self.name)),
        }
    }
}

impl Destination for Hub {
    fn write(&mut self, event: &Event) -> anyhow::Result<()> {
        self.key.clear();
        self.payload.clear();
        self.encoder.key(event, &mut self.key);
        self.encoder.json(event, &mut self.payload);
        let record = Outgoing { partition: None, key: Some(&self.key), payload: Some(&self.payload) };
        self.producer.send(record).with_context(|| format!("write to the event hub `{}`", self.name))?;
        if self.endless && self.flushed.elapsed() >= FLUSH_INTERVAL {
            self.flush()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.flush()
    }

    fn whereabouts(&self) -> Whereabouts {
        let Hub { name, place, .. } = self;
        Whereabouts {
            place: format!("event hub {name}"),
            next: format!(
                "atalaia preview -c config/pipeline.example.toml --set ingest.source=event-hubs --set \
                 ingest.event_hubs.connection_string={place} --set ingest.event_hubs.hub={name}"
            ),
        }
    }
}
