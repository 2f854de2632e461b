//! Records in columns, as they come.

use super::{Columns, INDENT, LINES_MAX, Text, WIDTH, padded, series, time, value, window_name};
use crate::commands::output::escaped;
use crate::commands::preview::record::Shown;
use crate::terminal::words::{columns, fit, plural, wrap};

/// Readings of one record that are shown; a wide one may have hundreds.
const READINGS_MAX: usize = 8;

impl Text {
    /// The records that came together, in columns.
    pub(in crate::commands::preview) fn records(&mut self, batch: &[Shown]) -> Vec<String> {
        for shown in batch {
            self.make_room(shown);
        }
        let mut lines = Vec::new();
        if !self.has_head && !batch.is_empty() {
            self.has_head = true;
            let Columns { place, time, series, value } = self.columns;
            let series = self.series_width().min(series);
            lines.push(self.paint.strong(format!(
                "{:<place$}  {:<time$}  {:<series$}  {:>value$}  window",
                "place", "time", "device / sensor", "value"
            )));
        }
        for shown in batch {
            self.record(shown, &mut lines);
        }
        lines
    }

    fn make_room(&mut self, shown: &Shown) {
        let columns_ = &mut self.columns;
        columns_.place = columns_.place.max(columns(&shown.place()));
        for event in shown.events.iter().take(READINGS_MAX) {
            columns_.time = columns_.time.max(time(event.time_us).len());
            columns_.series = columns_.series.max(columns(&series(&event.device, Some(&event.sensor))));
            columns_.value = columns_.value.max(value(event.value).len());
        }
    }

    fn series_width(&self) -> usize {
        let Columns { place, time, value, .. } = self.columns;
        // Four gaps, and the longest name of a window within the date of its readings.
        WIDTH.saturating_sub(place + time + value + 8 + 8).max(12)
    }

    fn record(&self, shown: &Shown, lines: &mut Vec<String>) {
        let (place, paint) = (shown.place(), self.paint);
        let widths = &self.columns;
        let series_width = self.series_width().min(widths.series);
        for (number, event) in shown.events.iter().take(READINGS_MAX).enumerate() {
            let place = if number == 0 { place.as_str() } else { "" };
            let series = padded(&series(&event.device, Some(&event.sensor)), series_width);
            let Columns { place: place_width, time: time_width, value: value_width, .. } = widths;
            let window = window_name(event.window_start_us, self.width, event.time_us);
            lines.push(format!(
                "{place:<place_width$}  {:<time_width$}  {series}  {:>value_width$}  {}",
                time(event.time_us),
                value(event.value),
                paint.dim(window)
            ));
            if let Some(refused) = &event.refused {
                self.below(&format!("refused, {}: {}", refused.reason, refused.detail), lines);
            }
        }
        if shown.events.len() > READINGS_MAX {
            let more = plural((shown.events.len() - READINGS_MAX) as u64, "more reading");
            lines.push(format!("{:1$}… and {more}", "", widths.place + 2));
        }
        let place_width = widths.place;
        for (number, reject) in shown.rejects().iter().take(READINGS_MAX).enumerate() {
            let text = match reject.index {
                _ if shown.tombstone => format!("{}: {}", reject.reason, reject.detail),
                Some(index) => format!("refused, {}: reading {index}: {}", reject.reason, reject.detail),
                None => format!("refused, {}: {}", reject.reason, reject.detail),
            };
            let is_first = number == 0 && shown.events.is_empty();
            let room = WIDTH - place_width - 2;
            for (line, text) in wrap(&escaped(&text), room, LINES_MAX).iter().enumerate() {
                let place = if is_first && line == 0 { place.as_str() } else { "" };
                lines.push(format!("{place:<place_width$}  {}", paint.care(text)));
            }
        }
        if shown.reject.is_some()
            && let Some(payload) = &shown.payload
        {
            let start = String::from_utf8_lossy(&payload[..payload.len().min(4 * WIDTH)]);
            let start = fit(&escaped(&start), WIDTH - place_width - 2);
            lines.push(format!("{:place_width$}  {}", "", paint.dim(start)));
        }
    }

    fn below(&self, text: &str, lines: &mut Vec<String>) {
        let wrapped = wrap(&escaped(text), WIDTH - INDENT, LINES_MAX);
        lines.extend(wrapped.iter().map(|line| format!("{:INDENT$}{}", "", self.paint.care(line))));
    }
}
