//! The native Event Hubs source and the producer against an emulator in this process: the contract of sources, what the service
//! does to its readers, and what goes wrong on the way; in files of their own.
#![cfg(feature = "event-hubs")]
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::print_stdout)]

mod bodies;
mod checks;
mod contract;
mod faults;
mod memberships;
mod positions;
mod transports;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use emulator::{Command, Emulator, Options};
use ingest::event_hubs::{Config, EventHubsSource, Membership, Outgoing, Producer, Static};
use ingest::{Bound, Polled, Source, Wanted};
use tempfile::NamedTempFile;
use tokio::runtime::{Builder, Runtime};
use types::{PartitionId, Secret};

pub(crate) const HUB: &str = "readings";
pub(crate) const WAIT: Duration = Duration::from_secs(60);
pub(crate) const POLL: Duration = Duration::from_millis(50);

/// An emulator, and the threads that it and the source run on.
pub(crate) struct Service {
    emulator: Option<Emulator>,
    runtime: Runtime,
    options: Options,
    secret: NamedTempFile,
}

/// What partitions hold.
pub(crate) type Payloads = BTreeMap<u32, Vec<Option<Vec<u8>>>>;

impl Service {
    pub(crate) fn start(partitions: usize) -> Self {
        Service::with(Options { consumer_groups: vec!["atalaia".into()], ..Options::hub(HUB, partitions) })
    }

    pub(crate) fn with(options: Options) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let emulator = runtime.block_on(Emulator::start(options.clone())).unwrap();
        let mut secret = NamedTempFile::new().unwrap();
        secret.write_all(emulator.connection_string(HUB).as_bytes()).unwrap();
        // A restart comes back at the same address.
        let options = Options { listen: emulator.address(), ..options };
        Service { emulator: Some(emulator), runtime, options, secret }
    }

    pub(crate) fn stop(&mut self) {
        self.emulator = None;
    }

    pub(crate) fn restart(&mut self) {
        self.stop();
        let deadline = Instant::now() + WAIT;
        self.emulator = loop {
            match self.runtime.block_on(Emulator::start(self.options.clone())) {
                Ok(emulator) => break Some(emulator),
                Err(error) if Instant::now() > deadline => panic!("{error}"),
                Err(_) => self.pause(Duration::from_millis(50)),
            }
        };
    }

    pub(crate) fn pause(&self, span: Duration) {
        self.runtime.block_on(async { tokio::time::sleep(span).await });
    }

    pub(crate) fn apply(&self, command: Command) -> String {
        let _inside = self.runtime.enter();
        self.emulator.as_ref().unwrap().apply(command).unwrap().to_string()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.emulator.as_ref().unwrap().address()
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(crate) fn connection_string(&self) -> String {
        self.emulator.as_ref().unwrap().connection_string(HUB)
    }

    pub(crate) fn config(&self) -> Config {
        let connection_string = Secret::parse(&format!("file:{}", self.secret.path().display())).unwrap();
        Config { connection_string: Some(connection_string), consumer_group: "atalaia".into(), ..Config::default() }
    }

    pub(crate) fn source(&self, bound: Bound) -> Box<dyn Source> {
        self.source_with(&self.config(), bound, Wanted::default(), Box::new(Static::new(0, 1)))
    }

    pub(crate) fn source_with(
        &self,
        config: &Config,
        bound: Bound,
        wanted: Wanted,
        membership: Box<dyn Membership>,
    ) -> Box<dyn Source> {
        let handle = self.runtime.handle().clone();
        Box::new(EventHubsSource::new(config, 0, bound, 500, wanted, membership, handle).unwrap())
    }

    pub(crate) fn producer(&self) -> Producer {
        Producer::new(&self.config()).unwrap()
    }

    /// Sends numbered payloads, some of them empty or none, and returns what each partition holds.
    pub(crate) fn fill(&self, partitions: u32, records: u32) -> Payloads {
        let mut payloads = Payloads::new();
        let mut producer = self.producer();
        for number in 0..records {
            let partition = number % partitions;
            let payload = match number % 17 {
                11 => None,
                12 => Some(Vec::new()),
                _ => {
                    Some(format!(r#"{{"device":"d{}","sensor":"s","ts":{number},"value":1}}"#, number % 5).into_bytes())
                }
            };
            let key = format!("d{}", number % 5);
            let record =
                Outgoing { partition: Some(partition), key: Some(key.as_bytes()), payload: payload.as_deref() };
            producer.send(record).unwrap();
            payloads.entry(partition).or_default().push(payload);
        }
        assert_eq!(producer.flush(WAIT).unwrap(), u64::from(records));
        payloads
    }
}

pub(crate) fn partition(index: u32) -> PartitionId {
    PartitionId { topic: HUB.into(), index }
}

/// Polls until so many records of the partition came, in order and once each; returns positions.
pub(crate) fn read(source: &mut dyn Source, index: u32, count: usize) -> Vec<i64> {
    let deadline = Instant::now() + WAIT;
    let mut positions: Vec<i64> = Vec::new();
    while positions.len() < count {
        assert!(Instant::now() < deadline, "only {} of {count} records came", positions.len());
        if let Polled::Records(records) = source.poll(POLL).unwrap()
            && records.partition().index == index
        {
            positions.extend(records.iter().map(|record| record.position));
        }
    }
    let consecutive = positions.windows(2).all(|pair| pair[1] == pair[0] + 1);
    assert!(consecutive, "lost or repeated records: {positions:?}");
    positions
}
