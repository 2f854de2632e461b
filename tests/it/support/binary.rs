//! The built `atalaia`, as a user runs it: its own process, its own folder, an end to each wait.
//!
//! Output goes to files, so that a test can look at a running service, and a silent one cannot block on a full pipe.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::wait;

/// For commands that end by themselves; a debug build on a busy machine is slow.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A command line under construction.
pub(crate) struct Atalaia {
    command: Command,
    folder: TempDir,
    timeout: Duration,
}

/// A process under way; dropped, it is killed.
pub(crate) struct Running {
    child: Child,
    description: String,
    folder: TempDir,
    started: Instant,
}

/// How it ended and what it said.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) description: String,
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) elapsed: Duration,
}

// === impl Atalaia ===

impl Atalaia {
    /// `atalaia SUBCOMMAND`, in an empty folder of its own and without the caller's settings.
    pub(crate) fn new(subcommand: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut command = Command::new(env!("CARGO_BIN_EXE_atalaia"));
        command.arg(subcommand).current_dir(folder.path()).stdin(Stdio::null());
        let settings = |name: &OsStr| name.to_str().is_some_and(|name| name.starts_with("ATALAIA__"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| settings(name) || name == "RUST_LOG") {
            command.env_remove(name);
        }
        // Tests run side by side: each service takes a free port and logs it. `--set telemetry.metrics=…` still wins.
        command.env("ATALAIA__TELEMETRY__METRICS", "127.0.0.1:0");
        Atalaia { command, folder, timeout: TIMEOUT }
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub(crate) fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// `--set key=value`.
    pub(crate) fn set(self, key: &str, value: impl std::fmt::Display) -> Self {
        self.arg("--set").arg(format!("{key}={value}"))
    }

    /// Many `--set`, as [`Azurite::settings`](super::Azurite::settings) gives them.
    pub(crate) fn set_all<'a>(self, settings: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        settings.into_iter().fold(self, |command, (key, value)| command.set(key, value))
    }

    /// Writes the text into the command's folder and passes it as `-c`.
    pub(crate) fn config(self, toml: &str) -> Self {
        let path = self.folder.path().join("pipeline.toml");
        std::fs::write(&path, toml).expect("the configuration can be written");
        self.arg("-c").arg(path)
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Feeds the file to standard input.
    pub(crate) fn stdin(mut self, path: &Path) -> Self {
        self.command.stdin(File::open(path).expect("the input exists"));
        self
    }

    pub(crate) fn current_dir(mut self, path: &Path) -> Self {
        self.command.current_dir(path);
        self
    }

    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Outcome {
        let timeout = self.timeout;
        self.start().wait(timeout)
    }

    /// Starts it, for services and for tests that interfere.
    pub(crate) fn start(mut self) -> Running {
        let description = describe(&self.command);
        let file = |name: &str| File::create(self.folder.path().join(name)).expect("the folder is ours");
        self.command.stdout(file("stdout.log")).stderr(file("stderr.log"));
        let started = Instant::now();
        let child = self.command.spawn().unwrap_or_else(|error| panic!("cannot start `{description}`: {error}"));
        Running { child, description, folder: self.folder, started }
    }
}

// === impl Running ===

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The folder it runs in, unless [`Atalaia::current_dir`] chose another.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub(crate) fn stdout(&self) -> String {
        self.read("stdout.log")
    }

    /// What it has logged so far.
    pub(crate) fn stderr(&self) -> String {
        self.read("stderr.log")
    }

    /// Where `/metrics` and the probes are, as `host:port`: waits until the service says so in its log.
    pub(crate) fn telemetry_address(&mut self) -> String {
        self.wait_until("the address of its metrics", TIMEOUT, |running| {
            let log = running.stderr();
            let (_, rest) = log.split_once("metrics and probes at http://")?;
            rest.split_once("/metrics").map(|(address, _)| address.to_owned())
        })
    }

    /// Waits until the log holds the text; fails with the log when the process ends first or the time is over.
    pub(crate) fn wait_for_log(&mut self, text: &str, within: Duration) {
        self.wait_until(&format!("the log to hold `{text}`"), within, |running| {
            running.stderr().contains(text).then_some(())
        });
    }

    /// Waits for whatever `ask` looks for; fails with the log when the process ends first or the time is over.
    pub(crate) fn wait_until<T>(&mut self, what: &str, within: Duration, mut ask: impl FnMut(&Self) -> Option<T>) -> T {
        let answer = wait::poll(within, || match ask(self) {
            Some(answer) => Some(Ok(answer)),
            None => self.try_wait().map(Err),
        });
        match answer {
            Some(Ok(answer)) => answer,
            // What it did last counts too.
            Some(Err(status)) => ask(self).unwrap_or_else(|| self.fail(&format!("ended ({status}) before {what}"))),
            None => self.fail(&format!("waited {within:?} in vain for {what}")),
        }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.try_wait().is_none()
    }

    /// Asks it to leave, as an orchestrator does.
    pub(crate) fn terminate(self, within: Duration) -> Outcome {
        self.signal("TERM");
        self.wait(within)
    }

    /// Takes it away without a word, as the out-of-memory killer does.
    pub(crate) fn kill(mut self) -> Outcome {
        self.child.kill().expect("a child can be killed");
        self.wait(TIMEOUT)
    }

    /// Sends a signal by name: `TERM`, `INT`, `STOP`, `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", self.pid())).status();
        assert!(status.is_ok_and(|status| status.success()), "cannot send {name} to `{}`", self.description);
    }

