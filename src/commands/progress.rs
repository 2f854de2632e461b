//! Progress of a long job: a bar on a terminal, a plain line now and then elsewhere.

use std::io::IsTerminal;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::grouped;
use crate::pipeline::Progress;

/// Between plain lines.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
const BAR_INTERVAL: Duration = Duration::from_millis(100);

/// A bar over a known number of steps; plain text elsewhere says only that it began and ended.
pub(crate) fn bar(what: &str, length: u64) -> ProgressBar {
    let target =
        if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(length), target);
    if let Ok(style) = ProgressStyle::with_template("{msg:24} {wide_bar} {human_pos}/{human_len} {eta}") {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}

/// Runs the job while its totals are shown; `share` tells how much of the input is done (0 to 1), where that is known.
pub(crate) fn watch<R>(
    what: &str,
    totals: &Progress,
    share: impl Fn() -> Option<f64> + Send + Sync,
    job: impl FnOnce() -> R,
) -> R {
    let terminal = std::io::stderr().is_terminal();
    let (stop, stopped) = mpsc::sync_channel::<()>(1);
    thread::scope(|scope| {
        let share = &share;
        scope.spawn(move || {
            let shown = bar(what, 1000);
            if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3} % {elapsed}") {
                shown.set_style(style);
            }
            let begun = Instant::now();
            let mut last_line = begun;
            let interval = if terminal { BAR_INTERVAL } else { Duration::from_millis(500) };
            while stopped.recv_timeout(interval) == Err(mpsc::RecvTimeoutError::Timeout) {
                let counts = totals.counts();
                let rate = counts.records as f64 / begun.elapsed().as_secs_f64();
                let text = format!(
                    "{what}: {} records ({}/s), {} windows, {} anomalies",
                    grouped(counts.records),
                    grouped(rate as u64),
                    grouped(counts.rows),
                    grouped(counts.anomalies),
                );
                if terminal {
                    shown.set_message(text);
                    shown.set_position(share().map_or(0, |share| (share * 1000.0) as u64));
                } else if last_line.elapsed() >= LINE_INTERVAL {
                    last_line = Instant::now();
                    tracing::info!("{text}");
                }
            }
            shown.finish_and_clear();
        });
        let result = job();
        drop(stop);
        result
    })
}
