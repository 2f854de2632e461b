//! Progress of whatever takes longer than a moment: on a terminal a bar (or a spinner, where nobody knows the end), elsewhere a
//! line in the log now and then; both say the same. Never on standard output, and not at all with `--quiet`.
//!
//! Jobs count, and know nothing of how that is shown: a thread of its own looks at the counts.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::grouped;
use crate::paint::{self, Paint};
use crate::pipeline::Progress;
use crate::terminal::words;
use crate::{telemetry, terminal};

/// What is over sooner shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two frames of a bar.
const FRAME: Duration = Duration::from_millis(100);
/// Between two lines.
const LINES: Duration = Duration::from_secs(5);
/// Of what goes on until it is stopped.
const LINES_ENDLESS: Duration = Duration::from_secs(60);
/// Parts of a bar.
const PARTS: u64 = 1000;

/// How far a job is. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counter {
    shared: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    what: Mutex<String>,
    done: AtomicU64,
    /// None yet: 0.
    total: AtomicU64,
    /// Of the input, where that says more than a total; in [`PARTS`].
    parts: AtomicU64,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Things of this name.
    Of(&'static str),
    Bytes,
    /// It is only waited for.
    Nothing,
}

/// A counter that is shown until it is dropped.
pub(crate) struct Meter {
    counter: Counter,
    /// Dropped first: that is how the thread hears of the end.
    stop: Option<mpsc::SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Counts something; a total of 0 is one that nobody knows.
pub(crate) fn count(what: &str, unit: Unit, total: u64) -> Meter {
    Meter::begin(what, unit, total, LINES)
}

/// Waits for something of which only the time is known.
pub(crate) fn wait(what: &str) -> Meter {
    Meter::begin(what, Unit::Nothing, 0, LINES)
}

/// Counts what goes on until it is stopped.
pub(crate) fn endless(what: &str, unit: Unit) -> Meter {
    Meter::begin(what, unit, 0, LINES_ENDLESS)
}

/// Runs the job while its totals are shown; `share` tells how much of the input is done (0 to 1), where that is known.
pub(crate) fn watch<R>(
    what: &str,
    totals: &Progress,
    share: impl Fn() -> Option<f64> + Send + Sync,
    job: impl FnOnce() -> R,
) -> R {
    let begun = Instant::now();
    let look = move || {
        let counts = totals.counts();
        Figures {
            what: what.to_owned(),
            unit: Unit::Of("records"),
            done: counts.records,
            total: 0,
            share: share(),
            besides: format!(", {} windows, {} anomalies", grouped(counts.rows), grouped(counts.anomalies)),
            seconds: begun.elapsed().as_secs_f64(),
        }
    };
    let (stop, stopped) = mpsc::sync_channel::<()>(0);
    thread::scope(|scope| {
        scope.spawn(move || show(&stopped, LINES, &look));
        let result = job();
        drop(stop);
        result
    })
}

// === impl Counter ===

impl Counter {
    pub(crate) fn new(what: &str, total: u64) -> Counter {
        let counter = Counter::default();
        counter.say(what);
        counter.set_total(total);
        counter
    }

    pub(crate) fn add(&self, more: u64) {
        self.shared.done.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, done: u64) {
        self.shared.done.store(done, Ordering::Relaxed);
    }

    pub(crate) fn set_total(&self, total: u64) {
        self.shared.total.store(total, Ordering::Relaxed);
    }

    /// How much of the input is done, from 0 to 1.
    pub(crate) fn set_share(&self, share: f64) {
        self.shared.parts.store((share * PARTS as f64) as u64, Ordering::Relaxed);
    }

