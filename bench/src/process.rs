//! A contender as a process: started by the parent, measured by the kernel, told in its last line.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

/// What a process took.
pub(crate) struct Usage {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
    pub(crate) peak_bytes: u64,
    /// What it printed besides.
    pub(crate) output: String,
}

/// The last line of a contender.
#[derive(Serialize, Deserialize)]
struct Report {
    cpu_ms: u64,
    peak_kib: u64,
}

const MARK: &str = "usage: ";

/// Starts this program again with the arguments and waits for it.
pub(crate) fn run(args: &[&str]) -> anyhow::Result<Usage> {
    let program = std::env::current_exe().context("find this program")?;
    let begun = Instant::now();
    let done = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("start a contender")?;
    let wall = begun.elapsed();
    let output = String::from_utf8_lossy(&done.stdout).into_owned();
    if !done.status.success() {
        bail!("`{}` failed: {}", args.join(" "), done.status);
    }
    let report = output.lines().find_map(|line| line.strip_prefix(MARK)).context("find the usage")?;
    let report: Report = serde_json::from_str(report).context("read the usage")?;
    Ok(Usage { wall, cpu: Duration::from_millis(report.cpu_ms), peak_bytes: report.peak_kib << 10, output })
}

/// Prints what this process has taken so far, for the one that started it.
pub(crate) fn report() -> anyhow::Result<()> {
    let status = std::fs::read_to_string("/proc/self/status").context("read the peak memory")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("find the peak memory")?;
    let peak_kib = peak.trim().trim_end_matches("kB").trim().parse().context("read the peak memory")?;
    let stat = std::fs::read_to_string("/proc/self/stat").context("read the CPU time")?;
    // The name of the program, in parentheses, may hold spaces; user and system time are the 12th and 13th after it.
    let fields = stat.rsplit_once(") ").context("read the CPU time")?.1;
    let ticks: u64 = fields.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    // Linux tells programs of ticks of 10 ms, whatever its own.
    let report = Report { cpu_ms: ticks * 10, peak_kib };
    println!("{MARK}{}", serde_json::to_string(&report).context("write the usage")?);
    Ok(())
}
