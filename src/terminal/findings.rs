//! Anomalies as both views list them: one line each, what matters most first where there is little room.

use ratatui::text::{Line, Span};
use types::Micros;

use super::words::{NONE, fit, harmless, measure, moment};
use super::{Column, Columns, Theme, Width, severity};

const SEVERITY_WIDTH: usize = 8;
const NAME_WIDTH_MAX: usize = 24;
const REASON_WIDTH_MAX: usize = 60;

/// An anomalous window.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Finding {
    pub(crate) device: String,
    /// None: of the whole device.
    pub(crate) sensor: Option<String>,
    pub(crate) window_start: Micros,
    /// Its window began on the day that everybody thinks of.
    pub(crate) is_today: bool,
    pub(crate) decision: Option<f64>,
    pub(crate) severity: Option<f64>,
    pub(crate) threshold: Option<f64>,
    pub(crate) top_feature: Option<Top>,
}

/// The feature that has most to do with it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Top {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) mean: f64,
}

const COLUMNS: [Column<Finding>; 6] = [
    Column { head: "window", width: Width::Text(11), rank: 2, cell: |f, theme| Span::styled(f.time(), theme.dim()) },
    Column {
        head: "device",
        width: Width::Text(NAME_WIDTH_MAX),
        rank: 0,
        cell: |f, theme| Span::styled(harmless(&f.device), theme.plain()),
    },
    Column {
        head: "sensor",
        width: Width::Text(NAME_WIDTH_MAX),
        rank: 3,
        cell: |f, theme| Span::styled(f.sensor.as_deref().map_or_else(|| "(device)".into(), harmless), theme.plain()),
    },
    Column { head: "severity", width: Width::Text(SEVERITY_WIDTH), rank: 1, cell: |f, theme| f.bar(theme) },
    Column { head: "", width: Width::Number, rank: 4, cell: |f, theme| Span::styled(f.figure(), theme.plain()) },
    Column {
        head: "top feature",
        width: Width::Text(REASON_WIDTH_MAX),
        rank: 5,
        cell: |f, theme| Span::styled(f.reason(), theme.dim()),
    },
];

impl Finding {
    /// As `explain --window` takes it, but for the day and the zone.
    fn time(&self) -> String {
        let moment = moment(self.window_start);
        match self.is_today {
            true => moment.chars().skip(11).collect(),
            false => moment.chars().skip(5).take(11).collect(),
        }
    }

    fn times_threshold(&self) -> Option<f64> {
        Some(self.severity? / self.threshold.filter(|threshold| *threshold > 0.0)?)
    }

    fn bar(&self, theme: Theme) -> Span<'static> {
        self.times_threshold()
            .map_or_else(|| Span::styled("▌", theme.care()), |times| severity(times, SEVERITY_WIDTH, theme))
    }

    /// How many times its threshold, or what it was judged by instead.
    fn figure(&self) -> String {
        let by_decision = || self.severity.or(self.decision).map_or(NONE.into(), measure);
        self.times_threshold().map_or_else(by_decision, |times| format!("{}×", measure(times)))
    }

    fn reason(&self) -> String {
        let Some(top) = &self.top_feature else { return String::new() };
        format!("{} {}, usually {}", harmless(&top.name), measure(top.value), measure(top.mean))
    }
}

/// As many lines as there are findings, below a head if one is wanted.
pub(crate) fn findings(list: &[Finding], with_head: bool, width: usize, theme: Theme) -> Vec<Line<'static>> {
    if list.is_empty() {
        return vec![Line::styled(fit("none so far", width), theme.dim())];
    }
    let columns = Columns::fit(&COLUMNS, list, width, theme);
    let head = with_head.then(|| columns.head(None, theme));
    head.into_iter().chain(list.iter().map(|finding| columns.line(finding, theme))).collect()
}

#[cfg(test)]
fn example(device: &str, times: f64) -> Finding {
    Finding {
        device: device.into(),
        sensor: Some("temperature".into()),
        window_start: 1_769_925_600_000_000,
        is_today: true,
        decision: Some(-0.31),
        severity: Some(1.5 * times),
        threshold: Some(1.5),
        top_feature: Some(Top { name: "std_pop".into(), value: 4.2, mean: 0.31 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(list: &[Finding], width: usize) -> String {
        let lines = findings(list, true, width, Theme::with_colours(false));
        lines.iter().map(|line| line.to_string().trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_finding_says_what_there_is_room_for() {
        let of_device = Finding {
            sensor: None,
            severity: None,
            threshold: None,
            top_feature: None,
            is_today: false,
            ..example("d", 0.0)
        };
        let list = [example("pump-7", 1.25), example("pump-12\u{1b}[2J", 9.0), of_device];
        assert_eq!(
            drawn(&list, 100),
            "\
window       device       sensor       severity         top feature
06:00:00     pump-7       temperature  ▌         1.25×  std_pop 4.20, usually 0.31
06:00:00     pump-12�[2J  temperature  ███▉      9.00×  std_pop 4.20, usually 0.31
02-01 06:00  d            (device)     ▌         -0.31"
        );
        assert_eq!(
            drawn(&list, 34),
            "\
window       device       severity
06:00:00     pump-7       ▌
06:00:00     pump-12�[2J  ███▉
02-01 06:00  d            ▌"
        );
        assert_eq!(drawn(&list, 7), "device\npump-7\npump-1…\nd");
        assert_eq!(drawn(&[], 5), "none…");
    }
}
