//! Lines that repeat: a place in the program that logs more often than is of use is cut short, and how often is said later.
//!
//! Decided by the place a line comes from, not by its text: floods mostly differ in a number.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Filter};

use super::trace;

/// In which a place may log so many lines.
const WINDOW: Duration = Duration::from_secs(10);
/// How soon after its window it is told what was left out.
const LOOK: Duration = Duration::from_secs(1);
/// Whose lines are about others, and never left out.
pub(super) const TARGET: &str = "atalaia::telemetry::limit";
/// Of the first line that is left out.
const LIKE_BYTES_MAX: usize = 200;

/// Shared by the filter and whoever tells of it.
#[derive(Debug, Default)]
pub(super) struct Sites {
    /// 0: no limit.
    lines_max: AtomicU64,
    is_told: AtomicBool,
    sites: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    sites: HashMap<Identifier, Site>,
    /// Of windows that are over.
    due: Vec<LeftOut>,
}

#[derive(Debug)]
struct Site {
    since: Instant,
    passed: u64,
    left_out: LeftOut,
}

/// What is said of lines that are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) level: Level,
    pub(super) lines: u64,
    pub(super) like: String,
}

impl Sites {
    pub(super) fn set_max(&self, lines_max: u64) {
        self.lines_max.store(lines_max, Ordering::Relaxed);
    }

    fn admits(&self, metadata: &Metadata<'_>, now: Instant, line: impl FnOnce() -> String) -> bool {
        let lines_max = self.lines_max.load(Ordering::Relaxed);
        // Who asks for details wants all of them.
        if lines_max == 0 || *metadata.level() > Level::INFO || metadata.target() == TARGET {
            return true;
        }
        let mut known = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { sites, due } = &mut *known;
        let nothing = || LeftOut { level: *metadata.level(), lines: 0, like: String::new() };
        let site =
            sites.entry(metadata.callsite()).or_insert_with(|| Site { since: now, passed: 0, left_out: nothing() });
        if now.duration_since(site.since) >= WINDOW {
            let over = std::mem::replace(&mut site.left_out, nothing());
            due.extend(Some(over).filter(|over| over.lines > 0));
            (site.since, site.passed) = (now, 0);
        }
        if site.passed < lines_max {
            site.passed += 1;
            return true;
        }
        if site.left_out.lines == 0 {
            site.left_out.like = line();
        }
        site.left_out.lines += 1;
        false
    }

    /// Takes what was left out in windows that are over by now; at the end, in all.
    pub(super) fn take_due(&self, now: Option<Instant>) -> Vec<LeftOut> {
        let mut known = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { sites, due } = &mut *known;
        let mut due = std::mem::take(due);
        for site in sites.values_mut() {
            let is_over = now.is_none_or(|now| now.duration_since(site.since) >= WINDOW);
            if is_over && site.left_out.lines > 0 {
                due.push(site.left_out.clone());
                site.left_out.lines = 0;
            }
        }
        due
    }

    /// Says what was left out.
    pub(super) fn tell(&self, now: Option<Instant>) {
        for LeftOut { level, lines, like } in self.take_due(now) {
            match level {
                Level::ERROR => tracing::error!(target: TARGET, like, "{lines} more lines like this were left out"),
                Level::WARN => tracing::warn!(target: TARGET, like, "{lines} more lines like this were left out"),
                _ => tracing::info!(target: TARGET, like, "{lines} more lines like this were left out"),
            }
        }
    }
}

/// Passes what is within the limit, and no spans that are only there to be traced.
#[derive(Debug, Clone, Default)]
pub(super) struct Limit {
    pub(super) sites: Arc<Sites>,
}

impl Limit {
    /// Most programs leave nothing out, and need nobody who tells of it.
    fn have_told(&self) {
        if self.sites.is_told.swap(true, Ordering::Relaxed) {
            return;
        }
        let sites = Arc::clone(&self.sites);
        let teller = thread::Builder::new().name("log-limit".into()).spawn(move || {
            loop {
                thread::park_timeout(LOOK);
                sites.tell(Some(Instant::now()));
            }
        });
        // It is tried again with the next line.
        self.sites.is_told.store(teller.is_ok(), Ordering::Relaxed);
    }
}

