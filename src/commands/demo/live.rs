//! How the demo is watched: by a live view where people look at a terminal, else by bars and lines.
//!
//! The view has a thread of its own, which looks at counters a few times a second; the pipeline does not know of it.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ingest::simulated::Fleet;

use super::draw::draw;
use super::view::{Sample, Stage, View};
use crate::commands::progress::{self, Counter, Meter, Unit};
use crate::pipeline::Progress;
use crate::shutdown::Shutdown;
use crate::terminal::{Key, Screen, Theme};

/// Between two frames.
const FRAME: Duration = Duration::from_millis(100);
/// Of the newest anomalies so many are kept for the next frame.
const ANOMALIES_MAX: usize = 500;

pub(super) struct Watch {
    totals: Arc<Progress>,
    live: Option<Live>,
}

struct Live {
    seen: Arc<Seen>,
    thread: Option<JoinHandle<()>>,
}

/// What the view looks at.
struct Seen {
    begun: Instant,
    totals: Arc<Progress>,
    stage: Mutex<Current>,
    shutdown: Shutdown,
    over: AtomicBool,
}

#[derive(Default)]
struct Current {
    stage: Stage,
    began: f64,
    /// Counts how far it is, unseen; of the stream the totals do.
    counter: Option<Counter>,
    /// Events that the stream will have.
    expected: Option<u64>,
}

impl Watch {
    /// Where no view is wanted or the terminal cannot be had, bars and lines it is.
    pub(super) fn begin(live: bool, fleet: &Fleet, shutdown: &Shutdown) -> Watch {
        let totals = Arc::new(Progress::default());
        let seen = Arc::new(Seen {
            begun: Instant::now(),
            totals: Arc::clone(&totals),
            stage: Mutex::default(),
            shutdown: shutdown.clone(),
            over: AtomicBool::new(false),
        });
        let live = live.then(|| Live::begin(seen, View::new(fleet))).and_then(Result::ok);
        Watch { totals, live }
    }

    /// The totals of the stream.
    pub(super) fn totals(&self) -> &Progress {
        &self.totals
    }

    /// For a stage of so many steps.
    pub(super) fn count(&self, stage: Stage, what: &str, unit: &'static str, total: u64) -> Meter {
        let Some(live) = &self.live else { return progress::count(what, Unit::Of(unit), total) };
        let meter = Meter::unseen(what, total);
        live.seen.enter(Current { stage, counter: Some(meter.clone()), ..Current::default() });
        meter
    }

    /// Runs the stream.
    pub(super) fn stream<R>(&self, expected: Option<u64>, job: impl FnOnce() -> R) -> R {
        match &self.live {
            Some(live) => {
                live.seen.enter(Current { stage: Stage::Streaming, expected, ..Current::default() });
                job()
            }
            None => progress::watch("streaming", &self.totals, || share(&self.totals, expected), job),
        }
    }

    pub(super) fn judging(&self) {
        if let Some(live) = &self.live {
            live.seen.enter(Current { stage: Stage::Judging, ..Current::default() });
        }
    }

    /// The terminal is as it was before.
    pub(super) fn end(mut self) {
        drop(self.live.take());
    }
}

fn share(totals: &Progress, expected: Option<u64>) -> Option<f64> {
    expected.map(|expected| (totals.counts().records as f64 / expected as f64).min(1.0))
}

// === impl Live ===

impl Live {
    fn begin(seen: Arc<Seen>, view: View) -> io::Result<Live> {
        let screen = Screen::take()?;
        seen.totals.recent().keep(ANOMALIES_MAX);
        let shown = Arc::clone(&seen);
        let thread = thread::Builder::new().name("view".into()).spawn(move || {
            // Without a terminal there is nothing to show; the demo goes on.
            let _ = show(screen, view, &shown);
        })?;
        Ok(Live { seen, thread: Some(thread) })
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.seen.over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // It gave the terminal back when it panicked, and said why.
            let _ = thread.join();
        }
    }
}

fn show(mut screen: Screen, mut view: View, seen: &Seen) -> io::Result<()> {
    let theme = Theme::wanted();
    let mut anomalies = 0;
    while !seen.over.load(Ordering::Acquire) {
        view.take(seen.sample(&mut anomalies));
        screen.draw(|frame| draw(frame, &view, theme))?;
        if screen.key(FRAME)? == Some(Key::Leave) {
            seen.shutdown.stop();
        }
    }
    Ok(())
}

// === impl Seen ===

impl Seen {
    fn enter(&self, current: Current) {
        let began = self.begun.elapsed().as_secs_f64();
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = Current { began, ..current };
    }

    /// `anomalies`: how many were seen so far.
    fn sample(&self, anomalies: &mut u64) -> Sample {
        let current = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = current.counter.as_ref().map(|counter| (counter.done(), counter.total()));
        let counts = self.totals.counts();
        let clocks = self.totals.board().partitions.into_iter();
        let (new, seen) = self.totals.recent().since(*anomalies);
        *anomalies = seen;
        Sample {
            at: self.begun.elapsed().as_secs_f64(),
            stage: current.stage,
            stage_began: current.began,
            steps: counted.or_else(|| current.expected.map(|expected| (counts.records, expected))),
            counts,
            refused: self.totals.refused(),
            clocks: clocks.filter_map(|(partition, status)| Some((partition, status.clock?))).collect(),
            new,
            stopping: self.shutdown.requested(),
        }
    }
}
