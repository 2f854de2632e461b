//! Many models from a registry: how long loading takes and how much memory, how soon the first rows are scored, and how long workers pause
//! while the whole set is renewed under them.
//!
//! Workers are threads that score batch after batch and ask for a newer set before each, as the pipeline does between two commits.

#![allow(clippy::disallowed_methods, reason = "a program, not a stage")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use score::registry::{self, Note};
use score::{Config, ModelKey, ModelSet, Models, Place, Scorer};
use store::Location;
use tokio::runtime::Runtime;

use crate::models;
use crate::scoring::{Names, rows};
use crate::workload::FEATURES;

/// As many support vectors as a model of 300 rows has with a nu of 0.05.
const SUPPORT_VECTORS: usize = 15;
/// Before, and after the reload is over.
const QUIET: Duration = Duration::from_secs(5);

pub(crate) fn measure(sizes: &[u64], workers: usize) -> anyhow::Result<()> {
    println!(
        "| models of {SUPPORT_VECTORS} support vectors, {} features | files, MiB | load, s | MiB of models | RSS, peak more, MiB | first 10,000 rows, ms | the next, ms | reload under {workers} workers, s | longest batch before, ms | during, ms | after, ms | the same, of processor time | longest swap, ms | old set freed in, ms |",
        FEATURES.len()
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    sizes.iter().try_for_each(|size| one(*size, workers))
}

fn one(size: u64, workers: usize) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("make a folder")?;
    let runtime = Runtime::new().context("start the I/O threads")?;
    let location = store::open(&folder.path().display().to_string(), &store::Config::default())?;
    let names = Arc::new(Names((0..size).map(|device| format!("device-{device:07}")).collect()));
    publish(&names, 1, &location, &runtime)?;
    let on_disk = mib(bytes_below(folder.path()));
    // What making the models took goes back to the system.
    thread::sleep(Duration::from_secs(3));

    let config: Config = serde_json::from_value(serde_json::json!({ "features": FEATURES, "models": "here" }))?;
    let mut place = Place::new(config.clone(), Arc::clone(&location.store), location.prefix.clone());
    let (before, sampler) = (resident(), Sampler::start());
    let begun = Instant::now();
    let set = runtime.block_on(place.newer(&ModelSet::empty(), None, &|_, _| {}))?.context("a set")?;
    let loaded = begun.elapsed().as_secs_f64();
    let (peak, after) = (sampler.end(), resident());
    let models_mib = mib(set.bytes());

    let mut random = ChaCha8Rng::seed_from_u64(size);
    let batches: Vec<_> = (0..2).map(|_| rows(size, &mut random)).collect();
    let mut scorer = Scorer::new(Arc::clone(&set), &config);
    let of_batch = |scorer: &mut Scorer, batch| {
        let begun = Instant::now();
        let scored = scorer.score(batch, &*names).decision.iter().flatten().count();
        anyhow::ensure!(scored > 0, "nothing was scored");
        Ok(ms(begun.elapsed()))
    };
    let (first, next) = (of_batch(&mut scorer, &batches[0])?, of_batch(&mut scorer, &batches[0])?);
    drop(scorer);

    publish(&names, 2, &location, &runtime)?;
    thread::sleep(Duration::from_secs(3));
    let shared = Models::new(set);
    let (phase, longest) = (AtomicU64::new(0), [const { AtomicU64::new(0) }; 3]);
    // On a machine that has other things to do, waiting for a processor is most of the time.
    let longest_cpu = [const { AtomicU64::new(0) }; 3];
    let longest_swap = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let (reload, freed) = thread::scope(|scope| {
        for worker in 0..workers {
            let (names, config, shared, phase, longest) = (&names, &config, &shared, &phase, &longest);
            let (longest_cpu, longest_swap, stop) = (&longest_cpu, &longest_swap, &stop);
            scope.spawn(move || {
                let mut random = ChaCha8Rng::seed_from_u64(worker as u64);
                let batches: Vec<_> = (0..50).map(|_| rows(size, &mut random)).collect();
                let mut scorer = Scorer::new(shared.current(), config);
                for batch in batches.iter().cycle().take_while(|_| !stop.load(Ordering::Relaxed)) {
                    let (begun, begun_cpu) = (Instant::now(), thread_cpu());
                    let at = phase.load(Ordering::Relaxed);
                    if let Some(newer) = shared.newer_than(scorer.set()) {
                        scorer.swap(newer);
                        longest_swap.fetch_max(begun.elapsed().as_micros() as u64, Ordering::Relaxed);
                    }
                    std::hint::black_box(scorer.score(batch, &**names));
                    longest[at as usize].fetch_max(begun.elapsed().as_micros() as u64, Ordering::Relaxed);
                    let cpu = thread_cpu().saturating_sub(begun_cpu);
                    longest_cpu[at as usize].fetch_max(cpu.as_micros() as u64, Ordering::Relaxed);
                }
            });
        }
        thread::sleep(QUIET);
        phase.store(1, Ordering::Relaxed);
        let begun = Instant::now();
        place.in_background();
        let (place, runtime, current) = (&mut place, &runtime, shared.current());
        // As the service does it.
        let loading = scope.spawn(move || {
            let _ = rustix::process::setpriority_process(None, 5);
            runtime.block_on(place.newer(&current, None, &|_, _| {}))
        });
        let newer = loading.join().unwrap_or(Ok(None));
        let outcome = newer.map_err(anyhow::Error::from).and_then(|newer| newer.context("a newer set")).map(|newer| {
            let old = shared.put(newer);
            let reload = begun.elapsed().as_secs_f64();
            while Arc::strong_count(&old) > 1 {
                thread::sleep(Duration::from_millis(1));
            }
            let begun = Instant::now();
            drop(old);
            (reload, ms(begun.elapsed()))
        });
        phase.store(2, Ordering::Relaxed);
        thread::sleep(QUIET);
        stop.store(true, Ordering::Relaxed);
        outcome
    })?;
    let in_ms = |longest: [AtomicU64; 3]| longest.map(|longest| longest.into_inner() as f64 / 1e3);
    let ([before_ms, during_ms, after_ms], [before_cpu, during_cpu, after_cpu]) = (in_ms(longest), in_ms(longest_cpu));
    println!(
        "| {size} | {on_disk:.0} | {loaded:.1} | {models_mib:.0} | {:.0}, {:.0} | {first:.1} | {next:.1} | {reload:.1} | {before_ms:.1} | {during_ms:.1} | {after_ms:.1} | {before_cpu:.1}, {during_cpu:.1}, {after_cpu:.1} | {:.2} | {freed:.0} |",
        mib(after.saturating_sub(before)),
        mib(peak.saturating_sub(after)),
        longest_swap.into_inner() as f64 / 1e3,
    );
    Ok(())
}

fn publish(names: &Names, number: u64, location: &Location, runtime: &Runtime) -> anyhow::Result<()> {
    let mut random = ChaCha8Rng::seed_from_u64(number);
    let model = |name: &String| {
        let means = [50.0, 3.0, 45.0, 55.0];
        models::model(ModelKey::series(name, "s"), means, 30.0, SUPPORT_VECTORS, &mut random)
    };
    let models: Vec<_> = names.0.iter().map(model).collect();
    let note = Note { text: String::new(), at: format!("2026-01-01T00:00:{number:02}Z"), by: None };
    runtime.block_on(registry::publish(&models, &location.store, &location.prefix, &note)).context("publish")?;
    Ok(())
}

/// Looks at the memory of the process often enough to see its peak.
struct Sampler {
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<u64>,
}

impl Sampler {
    fn start() -> Sampler {
        let stop = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut peak = 0;
            while !until.load(Ordering::Relaxed) {
                peak = peak.max(resident());
                thread::sleep(Duration::from_millis(10));
            }
            peak
        });
        Sampler { stop, thread }
    }

    fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or(0)
    }
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse().unwrap_or(0);
    kib << 10
}

fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

fn bytes_below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => bytes_below(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
