//! The whole job beside consumers that only discard, contenders in turn, on one topic: ratios hold where figures move.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::contender::{Contender, Usage};
use crate::workload::{Kind, Workload};

/// How often each contender runs, in turn.
const ROUNDS: usize = 3;

pub(crate) struct Options<'a> {
    pub(crate) brokers: &'a str,
    pub(crate) events: u64,
    pub(crate) workers: &'a [usize],
    /// Whether others are measured too.
    pub(crate) peers: bool,
    pub(crate) keep: Option<&'a Path>,
}

#[derive(Deserialize)]
struct Peer {
    name: String,
    command: Vec<String>,
    out: Option<PathBuf>,
    events: Option<u64>,
}

pub(crate) fn compare(options: &Options<'_>) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("make a folder")?;
    let folder = options.keep.unwrap_or(folder.path());
    std::fs::create_dir_all(folder).context("make a folder")?;
    let workload = Workload::make(options.brokers, Kind::FLEET_10K, options.events, folder)?;
    let oracle = Oracle::expect(options.brokers, &workload)?;
    let mut runs: Vec<(Contender, u64, Vec<Usage>, Verdict)> = Vec::new();
    for round in 0..ROUNDS {
        for (at, (contender, events)) in contenders(options, &workload, round)?.into_iter().enumerate() {
            let usage = contender.run(events)?;
            let verdict = match &contender.out {
                // Slow peers run over fewer events, so that their rows are not those expected.
                Some(out) if events == workload.records => oracle.judge(out)?,
                _ => Verdict::default(),
            };
            let rate = events as f64 / usage.wall.as_secs_f64() / 1e6;
            eprintln!("round {}: {}: {rate:.2} M events/s, {}", round + 1, contender.name, verdict.shown());
            if let Some(out) = &contender.out {
                std::fs::remove_dir_all(out).ok();
            }
            match runs.get_mut(at) {
                Some(run) => {
                    run.2.push(usage);
                    run.3.merge(&verdict);
                }
                None => runs.push((contender, events, vec![usage], verdict)),
            }
        }
    }
    show(&runs);
    match runs.iter().find(|run| !run.3.is_right() && run.0.metrics.is_some()) {
        Some((contender, _, _, verdict)) => bail!("{}: {}: the figures mean nothing", contender.name, verdict.shown()),
        None => Ok(()),
    }
}

fn contenders(options: &Options<'_>, workload: &Workload, round: usize) -> anyhow::Result<Vec<(Contender, u64)>> {
    let Options { brokers, workers, .. } = options;
    let (topic, events) = (workload.topic.as_str(), workload.records);
    let mut all = Vec::new();
    let text = events.to_string();
    for (kind, name) in [
        ("bare", "bare drain (batch interface, the product's settings)"),
        ("loose", "the same without checksums, large queues"),
        ("parse", "bare drain + JSON parse (serde_json, borrowed)"),
    ] {
        all.push((Contender::beside(name, "drain", &["--kafka", brokers, topic, &text, kind])?, events));
    }
    let args = ["--kafka", brokers, "drain", topic, &text, "bare"];
    all.push((Contender::of_this_program("bare drain with the product's allocator", &args)?, events));
    for workers in *workers {
        let name = format!("atalaia-{workers}-{round}");
        all.push((atalaia(workload, &name, *workers, &[])?, events));
    }
    if options.peers {
        all.extend(peers(brokers, workload, round)?);
    }
    Ok(all)
}

/// `atalaia run` over what the topic holds, everything closed in the end, with a listener to ask for its progress.
pub(crate) fn atalaia(workload: &Workload, name: &str, workers: usize, more: &[&str]) -> anyhow::Result<Contender> {
    let metrics = free_address()?;
    let (config, out) = workload.configuration(name, workers, &metrics)?;
    let config = config.display().to_string();
    let mut args = vec!["atalaia", "--", "run", "-c", &config, "--until-idle", "--close", "all"];
    args.extend_from_slice(more);
    let shown = format!("atalaia run, {workers} worker{}", if workers == 1 { "" } else { "s" });
    Ok(Contender { metrics: Some(metrics), out: Some(out), ..Contender::of_this_program(&shown, &args)? })
}

pub(crate) fn free_address() -> anyhow::Result<String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("find a free port")?;
    Ok(listener.local_addr().context("find a free port")?.to_string())
}

