//! The figures for people and for scripts, beside those of a detector that always alarms and of one that never does.

use serde_json::{Value, json};
use types::{Micros, Span};

use super::measure::{Figures, Track, constant};
use crate::commands::output::{Output, grouped};

/// The figures of the predictions, and what they must be better than.
pub(super) struct Beside {
    pub(super) own: Figures,
    always: Figures,
    never: Figures,
}

impl Beside {
    pub(super) fn of(tracks: &[Track]) -> Beside {
        Beside {
            own: Figures::of(tracks),
            always: Figures::of(&constant(tracks, true)),
            never: Figures::of(&constant(tracks, false)),
        }
    }

    /// Names of figures, and each one's texts in three columns.
    pub(super) fn table(&self) -> Vec<(&'static str, [String; 3])> {
        let all = [&self.own, &self.always, &self.never];
        let row = |show: &dyn Fn(&Figures) -> String| all.map(show);
        vec![
            ("precision", row(&|f| share(f.counts.precision()))),
            ("recall", row(&|f| share(f.counts.recall()))),
            ("F1", row(&|f| share(f.counts.f1()))),
            ("false alarm rate", row(&|f| share(f.counts.far()))),
            ("missed alarm rate", row(&|f| share(f.counts.mar()))),
            ("AUC", row(&|f| share(f.auc))),
            ("average precision", row(&|f| share(f.average_precision))),
            ("labelled windows hit", row(&|f| format!("{} of {}", grouped(f.windows_hit), grouped(f.windows)))),
            ("median delay", row(&|f| span(f.delay_median))),
            ("90 % delay", row(&|f| span(f.delay_p90))),
            ("false alarm episodes", row(&|f| grouped(f.episodes))),
            ("episodes a day", row(&|f| f.episodes_a_day().map_or("-".into(), |n| format!("{n:.3}")))),
            ("coverage", row(&|f| share(f.coverage()))),
            ("true, false alarms", row(&|f| pair(f.counts.true_positives, f.counts.false_positives))),
            ("missed, true normal", row(&|f| pair(f.counts.false_negatives, f.counts.true_negatives))),
        ]
    }

    pub(super) fn text(&self, out: &mut Output) {
        let names = ["", "predictions", "always alarm", "never alarm"].map(str::to_owned);
        let rows = self.table().into_iter().map(|(name, [own, always, never])| [name.to_owned(), own, always, never]);
        let rows: Vec<[String; 4]> = std::iter::once(names).chain(rows).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 4] = std::array::from_fn(width);
        for [name, own, always, never] in &rows {
            let [w0, w1, w2, w3] = widths;
            out.line(format_args!("  {name:<w0$}  {own:>w1$}  {always:>w2$}  {never:>w3$}"));
        }
    }

    pub(super) fn json(&self) -> Value {
        json!({ "predictions": figures(&self.own), "always_alarm": figures(&self.always), "never_alarm": figures(&self.never) })
    }
}

/// A line for each track.
pub(super) fn each(out: &mut Output, tracks: &[Track]) {
    out.line("");
    for track in tracks {
        let f = Figures::of(std::slice::from_ref(track));
        let hit = format!("{} of {}", f.windows_hit, f.windows);
        let (f1, far, mar) = (share(f.counts.f1()), share(f.counts.far()), share(f.counts.mar()));
        let name: String = track.name.chars().flat_map(char::escape_default).collect();
        let going_on = out.line(format_args!(
            "  {name}: F1 {f1}, false alarms {far}, missed {mar}, windows {hit}, delay {}, episodes {}",
            span(f.delay_median),
            f.episodes
        ));
        if !going_on {
            return;
        }
    }
}

pub(super) fn each_json(tracks: &[Track]) -> Value {
    let one = |track: &Track| {
        let mut shown = figures(&Figures::of(std::slice::from_ref(track)));
        shown["name"] = track.name.clone().into();
        shown
    };
    tracks.iter().map(one).collect()
}

fn figures(f: &Figures) -> Value {
    let c = f.counts;
    let seconds = |micros: Option<Micros>| micros.map(|micros| micros as f64 / 1e6);
    json!({
        "precision": c.precision(), "recall": c.recall(), "f1": c.f1(), "far": c.far(), "mar": c.mar(),
        "auc": f.auc, "average_precision": f.average_precision,
        "windows": f.windows, "windows_hit": f.windows_hit,
        "delay_median_seconds": seconds(f.delay_median), "delay_p90_seconds": seconds(f.delay_p90),
        "episodes": f.episodes, "episodes_a_day": f.episodes_a_day(), "days": f.days(), "coverage": f.coverage(),
        "true_positives": c.true_positives, "false_positives": c.false_positives,
        "false_negatives": c.false_negatives, "true_negatives": c.true_negatives,
    })
}

fn share(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{share:.4}"))
}

fn pair(a: u64, b: u64) -> String {
    format!("{}, {}", grouped(a), grouped(b))
}

/// To three digits or so: tenths of short seconds, whole seconds of minutes and more.
pub(super) fn span(micros: Option<Micros>) -> String {
    const MINUTE: u64 = 60_000_000;
    let Some(micros) = micros.map(Micros::unsigned_abs) else { return "-".to_owned() };
    match micros {
        0..1_000_000 => Span::from_millis((micros + 500) / 1000).to_string(),
        1_000_000..MINUTE => format!("{:.1}s", micros as f64 / 1e6),
        _ => Span::from_secs((micros + 500_000) / 1_000_000).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_as_exact_as_anybody_reads() {
        const SECOND: Micros = 1_000_000;
        for (micros, expected) in [
            (None, "-"),
            (Some(0), "0s"),
            (Some(12_600), "13ms"),
            (Some(39_800_000), "39.8s"),
            (Some(300 * SECOND), "5m"),
            (Some(12_060 * SECOND + 600_000), "3h 21m 1s"),
        ] {
            assert_eq!(span(micros), expected);
        }
    }
}
