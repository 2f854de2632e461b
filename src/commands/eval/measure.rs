//! Verdicts against labels, as figures. Pure: what was judged goes in, numbers come out.
//!
//! What is not defined is none and not 0: the precision of a detector that never alarms, the area under the curve where
//! only one class is there.

use types::Micros;

pub(super) const DAY: Micros = 86_400_000_000;

/// A labelled row or a window, with its label and its verdict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Judged {
    /// `[start, end)`; a row is one microsecond long.
    pub(super) start: Micros,
    pub(super) end: Micros,
    /// When the verdict was there.
    pub(super) known: Micros,
    pub(super) is_positive: bool,
    pub(super) alarm: bool,
    /// Higher is more anomalous; none for what was not scored, which is no alarm.
    pub(super) score: Option<f64>,
}

/// What follows each other in time: one device, or one series of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Track {
    pub(super) name: String,
    /// In order of time.
    pub(super) judged: Vec<Judged>,
    /// Labelled as anomalous, both ends included.
    pub(super) intervals: Vec<(Micros, Micros)>,
    /// How much time was evaluated.
    pub(super) span: Micros,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) true_positives: u64,
    pub(super) false_positives: u64,
    pub(super) false_negatives: u64,
    pub(super) true_negatives: u64,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Figures {
    pub(super) counts: Counts,
    pub(super) auc: Option<f64>,
    pub(super) average_precision: Option<f64>,
    pub(super) windows: u64,
    pub(super) windows_hit: u64,
    /// Of the windows that were hit.
    pub(super) delay_median: Option<Micros>,
    pub(super) delay_p90: Option<Micros>,
    /// Times that an alarm began outside all labelled windows.
    pub(super) episodes: u64,
    pub(super) span: Micros,
    pub(super) scored: u64,
}

// === impl Counts ===

impl Counts {
    fn of(judged: impl Iterator<Item = Judged>) -> Counts {
        let mut counts = Counts::default();
        for Judged { is_positive, alarm, .. } in judged {
            *match (is_positive, alarm) {
                (true, true) => &mut counts.true_positives,
                (false, true) => &mut counts.false_positives,
                (true, false) => &mut counts.false_negatives,
                (false, false) => &mut counts.true_negatives,
            } += 1;
        }
        counts
    }

    pub(super) fn positives(self) -> u64 {
        self.true_positives + self.false_negatives
    }

    pub(super) fn total(self) -> u64 {
        self.positives() + self.false_positives + self.true_negatives
    }

    pub(super) fn precision(self) -> Option<f64> {
        ratio(self.true_positives, self.true_positives + self.false_positives)
    }

    pub(super) fn recall(self) -> Option<f64> {
        ratio(self.true_positives, self.positives())
    }

    pub(super) fn f1(self) -> Option<f64> {
        let wrong = self.false_positives + self.false_negatives;
        ratio(2 * self.true_positives, 2 * self.true_positives + wrong)
    }

    /// False alarm rate.
    pub(super) fn far(self) -> Option<f64> {
        ratio(self.false_positives, self.false_positives + self.true_negatives)
    }

    /// Missed alarm rate.
    pub(super) fn mar(self) -> Option<f64> {
        ratio(self.false_negatives, self.positives())
    }
}

// === impl Figures ===

impl Figures {
    /// Of all tracks together: counts are pooled.
    pub(super) fn of(tracks: &[Track]) -> Figures {
        let all = || tracks.iter().flat_map(|track| track.judged.iter().copied());
        let ranked = Ranked::of(tracks);
        let mut delays: Vec<Micros> = tracks.iter().flat_map(delays).collect();
        delays.sort_unstable();
        Figures {
            counts: Counts::of(all()),
            auc: ranked.auc(),
            average_precision: ranked.average_precision(),
            windows: tracks.iter().map(|track| track.intervals.len() as u64).sum(),
            windows_hit: delays.len() as u64,
            delay_median: quantile(&delays, 0.5),
            delay_p90: quantile(&delays, 0.9),
            episodes: tracks.iter().map(episodes).sum(),
            span: tracks.iter().map(|track| track.span).sum(),
            scored: all().filter(|judged| judged.score.is_some()).count() as u64,
        }
    }

    pub(super) fn days(&self) -> f64 {
        self.span as f64 / DAY as f64
    }

    pub(super) fn episodes_a_day(&self) -> Option<f64> {
        (self.span > 0).then(|| self.episodes as f64 / self.days())
    }

