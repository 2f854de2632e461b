//! What `/metrics` shows: everything that was recorded but what was given up, and what is looked at only when somebody asks.
//!
//! The recorder forgets no gauge. A stage that has no more to say of a partition, or of a set of models, sets its gauge to
//! "not a number", and here such lines are left out; with the next number it is there again. Other gauges may be no number
//! (a time that nobody knows) and stay.

use std::sync::Arc;

use metrics::{describe_gauge, gauge};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::pipeline::{self, Progress};
use crate::process;

const READY: &str = "atalaia_process_ready";

/// Labels of things that come and go.
const PASSING: [&str; 2] = ["partition=\"", "model_set=\""];

pub(crate) fn describe_metrics() {
    describe_gauge!(READY, "Whether the service is ready (1), as `/readyz` says");
}

/// Makes the page for `/metrics`.
#[derive(Clone)]
pub(crate) struct Scrape {
    handle: PrometheusHandle,
    looks: Arc<dyn Fn() + Send + Sync>,
}

impl Scrape {
    pub(crate) fn new(
        handle: PrometheusHandle,
        progress: Arc<Progress>,
        is_ready: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        process::began();
        let looks = move || {
            gauge!(READY).set(f64::from(u8::from(is_ready())));
            pipeline::collect_metrics(&progress);
        };
        Scrape { handle, looks: Arc::new(looks) }
    }

    pub(crate) fn render(&self) -> String {
        (self.looks)();
        let mut text = without_what_passed(&self.handle.render());
        process::write(&mut text);
        text
    }

    /// Folds histograms, so that memory stays bounded when nobody asks.
    pub(crate) fn run_upkeep(&self) {
        self.handle.run_upkeep();
    }
}

/// A family of which nothing is left shows neither its help nor its type.
fn without_what_passed(rendered: &str) -> String {
    let is_left = |line: &&str| !(line.ends_with(" NaN") && PASSING.iter().any(|label| line.contains(label)));
    let mut text = String::with_capacity(rendered.len());
    for family in rendered.split_inclusive("\n\n") {
        let lines: Vec<&str> = family.lines().filter(is_left).collect();
        if lines.iter().any(|line| !line.is_empty() && !line.starts_with('#')) {
            lines.iter().for_each(|line| text.extend([line, "\n"]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use metrics::with_local_recorder;
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn what_was_given_up_disappears_and_comes_back() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        let set = |name: &'static str, label: &'static str, value: &'static str, to: f64| {
            gauge!(name, label => value).set(to);
        };
        with_local_recorder(&recorder, || {
            set("lone", "partition", "3", f64::NAN);
            set("unknown", "worker", "0", f64::NAN);
            set("info", "model_set", "old", f64::NAN);
            set("info", "model_set", "new", 1.0);
            set("g", "partition", "0", 5.0);
            set("g", "partition", "1", 7.0);
            let shown = || without_what_passed(&handle.render());
            assert!(shown().contains("g{partition=\"1\"} 7\n"));
            set("g", "partition", "1", f64::NAN);
            let text = shown();
            for there in
                ["# TYPE g gauge\n", "g{partition=\"0\"} 5\n", "{worker=\"0\"} NaN\n", "info{model_set=\"new\"} 1\n"]
            {
                assert!(text.contains(there), "no {there} in\n{text}");
            }
            for gone in ["partition=\"1\"", "lone", "old"] {
                assert!(!text.contains(gone), "{gone} in\n{text}");
            }
            set("g", "partition", "1", 8.0);
            assert!(shown().contains("g{partition=\"1\"} 8\n"));
        });
    }
}