    /// Waits for its end; fails with what it said when that takes too long.
    pub(crate) fn wait(mut self, within: Duration) -> Outcome {
        let Some(status) = wait::poll(within, || self.try_wait()) else {
            self.fail(&format!("is still running after {within:?}"));
        };
        Outcome {
            description: self.description.clone(),
            status,
            stdout: self.stdout(),
            stderr: self.stderr(),
            elapsed: self.started.elapsed(),
        }
    }

    fn try_wait(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    fn read(&self, name: &str) -> String {
        let bytes = std::fs::read(self.folder.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn fail(&self, why: &str) -> ! {
        panic!(
            "`{}` {why}\n--- stdout\n{}\n--- stderr\n{}",
            self.description,
            tail(&self.stdout()),
            tail(&self.stderr())
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone is fine too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// === impl Outcome ===

impl Outcome {
    /// Insists on status 0.
    #[track_caller]
    pub(crate) fn success(self) -> Self {
        self.status_is(0)
    }

    /// Insists on this status; a failure shows what the process said.
    #[track_caller]
    pub(crate) fn status_is(self, status: i32) -> Self {
        assert!(
            self.status.code() == Some(status),
            "`{}` ended with {}, not {status}, after {:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.description,
            self.status,
            self.elapsed,
            tail(&self.stdout),
            tail(&self.stderr),
        );
        self
    }

    /// What `score --format json` tells. Every reading is somewhere, or this fails.
    pub(crate) fn summary(&self) -> serde_json::Value {
        let said = self.json_lines().remove(0);
        let count = |part: &str, name: &str| said[part][name].as_u64().unwrap_or_else(|| panic!("no `{name}`: {said}"));
        let refused = count("counts", "quarantined") - count("counts", "undecodable");
        assert_eq!(
            count("counts", "readings") + count("account", "before"),
            count("account", "in_windows") + count("account", "open") + count("counts", "late") + refused,
            "{said}"
        );
        said
    }

    /// Each line of standard output as one JSON object.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<serde_json::Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}"));
        self.stdout.lines().map(parse).collect()
    }
}

fn describe(command: &Command) -> String {
    let words = command.get_args().map(|arg| arg.to_string_lossy().into_owned());
    std::iter::once("atalaia".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}