    /// Share of what is labelled that has a score.
    pub(super) fn coverage(&self) -> Option<f64> {
        ratio(self.scored, self.counts.total())
    }
}

/// The tracks as a detector without any sense would have judged them.
pub(super) fn constant(tracks: &[Track], alarm: bool) -> Vec<Track> {
    let blind = |judged: &Judged| Judged { alarm, score: Some(f64::from(u8::from(alarm))), ..*judged };
    tracks.iter().map(|track| Track { judged: track.judged.iter().map(blind).collect(), ..track.clone() }).collect()
}

/// For each labelled window that was hit: from its start to the first true alarm.
fn delays(track: &Track) -> impl Iterator<Item = Micros> + '_ {
    track.intervals.iter().filter_map(|&(from, to)| {
        let begin = track.judged.partition_point(|judged| judged.end <= from);
        let inside = track.judged[begin..].iter().take_while(|judged| judged.start <= to);
        let first = inside.into_iter().find(|judged| judged.alarm)?;
        Some((first.known - from).max(0))
    })
}

fn episodes(track: &Track) -> u64 {
    let mut before = false;
    let mut count = 0;
    for judged in &track.judged {
        count += u64::from(judged.alarm && !before && !judged.is_positive);
        before = judged.alarm;
    }
    count
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Between the two nearest, in proportion, as numpy does by default.
fn quantile(sorted: &[Micros], share: f64) -> Option<Micros> {
    let place = share * (sorted.len().checked_sub(1)? as f64);
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(low + ((high - low) as f64 * place.fract()).round() as Micros)
}

/// What has a score, from the most anomalous on.
pub(super) struct Ranked {
    scores: Vec<(f64, bool)>,
    positives: u64,
}

/// A point of the precision-recall curve: alarms are scores of `score` and above.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) score: f64,
    pub(super) precision: f64,
    pub(super) recall: f64,
}

// === impl Ranked ===

impl Ranked {
    pub(super) fn of(tracks: &[Track]) -> Ranked {
        let all = tracks.iter().flat_map(|track| &track.judged);
        let mut scores: Vec<(f64, bool)> = all.filter_map(|judged| Some((judged.score?, judged.is_positive))).collect();
        scores.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let positives = scores.iter().filter(|(_, is_positive)| *is_positive).count() as u64;
        Ranked { scores, positives }
    }

    /// Equal scores together, with true and false positives up to there.
    fn steps(&self) -> impl Iterator<Item = (f64, u64, u64)> + '_ {
        let (mut right, mut wrong) = (0, 0);
        // By number: -0 and 0 are one score.
        self.scores.chunk_by(|a, b| a.0 == b.0).map(move |equal| {
            let positives = equal.iter().filter(|(_, is_positive)| *is_positive).count() as u64;
            right += positives;
            wrong += equal.len() as u64 - positives;
            (equal[0].0, right, wrong)
        })
    }

    /// Area under the receiver's operating characteristic: how likely an anomalous one has the higher score.
    fn auc(&self) -> Option<f64> {
        let negatives = self.scores.len() as u64 - self.positives;
        if self.positives == 0 || negatives == 0 {
            return None;
        }
        // Twice the area, in whole pairs: exact.
        let (mut doubled, mut right_before, mut wrong_before) = (0_u128, 0, 0);
        for (_, right, wrong) in self.steps() {
            doubled += u128::from(wrong - wrong_before) * u128::from(right + right_before);
            (right_before, wrong_before) = (right, wrong);
        }
        Some(doubled as f64 / (2.0 * self.positives as f64 * negatives as f64))
    }

    pub(super) fn curve(&self) -> Vec<Point> {
        if self.positives == 0 {
            return Vec::new();
        }
        let point = |(score, right, wrong): (f64, u64, u64)| Point {
            score,
            precision: right as f64 / (right + wrong) as f64,
            recall: right as f64 / self.positives as f64,
        };
        self.steps().map(point).collect()
    }

    /// Mean of the precisions, weighted by what each adds in recall.
    fn average_precision(&self) -> Option<f64> {
        let curve = self.curve();
        let mut before = 0.0;
        let mut sum = 0.0;
        for point in &curve {
            sum += (point.recall - before) * point.precision;
            before = point.recall;
        }
        (!curve.is_empty()).then_some(sum)
    }
}

#[cfg(test)]
mod tests;
