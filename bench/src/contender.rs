//! One contender as a process: started, watched from outside, and told what it took. All are measured alike, whatever they
//! are written in: processor time by the kernel's account of the ended process, peak memory by looking often.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use serde::Deserialize;

use crate::steady::Steady;

/// How often memory is looked at, and progress where it has to be asked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Linux tells programs of ticks of 10 ms, whatever its own.
const TICK: Duration = Duration::from_millis(10);

/// What to start, and how to learn of its progress.
pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) command: Vec<String>,
    /// Where it tells how many records it has read; else its last line has to say how fast it was.
    pub(crate) metrics: Option<String>,
    /// Where its rows are, if they can be judged.
    pub(crate) out: Option<std::path::PathBuf>,
}

/// What a process took.
#[derive(Debug, Clone)]
pub(crate) struct Usage {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
    pub(crate) peak_bytes: u64,
    /// Events a second between a tenth and nine tenths of all.
    pub(crate) steady: Option<f64>,
    /// What it printed.
    pub(crate) output: String,
}

/// The last line of contenders that have no metrics.
#[derive(Deserialize)]
struct LastLine {
    steady_events_per_s: Option<f64>,
}

impl Contender {
    /// Another life of this program.
    pub(crate) fn of_this_program(name: &str, args: &[&str]) -> anyhow::Result<Contender> {
        Ok(Contender::of(name, &std::env::current_exe().context("find this program")?, args))
    }

    /// The program of that name beside this one.
    pub(crate) fn beside(name: &str, program: &str, args: &[&str]) -> anyhow::Result<Contender> {
        let path = std::env::current_exe().context("find this program")?.with_file_name(program);
        anyhow::ensure!(
            path.exists(),
            "`{}` is not built: `cargo build --release --package atalaia-bench`",
            path.display()
        );
        Ok(Contender::of(name, &path, args))
    }

    fn of(name: &str, program: &std::path::Path, args: &[&str]) -> Contender {
        let command =
            std::iter::once(program.display().to_string()).chain(args.iter().map(ToString::to_string)).collect();
        Contender { name: name.to_owned(), command, metrics: None, out: None }
    }

    /// Runs it to its end, over so many events.
    pub(crate) fn run(&self, events: u64) -> anyhow::Result<Usage> {
        let begun = Instant::now();
        let mut child = Command::new(&self.command[0])
            .args(&self.command[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .with_context(|| format!("start `{}`", self.command.join(" ")))?;
        let output = child.stdout.take().context("hear what it says")?;
        let output = thread::spawn(move || {
            let lines = BufReader::new(output).lines();
            lines.map_while(Result::ok).fold(String::new(), |all, line| all + &line + "\n")
        });
        let watched = self.watch(&mut child, begun, events);
        let output = output.join().unwrap_or_default();
        let mut usage = watched?;
        let last = output.lines().rev().find_map(|line| serde_json::from_str::<LastLine>(line).ok());
        usage.steady = usage.steady.or(last.and_then(|last| last.steady_events_per_s));
        usage.output = output;
        Ok(usage)
    }

    fn watch(&self, child: &mut Child, begun: Instant, events: u64) -> anyhow::Result<Usage> {
        let pid = Pid::from_child(child);
        let (mut peak_bytes, mut steady) = (0, Steady::new(events));
        loop {
            // Left unreaped, an ended process still tells what it took.
            let ended = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT)
                .context("look at a contender")?;
            if ended.is_some() {
                break;
            }
            peak_bytes = peak_bytes.max(peak(pid).unwrap_or(0));
            if let Some(records) = self.metrics.as_deref().and_then(|address| metric(address, RECORDS)) {
                steady.saw(records as u64, begun.elapsed());
            }
            thread::park_timeout(LOOK_EVERY);
        }
        let wall = begun.elapsed();
        let cpu = cpu(pid).context("read the processor time")?;
        let status = child.wait().context("wait for a contender")?;
        if !status.success() {
            bail!("`{}` failed: {status}", self.command.join(" "));
        }
        Ok(Usage { wall, cpu, peak_bytes, steady: steady.rate(), output: String::new() })
    }
}

const RECORDS: &str = "atalaia_ingest_records_total";

/// The sum of a metric's series, if it is there.
pub(crate) fn metric(address: &str, name: &str) -> Option<f64> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let values = answer.lines().filter_map(|line| {
        let rest = line.strip_prefix(name).filter(|rest| rest.starts_with([' ', '{']))?;
        rest.rsplit_once(' ')?.1.parse::<f64>().ok()
    });
    values.reduce(|sum, value| sum + value)
}

/// Peak resident memory so far.
fn peak(pid: Pid) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = peak.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib << 10)
}

/// Processor time of the process and of its ended children.
fn cpu(pid: Pid) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()))?;
    // The program's name, in parentheses, may hold spaces; four times are the 12th to 15th field after it.
    let fields = stat.rsplit_once(") ").context("find the end of the name")?.1;
    let ticks: u32 = fields.split(' ').skip(11).take(4).filter_map(|ticks| ticks.parse::<u32>().ok()).sum();
    Ok(TICK * ticks)
}
