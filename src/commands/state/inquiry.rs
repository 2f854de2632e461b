//! What the source holds, asked from outside: no group is joined, no position moved.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use config::Config;
use ingest::kafka::{self, KafkaSource};
use ingest::{Extent, Held, Polled, Source, SourceKind, Start, event_hubs};
use types::{PartitionId, Position};

use crate::commands::input::Input;

/// The configured source.
pub(in crate::commands) enum Inquiry {
    Kafka(Box<kafka::Questions>),
    EventHubs(Box<event_hubs::Questions>),
    /// Files and simulated fleets answer by themselves.
    Other(Box<dyn Source>),
}

impl Inquiry {
    /// Fails within the time if no broker answers.
    pub(in crate::commands) fn open(config: &Config, within: Duration) -> anyhow::Result<Inquiry> {
        Ok(match Input::of(&config.ingest)? {
            Input::Files | Input::Simulated => Inquiry::Other(own_source(config)?.0),
            Input::Kafka(kafka) => {
                KafkaSource::check(&kafka, within).context("ask the broker for the topic")?;
                Inquiry::Kafka(Box::new(kafka::Questions::new(&kafka)))
            }
            Input::Hub(hubs) => {
                event_hubs::Questions::check(hubs, within).context("ask the service for the event hub")?;
                Inquiry::EventHubs(Box::new(event_hubs::Questions::new(hubs)?))
            }
        })
    }

    /// How many partitions the topic has, if the source knows.
    pub(in crate::commands) fn partitions(&mut self) -> anyhow::Result<Option<u32>> {
        Ok(match self {
            Inquiry::Kafka(questions) => Some(questions.partitions()?),
            Inquiry::EventHubs(questions) => Some(questions.partitions()?),
            Inquiry::Other(source) => source.partitions()?,
        })
    }

    pub(in crate::commands) fn extent(&mut self, partition: &PartitionId) -> anyhow::Result<Option<Extent>> {
        Ok(match self {
            Inquiry::Kafka(questions) => Some(questions.extent(partition)?),
            Inquiry::EventHubs(questions) => Some(questions.extent(partition)?),
            Inquiry::Other(source) => source.extent(partition)?,
        })
    }

    pub(in crate::commands) fn resolve(&mut self, partition: &PartitionId, start: Start) -> anyhow::Result<Position> {
        Ok(match self {
            Inquiry::Kafka(questions) => questions.resolve(partition, start)?,
            Inquiry::EventHubs(questions) => questions.resolve(partition, start)?,
            Inquiry::Other(source) => source.resolve(partition, start)?,
        })
    }

    pub(in crate::commands) fn record_at(
        &mut self,
        partition: &PartitionId,
        position: Position,
    ) -> anyhow::Result<Held> {
        Ok(match self {
            Inquiry::Kafka(questions) => questions.record_at(partition, position)?,
            Inquiry::EventHubs(questions) => questions.record_at(partition, position)?,
            Inquiry::Other(source) => source.record_at(partition, position)?,
        })
    }
}

/// The name that stands where a topic would.
pub(in crate::commands) fn topic_of(config: &Config) -> anyhow::Result<Arc<str>> {
    own_source(config).map(|(_, topic)| topic)
}

/// A source of this process alone, which says at once what its partitions are.
fn own_source(config: &Config) -> anyhow::Result<(Box<dyn Source>, Arc<str>)> {
    let mut source: Box<dyn Source> = match config.ingest.source {
        SourceKind::Files => {
            let files = ingest::files::FilesSource::new(&config.ingest.files, &config.ingest.decode, 1);
            Box::new(files.context("open the input files")?)
        }
        _ => Box::new(
            ingest::simulated::SimulatedSource::new(&config.ingest.simulated, 0, 1, 1)
                .context("make the simulated fleet")?,
        ),
    };
    match source.poll(Duration::ZERO).context("ask the source for its partitions")? {
        Polled::Gained(partitions) if !partitions.is_empty() => {
            let topic = Arc::clone(&partitions[0].topic);
            Ok((source, topic))
        }
        _ => bail!("the source has no partitions"),
    }
}