    /// What is done now.
    pub(crate) fn say(&self, what: &str) {
        what.clone_into(&mut self.shared.what.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn done(&self) -> u64 {
        self.shared.done.load(Ordering::Relaxed)
    }

    pub(crate) fn total(&self) -> u64 {
        self.shared.total.load(Ordering::Relaxed)
    }

    fn figures(&self, unit: Unit, seconds: f64) -> Figures {
        let parts = self.shared.parts.load(Ordering::Relaxed);
        Figures {
            what: self.shared.what.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            unit,
            done: self.done(),
            total: self.total(),
            share: (parts > 0).then(|| parts as f64 / PARTS as f64),
            besides: String::new(),
            seconds,
        }
    }
}

// === impl Meter ===

impl Meter {
    /// For who shows it in another way.
    pub(crate) fn unseen(what: &str, total: u64) -> Meter {
        Meter { counter: Counter::new(what, total), stop: None, thread: None }
    }

    fn begin(what: &str, unit: Unit, total: u64, lines: Duration) -> Meter {
        let counter = Counter::new(what, total);
        let (stop, stopped) = mpsc::sync_channel(0);
        let (begun, looked_at) = (Instant::now(), counter.clone());
        let look = move || looked_at.figures(unit, begun.elapsed().as_secs_f64());
        // Without a thread it is not shown; the job goes on.
        let thread = thread::Builder::new().name("progress".into()).spawn(move || show(&stopped, lines, &look)).ok();
        Meter { counter, stop: Some(stop), thread }
    }
}

impl std::ops::Deref for Meter {
    type Target = Counter;

    fn deref(&self) -> &Counter {
        &self.counter
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It said why, if it panicked.
            let _ = thread.join();
        }
    }
}

// === what is shown ===

/// Until the other end of the channel is gone.
fn show(stopped: &mpsc::Receiver<()>, lines: Duration, look: &dyn Fn() -> Figures) {
    let goes_on = |time| stopped.recv_timeout(time) == Err(mpsc::RecvTimeoutError::Timeout);
    if telemetry::is_quiet() || !goes_on(PATIENCE) {
        return;
    }
    // One at a time: what is part of something else that is shown already waits for the line to be free.
    let Some(_line) = Line::when_free(goes_on) else { return };
    if !paint::can_redraw() {
        let mut next = lines.saturating_sub(PATIENCE);
        while goes_on(next) {
            tracing::info!("{}", look().text());
            next = lines;
        }
        return;
    }
    let bar = ProgressBar::with_draw_target(Some(PARTS), ProgressDrawTarget::stderr());
    terminal::share_with(Some(bar.clone()));
    loop {
        let figures = look();
        let share = figures.share();
        if let Some(style) = style(share.is_some()) {
            bar.set_style(style);
        }
        bar.set_message(figures.text());
        bar.set_position((share.unwrap_or(0.0) * PARTS as f64) as u64);
        bar.tick();
        if !goes_on(FRAME) {
            break;
        }
    }
    terminal::share_with(None);
    bar.finish_and_clear();
}

/// The right to the line of progress, which one has at a time, and none while a view has the terminal.
struct Line;

static TAKEN: AtomicBool = AtomicBool::new(false);

impl Line {
    fn when_free(goes_on: impl Fn(Duration) -> bool) -> Option<Line> {
        while terminal::is_taken() || TAKEN.swap(true, Ordering::AcqRel) {
            if !goes_on(FRAME) {
                return None;
            }
        }
        Some(Line)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        TAKEN.store(false, Ordering::Release);
    }
}

fn style(has_end: bool) -> Option<ProgressStyle> {
    let shape = Paint::of_errors().accent(if has_end { "{bar:24}" } else { "{spinner}" });
    Some(ProgressStyle::with_template(&format!("{shape} {{wide_msg}}")).ok()?.progress_chars("━━╌"))
}

/// How far a job is at a moment.
struct Figures {
    what: String,
    unit: Unit,
    done: u64,
    /// 0: unknown.
    total: u64,
    share: Option<f64>,
    besides: String,
    seconds: f64,
}

impl Figures {
    fn share(&self) -> Option<f64> {
        let of_total = || (self.total > 0).then(|| self.done as f64 / self.total as f64);
        self.share.or_else(of_total).map(|share| share.clamp(0.0, 1.0))
    }

    /// By the same pace all the way. When all is read there may be more to do, and nobody knows how long that takes.
    fn seconds_left(&self) -> Option<f64> {
        self.share().filter(|share| *share > 0.0 && *share < 1.0).map(|share| self.seconds * (1.0 - share) / share)
    }

    fn text(&self) -> String {
        let Figures { what, unit, done, total, share, besides, seconds } = self;
        if *unit == Unit::Nothing {
            return format!("{what}, {}", words::seconds(*seconds));
        }
        let rate = *done as f64 / seconds.max(1e-3);
        let (done, total, name, rate) = match unit {
            Unit::Bytes => (bytes(*done as f64), (*total > 0).then(|| bytes(*total as f64)), "", bytes(rate)),
            Unit::Of(name) => (grouped(*done), (*total > 0).then(|| grouped(*total)), *name, pace(rate)),
            Unit::Nothing => return what.clone(),
        };
        let of = total.map_or_else(String::new, |total| format!(" of {total}"));
        let name = if name.is_empty() { String::new() } else { format!(" {name}") };
        let percent = share.map_or_else(String::new, |share| format!(" ({:.0} %)", 100.0 * share.clamp(0.0, 1.0)));
        let time = match self.seconds_left() {
            Some(left) => format!("{} left", words::seconds(left)),
            None => words::seconds(*seconds),
        };
        format!("{what}: {done}{of}{name}{percent}, {rate}/s{besides}, {time}")
    }
}

fn pace(rate: f64) -> String {
    if rate < 9.95 { format!("{rate:.1}") } else { grouped(rate as u64) }
}

fn bytes(bytes: f64) -> String {
    match bytes {
        b if b < 1e3 => format!("{b:.0} B"),
        b if b < 1e6 => format!("{:.1} kB", b / 1e3),
        b if b < 1e9 => format!("{:.1} MB", b / 1e6),
        b => format!("{:.1} GB", b / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_how_fast_and_how_long() {
        let of = |what: &str, unit, done, total, share| {
            let counter = Counter::new(what, total);
            counter.set(done);
            counter.set_share(share);
            counter.figures(unit, 20.0).text()
        };
        let cases = [
            (of("training", Unit::Of("models"), 300, 1200, 0.0), "training: 300 of 1,200 models, 15/s, 60 s left"),
            (
                of("reading", Unit::Bytes, 5_000_000, 20_000_000, 0.0),
                "reading: 5.0 MB of 20.0 MB, 250.0 kB/s, 60 s left",
            ),
            (of("history", Unit::Of("records"), 40_000, 0, 0.8), "history: 40,000 records (80 %), 2,000/s, 5 s left"),
            (of("simulating", Unit::Of("records"), 5, 0, 0.0), "simulating: 5 records, 0.2/s, 20 s"),
            // Nothing done yet says nothing of the end.
            (of("training", Unit::Of("models"), 0, 12, 0.0), "training: 0 of 12 models, 0.0/s, 20 s"),
            (of("verifying", Unit::Nothing, 0, 0, 0.0), "verifying, 20 s"),
        ];
        for (text, expected) in cases {
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn more_than_all_is_all() {
        let counter = Counter::new("x", 10);
        counter.add(11);
        let figures = counter.figures(Unit::Of("files"), 1.0);
        assert_eq!((figures.share(), figures.seconds_left()), (Some(1.0), None));
    }
}
