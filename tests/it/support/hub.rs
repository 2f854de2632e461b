//! An event hub for one test: the emulator of `tests/event-hubs`, in this process.

use std::path::Path;

use emulator::{Command, Emulator, Options};
use tokio::runtime::{Builder, Runtime};

use super::{Atalaia, Judge};

/// The environment variable in which the program finds its connection string.
const CONNECTION: &str = "EVENT_HUBS_CONNECTION";

/// A namespace with one hub.
pub(crate) struct Hub {
    pub(crate) name: String,
    emulator: Emulator,
    /// After the emulator, which works on it.
    _runtime: Runtime,
}

impl Hub {
    pub(crate) fn start(name: &str, partitions: usize) -> Self {
        let runtime =
            Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads can be started");
        let options = Options { consumer_groups: vec!["atalaia".into()], ..Options::hub(name, partitions) };
        let emulator = runtime.block_on(Emulator::start(options)).expect("the emulator starts");
        Hub { name: name.to_owned(), emulator, _runtime: runtime }
    }

    pub(crate) fn connection_string(&self) -> String {
        self.emulator.connection_string(&self.name)
    }

    /// A command that reads the hub.
    pub(crate) fn read_by(&self, command: Atalaia) -> Atalaia {
        command
            .env(CONNECTION, self.connection_string())
            .set("ingest.source", "event-hubs")
            .set("ingest.event_hubs.connection_string", format!("env:{CONNECTION}"))
    }

    /// `atalaia simulate` into it.
    pub(crate) fn simulate(&self) -> Atalaia {
        let command = Atalaia::new("simulate").env(CONNECTION, self.connection_string());
        command.args(["--event-hubs", &format!("env:{CONNECTION}")])
    }

    /// The lines of the file, by Microsoft's own client, each with this field of it as partition key.
    pub(crate) fn send(&self, judge: &Judge, lines: &Path, key: &str) -> u64 {
        let sent =
            judge.run("judges/send_to_hub.py", [self.connection_string().as_ref(), lines.as_os_str(), key.as_ref()]);
        sent.trim().parse().expect("it prints how many it sent")
    }

    /// The last sequence number of each partition, -1 where there is none.
    pub(crate) fn last(&self) -> Vec<i64> {
        let facts = self.emulator.apply(Command::Statistics).expect("the emulator tells");
        let partitions = facts["hubs"][&self.name]["partitions"].as_array().expect("it has partitions");
        partitions.iter().map(|partition| partition["last"].as_i64().expect("a number")).collect()
    }

    /// By which connections each partition is read at present.
    pub(crate) fn readers(&self) -> Vec<Vec<u64>> {
        let facts = self.emulator.apply(Command::Statistics).expect("the emulator tells");
        let partitions = facts["hubs"][&self.name]["partitions"].as_array().expect("it has partitions");
        let connections = |partition: &serde_json::Value| {
            let readers = partition["readers"].as_array().expect("a list").iter();
            readers.filter_map(|reader| reader["connection"].as_u64()).collect()
        };
        partitions.iter().map(connections).collect()
    }
}