fn peers(brokers: &str, workload: &Workload, round: usize) -> anyhow::Result<Vec<(Contender, u64)>> {
    let out = workload.folder.join(format!("peers-{round}"));
    let (models, events) = (workload.models.display().to_string(), workload.records.to_string());
    let told = python(
        "bench/peers/peers.py",
        &[
            "--brokers",
            brokers,
            "--topic",
            &workload.topic,
            "--events",
            &events,
            "--models",
            &models,
            "--out",
            &out.display().to_string(),
            "--sklearn-events",
            "500000",
        ],
    )?;
    told.lines()
        .map(|line| {
            let Peer { name, command, out, events } =
                serde_json::from_str(line).context("read what peers there are")?;
            Ok((Contender { name, command, metrics: None, out }, events.unwrap_or(workload.records)))
        })
        .collect()
}

fn show(runs: &[(Contender, u64, Vec<Usage>, Verdict)]) {
    println!(
        "| contender, median of {ROUNDS} | M events/s (wall) | steady | x bare drain (steady) | CPU-s per M events | peak MiB | rows | right |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut bare = None;
    for (contender, events, usages, verdict) in runs {
        let events = *events as f64;
        let wall = median(usages.iter().map(|usage| events / usage.wall.as_secs_f64() / 1e6));
        let steady = median(usages.iter().filter_map(|usage| usage.steady).map(|rate| rate / 1e6));
        let cpu = median(usages.iter().map(|usage| usage.cpu.as_secs_f64() / events * 1e6));
        let peak = median(usages.iter().map(|usage| usage.peak_bytes as f64 / f64::from(1 << 20)));
        let ratio = steady / *bare.get_or_insert(steady);
        let (name, rows, right) = (&contender.name, verdict.rows_shown(), verdict.shown());
        println!("| {name} | {wall:.2} | {steady:.2} | {ratio:.2} | {cpu:.2} | {peak:.0} | {rows} | {right} |");
    }
}

pub(crate) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

// === The judge ===

/// What must come out, in a file.
struct Oracle {
    expected: PathBuf,
}

#[derive(Debug, Default, Clone, Deserialize)]
struct Verdict {
    rows: Option<u64>,
    #[serde(default)]
    missing: u64,
    #[serde(default)]
    extra: u64,
    #[serde(default)]
    wrong: u64,
}

impl Oracle {
    fn expect(brokers: &str, workload: &Workload) -> anyhow::Result<Oracle> {
        let expected = workload.folder.join("expected.parquet");
        let args = [brokers, &workload.topic, &workload.models.display().to_string(), &expected.display().to_string()];
        let told = python("bench/oracle.py", &[&["expect"], &args[..]].concat())?;
        eprintln!("the oracle expects {}", told.trim());
        Ok(Oracle { expected })
    }

    fn judge(&self, out: &Path) -> anyhow::Result<Verdict> {
        let (expected, out) = (self.expected.display().to_string(), out.display().to_string());
        let told = python("bench/oracle.py", &["judge", &expected, &out])?;
        serde_json::from_str(&told).context("read the oracle's verdict")
    }
}

impl Verdict {
    fn is_right(&self) -> bool {
        self.rows.is_some() && self.missing + self.extra + self.wrong == 0
    }

    fn merge(&mut self, other: &Verdict) {
        self.missing += other.missing;
        self.extra += other.extra;
        self.wrong += other.wrong;
    }

    fn rows_shown(&self) -> String {
        self.rows.map_or_else(String::new, |rows| rows.to_string())
    }

    fn shown(&self) -> String {
        match self {
            Verdict { rows: None, .. } => "not judged".to_owned(),
            right if right.is_right() => "all".to_owned(),
            Verdict { missing, extra, wrong, .. } => format!("{missing} missing, {extra} too many, {wrong} wrong"),
        }
    }
}

/// Runs a script with the Python that has the judges, and returns what it prints.
pub(crate) fn python(script: &str, args: &[&str]) -> anyhow::Result<String> {
    let python =
        std::env::var("ATALAIA_TEST_PYTHON").context("`scripts/services run --kafka --python -- …` names a Python")?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("find the project")?;
    let done = Command::new(python).args(["-B", "-W", "ignore"]).arg(root.join(script)).args(args).output();
    let done = done.with_context(|| format!("start `{script}`"))?;
    if !done.status.success() {
        bail!("`{script}` failed ({}): {}", done.status, String::from_utf8_lossy(&done.stderr));
    }
    std::io::Write::write_all(&mut std::io::stderr(), &done.stderr).ok();
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}
