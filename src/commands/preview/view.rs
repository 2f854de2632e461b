//! What of a preview is printed, as text or as JSON, while it is summed up.

use std::io::Write;

use config::Config;

use super::Shows;
use super::models::Models;
use super::record::Shown;
use super::stages::Stages;
use super::summary::Summary;
use super::text::Text;
use super::window::Window;
use crate::commands::Format;
use crate::commands::output::{Output, escaped};
use crate::terminal::words::plural;

/// Windows that are kept to be shown as text, and that are shown.
const KEPT_MAX: usize = 2_000;
const SHOWN_MAX: usize = 24;

/// What was printed, and what it adds up to.
pub(super) struct View<'a, W: Write> {
    config: &'a Config,
    out: Output<W>,
    format: Format,
    pub(super) left: u64,
    /// Whether somebody still reads.
    pub(super) is_read: bool,
    text: Text,
    /// Records to be shown together.
    batch: Vec<Shown>,
    /// Windows to be shown at the end, and how many more there were.
    windows: Vec<Window>,
    more: u64,
    summary: Summary,
}

impl<'a, W: Write> View<'a, W> {
    pub(super) fn new(config: &'a Config, shows: &Shows, out: Output<W>, stages: &Stages) -> Self {
        View {
            config,
            out,
            format: shows.format,
            left: shows.limit,
            is_read: true,
            text: Text::new(shows.paint, stages.window_width()),
            batch: Vec::new(),
            windows: Vec::new(),
            more: 0,
            summary: Summary::default(),
        }
    }

    /// What of a record becomes no reading and is not refused; `columns` if it is a row.
    pub(super) fn left_out(&mut self, shown: &Shown, payload: Option<&[u8]>, columns: Option<&[String]>) {
        let left_out = &mut self.summary.left_out;
        shown.ignored.iter().for_each(|(name, why)| left_out.cell(name, *why));
        if let Some(payload) = payload {
            let decode = &self.config.ingest.decode;
            let fixed = (decode.format == ingest::decode::Format::Csv).then_some(decode.columns.as_slice());
            left_out.record(payload, columns.or(fixed), decode);
        }
    }

    pub(super) fn record(&mut self, shown: Shown) {
        self.left -= 1;
        self.summary.record(&shown, &self.config.ingest.decode);
        match self.format {
            Format::Json => {
                let line = serde_json::to_string(&shown).unwrap_or_else(|error| {
                    serde_json::json!({ "position": shown.position, "error": error.to_string() }).to_string()
                });
                let is_read = self.out.line(line);
                self.end_unless(is_read);
            }
            Format::Text => self.batch.push(shown),
        }
    }

    /// What has come shows at once, also while a pipe stays open.
    pub(super) fn flush(&mut self) {
        for line in self.text.records(&std::mem::take(&mut self.batch)) {
            self.out.line(line);
        }
        let is_read = self.out.flush();
        self.end_unless(is_read);
    }

    pub(super) fn windows(&mut self, windows: Vec<Window>) {
        for window in windows {
            self.summary.window(&window, self.config.score.min_readings);
            match self.format {
                Format::Json => _ = self.out.line(window.json()),
                Format::Text if self.windows.len() < KEPT_MAX => self.windows.push(window),
                Format::Text => self.more += 1,
            }
        }
    }

    fn end_unless(&mut self, is_read: bool) {
        if !is_read {
            self.is_read = false;
            self.left = 0;
        }
    }

    /// `suggestion`: for people, settings that would read more.
    pub(super) fn close(mut self, models: &Models, series: usize, suggestion: Option<String>) -> anyhow::Result<()> {
        self.summary.series = series;
        match self.format {
            Format::Json => _ = self.out.line(self.summary.json(models)),
            Format::Text => {
                let are_judged = matches!(models, Models::There(_));
                let windows = self.text.windows(&mut self.windows, SHOWN_MAX, self.more, are_judged);
                let summary = self.text.summary(&self.summary, models, &self.config.score.models);
                for line in windows.into_iter().chain(summary).chain(suggestion) {
                    self.out.line(line);
                }
            }
        }
        self.out.finish()?;
        let split = self.summary.split();
        if let Some(device) = split.first() {
            let others = match split.len() - 1 {
                0 => String::new(),
                others => format!(" (and {})", plural(others as u64, "other")),
            };
            tracing::warn!(
                "device `{}`{others} shows up in two partitions: its windows would be split. Produce with the device id as the record key",
                escaped(device)
            );
        }
        Ok(())
    }
}
