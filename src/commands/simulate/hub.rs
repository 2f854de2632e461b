//! An event hub of a simulated fleet: each record in its device's partition. The service itself says when it took a record.

use std::time::Duration;

use anyhow::Context;
use ingest::event_hubs::{Config, Outgoing, Producer};
use ingest::simulated::Fleet;
use types::{Micros, Secret};

use super::Whereabouts;
use super::stream::Outlet;
use crate::commands::input::BROKER_TIMEOUT;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Event Hubs")]
#[group(skip)]
pub(super) struct Options {
    /// The event hub, where the connection string does not name it
    #[arg(long, conflicts_with_all = ["out", "kafka"])]
    hub: Option<String>,
}

/// The hub being written.
pub(super) struct Hub {
    name: String,
    place: String,
    producer: Producer,
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
        Ok(Hub { name, place: connection_string.reference().to_owned(), producer })
    }
}

impl Outlet for Hub {
    /// The service itself notes when it took a record.
    fn send(&mut self, key: &[u8], payload: &[u8], _: Micros) -> Result<(), ingest::Error> {
        self.producer.send(Outgoing { partition: None, key: Some(key), payload: Some(payload) })
    }

    fn flush(&mut self, timeout: Duration) -> Result<(), ingest::Error> {
        self.producer.flush(timeout).map(drop)
    }

    fn name(&self) -> String {
        format!("the event hub `{}`", self.name)
    }

    fn whereabouts(&self) -> Whereabouts {
        let Hub { name, place, .. } = self;
        Whereabouts {
            place: format!("event hub {name}"),
            next: Some(format!(
                "atalaia init --set ingest.source=event-hubs --set ingest.event_hubs.connection_string={place} --set \
                 ingest.event_hubs.hub={name}"
            )),
        }
    }
}