impl<S> Filter<S> for Limit {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        metadata.target() != trace::TARGET
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        match () {
            () if metadata.target() == trace::TARGET => Interest::never(),
            () if *metadata.level() > Level::INFO => Interest::always(),
            // The subscriber counts on it that an event which may be refused was not let through once and for all.
            () => Interest::sometimes(),
        }
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let is_admitted = self.sites.admits(event.metadata(), Instant::now(), || Like::of(event));
        if !is_admitted {
            self.have_told();
        }
        is_admitted
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::TRACE)
    }
}

/// What a line says.
#[derive(Default)]
struct Like(String);

impl Like {
    fn of(event: &Event<'_>) -> String {
        let mut like = Like::default();
        event.record(&mut like);
        let end = like.0.char_indices().map(|(at, _)| at).find(|at| *at >= LIKE_BYTES_MAX).unwrap_or(like.0.len());
        like.0.truncate(end);
        like.0
    }
}

impl Visit for Like {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tracing::Callsite as _;
    use tracing_subscriber::layer::{Layer, SubscriberExt};

    use super::*;

    #[derive(Clone, Default)]
    struct Shown(Arc<Mutex<Vec<u8>>>);

    impl Shown {
        fn lines(&self) -> Vec<String> {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
        }
    }

    impl io::Write for Shown {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_place_that_repeats_itself_is_cut_short_and_others_are_not() {
        let (limit, shown) = (Limit::default(), Shown::default());
        limit.sites.set_max(3);
        // Nobody else is to tell of it.
        limit.sites.is_told.store(true, Ordering::Relaxed);
        let writer = shown.clone();
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).without_time().with_target(false);
        let layer = lines.with_writer(move || writer.clone()).with_filter(limit.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            for number in 0..10 {
                tracing::warn!(number, "again and again {number}");
                tracing::debug!("in detail");
            }
            tracing::warn!("something else");
            limit.sites.tell(None);
            limit.sites.tell(None);
        });
        let lines = shown.lines();
        let count = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
        assert_eq!(
            (count("WARN again and again"), count("in detail"), count("something else")),
            (3, 10, 1),
            "{lines:#?}"
        );
        let told: Vec<_> = lines.iter().filter(|line| line.contains("left out")).collect();
        assert_eq!(told.len(), 1, "{lines:#?}");
        assert!(told[0].contains(" WARN 7 more lines like this were left out like=\"again and again 3\""), "{told:?}");
    }

    #[test]
    fn a_new_window_begins_anew() {
        let sites = Sites::default();
        sites.set_max(2);
        let begun = Instant::now();
        let metadata = metadata();
        let mut line =
            |seconds| sites.admits(metadata, begun + Duration::from_secs(seconds), || format!("at {seconds}"));
        assert_eq!([0, 1, 2, 9].map(&mut line), [true, true, false, false]);
        assert_eq!([10, 11, 12].map(&mut line), [true, true, false]);
        let due = |lines, like: &str| LeftOut { level: Level::ERROR, lines, like: like.to_owned() };
        assert_eq!(sites.take_due(Some(begun + Duration::from_secs(19))), [due(2, "at 2")]);
        assert_eq!(sites.take_due(Some(begun + Duration::from_secs(20))), [due(1, "at 12")]);
        assert_eq!(sites.take_due(None), []);
    }

    #[test]
    fn no_limit_is_none() {
        let sites = Sites::default();
        assert!((0..1000).all(|_| sites.admits(metadata(), Instant::now(), String::new)));
    }

    fn metadata() -> &'static Metadata<'static> {
        tracing::callsite!(name: "a line", kind: tracing::metadata::Kind::EVENT, level: Level::ERROR, fields: )
            .metadata()
    }
}
