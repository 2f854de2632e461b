//! A container of the test's own, members in it, and the judge.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use ingest::event_hubs::ownership::{CheckpointStore, Group, Member, Settings};
use ingest::event_hubs::{Change, Membership, Ownership, Strategy};
use serde_json::Value;
use tokio::runtime::Runtime;
use types::Span;

pub(crate) const WAIT: Duration = Duration::from_secs(60);

/// The variable, or none with a visible skip.
fn wanted(variable: &str) -> Option<String> {
    match std::env::var(variable) {
        Ok(value) => Some(value),
        Err(_) if std::env::var("ATALAIA_TEST_REQUIRED").is_ok_and(|required| required == "1") => {
            panic!("`{variable}` is not set, and ATALAIA_TEST_REQUIRED=1")
        }
        Err(_) => {
            eprintln!("SKIPPED {}: set {variable} or run make test", thread::current().name().unwrap_or("a test"));
            None
        }
    }
}

/// A consumer group with mixed-case names in a new container of the emulator.
pub(crate) struct Place {
    pub(crate) runtime: Runtime,
    endpoint: String,
    container: String,
    pub(crate) group: Group,
}

impl Place {
    pub(crate) fn new() -> Option<Place> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let endpoint = wanted("ATALAIA_TEST_AZURITE")?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let group = Group {
            namespace: "Plant.servicebus.windows.net".into(),
            hub: "Telemetry-Hub".into(),
            consumer_group: "$Default".into(),
        };
        let container = format!("ownership-{}-{number}", std::process::id());
        let place = Place { runtime: Runtime::new().unwrap(), endpoint, container, group };
        let location = store::open(&place.url(), &place.storage()).unwrap();
        place.runtime.block_on(store::emulator::create_container(&location)).unwrap();
        Some(place)
    }

    fn url(&self) -> String {
        format!("az://{}", self.container)
    }

    fn storage(&self) -> store::Config {
        store::Config { emulator: true, endpoint: Some(self.endpoint.clone()), ..store::Config::default() }
    }

    pub(crate) fn store(&self) -> CheckpointStore {
        CheckpointStore::open(&self.url(), &self.storage(), &self.group).unwrap()
    }

    pub(crate) fn member(&self, strategy: Strategy, expiry: Duration, count: u32) -> Running {
        let config = Ownership {
            url: None,
            strategy,
            renew_interval: Span::from_millis(300),
            expiry: Span::from_millis(expiry.as_millis() as u64),
        };
        let settings = Settings::new(&config).unwrap();
        let mut member = Member::new(self.runtime.handle().clone(), self.store(), settings, 0);
        let rung = Arc::new((Mutex::new(false), Condvar::new()));
        let bell = Arc::clone(&rung);
        member.begin(Arc::new(move || {
            *bell.0.lock().unwrap() = true;
            bell.1.notify_all();
        }));
        member.hub_has(count);
        Running { member, rung, held: Vec::new(), was_told: false }
    }

    /// Microsoft's client as the judge of this container, in this group or another spelling of it.
    pub(crate) fn judge(&self) -> Option<Judge> {
        let python = wanted("ATALAIA_TEST_PYTHON")?;
        let Group { namespace, hub, consumer_group } = self.group.clone();
        let args = vec![self.endpoint.clone(), self.container.clone(), namespace, hub, consumer_group];
        Some(Judge { python, args })
    }

    /// Who has each partition, by our own reading.
    pub(crate) fn owners(&self) -> BTreeMap<u32, String> {
        let records = self.runtime.block_on(self.store().ownership(&BTreeMap::new())).unwrap();
        records.into_iter().map(|(partition, record)| (partition, record.owner)).collect()
    }
}

/// A member, looked at as a source would.
pub(crate) struct Running {
    pub(crate) member: Member,
    rung: Arc<(Mutex<bool>, Condvar)>,
    pub(crate) held: Vec<u32>,
    pub(crate) was_told: bool,
}

impl Running {
    /// Takes in what changed; each partition must be gained and lost in turns.
    pub(crate) fn look(&mut self) -> usize {
        for change in self.member.changes().unwrap() {
            self.was_told = true;
            match change {
                Change::Gained(gained) => {
                    for partition in gained {
                        assert!(!self.held.contains(&partition), "{partition} is gained twice");
                        self.held.push(partition);
                    }
                }
                Change::Lost(lost) => {
                    for partition in lost {
                        let at = self.held.iter().position(|held| *held == partition).expect("lost what was gained");
                        self.held.swap_remove(at);
                    }
                }
            }
        }
        self.held.len()
    }

    /// Waits for the bell, and looks.
    pub(crate) fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Running) -> bool) {
        let deadline = Instant::now() + WAIT;
        loop {
            self.look();
            if is_so(self) {
                return;
            }
            assert!(Instant::now() < deadline, "{what}: {:?}", self.held);
            let rung = self.rung.0.lock().unwrap();
            let (mut rung, _) = self.rung.1.wait_timeout_while(rung, Duration::from_secs(1), |rung| !*rung).unwrap();
            *rung = false;
        }
    }
}

/// Asks again until it is so; all of them are looked at each time.
pub(crate) fn until(what: &str, members: &mut [&mut Running], mut is_so: impl FnMut(&[usize]) -> bool) {
    let deadline = Instant::now() + WAIT;
    loop {
        let counts: Vec<usize> = members.iter_mut().map(|member| member.look()).collect();
        if is_so(&counts) {
            return;
        }
        assert!(Instant::now() < deadline, "{what}: {counts:?}");
        thread::park_timeout(Duration::from_millis(20));
    }
}

pub(crate) struct Judge {
    python: String,
    args: Vec<String>,
}

/// A judge between listing and claiming.
pub(crate) struct Racer {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Judge {
    /// The same judge for the group in another spelling.
    pub(crate) fn lower(&self) -> Judge {
        let mut args = self.args.clone();
        args[2..].iter_mut().for_each(|name| *name = name.to_lowercase());
        Judge { python: self.python.clone(), args }
    }

    pub(crate) fn ask(&self, words: &[&str]) -> Value {
        let output = self.command(words).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {stderr}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{words:?}: {error}; {stderr}"))
    }

    pub(crate) fn race(&self, owner: &str, partitions: &str) -> Racer {
        let mut command = self.command(&["race", owner, partitions]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Racer { child, lines }
    }

    fn command(&self, words: &[&str]) -> Command {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/judges/checkpoints.py");
        let mut command = Command::new(&self.python);
        command.args(["-B", "-W", "ignore", script]).args(&self.args).args(words);
        command
    }
}

impl Racer {
    pub(crate) fn go(&mut self) {
        self.child.stdin.take().unwrap().write_all(b"\n").unwrap();
    }

    /// What it won.
    pub(crate) fn finish(mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        assert!(self.child.wait().unwrap().success());
        serde_json::from_str(&line).unwrap()
    }
}
