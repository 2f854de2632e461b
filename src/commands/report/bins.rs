//! Time in steps that people count in, and numbers in steps of 1, 2 or 5: where bins begin, and what stands at an axis.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use types::Micros;

const SECOND: Micros = 1_000_000;
const MINUTE: Micros = 60 * SECOND;
const HOUR: Micros = 60 * MINUTE;
const DAY: Micros = 24 * HOUR;

const STEPS: [Micros; 24] = [
    1_000,
    10_000,
    100_000,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    28 * DAY,
];

/// Bins of equal width over a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Axis {
    pub(super) begin: Micros,
    pub(super) step: Micros,
    pub(super) count: usize,
}

impl Axis {
    /// Bins for `[first, end)`, at most so many, none narrower than a window and each of whole windows.
    pub(super) fn over(first: Micros, end: Micros, most: usize, window: Micros) -> Axis {
        let window = window.max(1);
        let most = i64::try_from(most).unwrap_or(i64::MAX).max(2);
        // One is lost where the span begins within a step.
        let least = window.max(end.saturating_sub(first) / (most - 1));
        let nice = STEPS.into_iter().find(|&step| step >= least);
        let nice = nice.unwrap_or_else(|| least.div_euclid(28 * DAY).saturating_add(1).saturating_mul(28 * DAY));
        let step = nice.div_euclid(window).saturating_add(i64::from(nice % window != 0)).saturating_mul(window);
        let begin = first.div_euclid(step).saturating_mul(step);
        let span = end.saturating_sub(begin).max(1);
        let count = usize::try_from((span - 1) / step + 1).unwrap_or(1).min(2 * most as usize);
        Axis { begin, step, count }
    }

    /// None for what lies outside.
    pub(super) fn index(&self, time: Micros) -> Option<usize> {
        let index = usize::try_from(time.checked_sub(self.begin)?.div_euclid(self.step)).ok()?;
        (index < self.count).then_some(index)
    }

    pub(super) fn time(&self, index: usize) -> Micros {
        self.begin.saturating_add(self.step.saturating_mul(i64::try_from(index).unwrap_or(i64::MAX)))
    }

    pub(super) fn end(&self) -> Micros {
        self.time(self.count)
    }

    /// Where a time is, from 0 to 1.
    pub(super) fn share(&self, time: Micros) -> f64 {
        let span = self.end().saturating_sub(self.begin).max(1) as f64;
        (time.saturating_sub(self.begin) as f64 / span).clamp(0.0, 1.0)
    }

    /// Round times for the axis, about so many.
    pub(super) fn ticks(&self, about: usize) -> Vec<Micros> {
        let span = self.end().saturating_sub(self.begin);
        let least = span / i64::try_from(about.max(1)).unwrap_or(1);
        let step = STEPS.into_iter().find(|&step| step >= least);
        let Some(step) = step.filter(|step| *step < 28 * DAY) else { return self.months(least) };
        let first = self.begin.div_euclid(step).saturating_add(i64::from(self.begin.rem_euclid(step) != 0));
        let ticks = (0..2 * about as i64).map(|n| first.saturating_add(n).saturating_mul(step));
        ticks.take_while(|&time| time <= self.end()).collect()
    }
}

impl Axis {
    /// The first days of months that are at least so far apart; of years, where those are many.
    fn months(&self, least: Micros) -> Vec<Micros> {
        let Ok(begin) = Timestamp::from_microsecond(self.begin) else { return Vec::new() };
        let apart = i16::try_from(least / (30 * DAY)).unwrap_or(i16::MAX);
        let step =
            [1, 2, 3, 6, 12, 24, 60, 120, 600, 1200, 6000].into_iter().find(|step| *step > apart).unwrap_or(6000);
        let date = TimeZone::UTC.to_datetime(begin).date();
        let months = |date: Date| date.year() as i32 * 12 + i32::from(date.month()) - 1;
        let first = months(date).div_euclid(i32::from(step)) * i32::from(step);
        let day = |month: i32| {
            let year = i16::try_from(month.div_euclid(12)).ok()?;
            let date = Date::new(year, i8::try_from(month.rem_euclid(12) + 1).ok()?, 1).ok()?;
            Some(TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?.as_microsecond())
        };
        let days = (0..100).map_while(|n| day(first + n * i32::from(step)));
        days.skip_while(|time| *time < self.begin).take_while(|time| *time <= self.end()).collect()
    }
}

/// Round numbers from `low` to `high`, about so many, with the places behind the point that they need.
pub(super) fn round_numbers(low: f64, high: f64, about: usize) -> (Vec<f64>, usize) {
    let span = high - low;
    if !span.is_finite() || span <= 0.0 {
        return (vec![low], 2);
    }
    let raw = span / about.max(1) as f64;
    let power = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|&step| step >= raw);
    let step = step.unwrap_or(10.0 * power);
    let places = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
    let first = (low / step).ceil();
    let numbers = (0..=2 * about).map(|n| (first + n as f64) * step);
    (numbers.take_while(|&number| number <= high + span * 1e-9).collect(), places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_hold_whole_windows_and_cover_the_span() {
        for (first, end, most, window, expected) in [
            // A day of windows of five minutes.
            (0, DAY, 96, 5 * MINUTE, Axis { begin: 0, step: 30 * MINUTE, count: 48 }),
            (10 * MINUTE, DAY, 320, 5 * MINUTE, Axis { begin: 10 * MINUTE, step: 5 * MINUTE, count: 286 }),
            // Seven minutes divide nothing.
            (0, 100 * MINUTE, 11, 7 * MINUTE, Axis { begin: 0, step: 14 * MINUTE, count: 8 }),
            (5, 6, 96, SECOND, Axis { begin: 0, step: SECOND, count: 1 }),
            (-HOUR, 0, 96, HOUR, Axis { begin: -HOUR, step: HOUR, count: 1 }),
            (0, 0, 96, 0, Axis { begin: 0, step: 1000, count: 1 }),
        ] {
            let axis = Axis::over(first, end, most, window);
            assert_eq!(axis, expected);
            assert_eq!(axis.index(first), Some(((first - axis.begin) / axis.step) as usize));
            assert!(axis.end() >= end && axis.index(axis.end()).is_none() && axis.index(axis.begin - 1).is_none());
        }
    }

    #[test]
    fn no_span_is_too_long() {
        for (first, end) in [(i64::MIN, i64::MAX), (0, i64::MAX), (i64::MIN, i64::MIN), (i64::MAX, i64::MAX)] {
            let axis = Axis::over(first, end, 96, MINUTE);
            assert!((1..=192).contains(&axis.count), "{axis:?}");
            assert!(axis.ticks(8).len() <= 16, "{axis:?}");
            assert!((0.0..=1.0).contains(&axis.share(end)));
        }
    }

    #[test]
    fn ticks_of_long_spans_are_months() {
        for (days, expected) in [
            (347, vec![0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]),
            (3650, vec![0, 730, 1461, 2191, 2922, 3652]),
        ] {
            let axis = Axis::over(DAY, days * DAY, 96, MINUTE);
            let ticks: Vec<i64> =
                axis.ticks(if days == 347 { 12 } else { 6 }).into_iter().map(|time| time / DAY).collect();
            assert_eq!(ticks, expected);
        }
    }

    #[test]
    fn ticks_are_round() {
        let axis = Axis::over(17 * MINUTE, DAY, 96, 5 * MINUTE);
        assert_eq!(axis.ticks(8), (1..=8).map(|n| n * 3 * HOUR).collect::<Vec<_>>());
        for (low, high, about, expected) in [
            (0.0, 10.0, 4, (vec![0.0, 5.0, 10.0], 0)),
            (-0.31, 0.52, 4, (vec![0.0, 0.5], 1)),
            (19.97, 20.04, 3, (vec![20.0], 2)),
            (3.0, 3.0, 3, (vec![3.0], 2)),
        ] {
            let (numbers, places) = round_numbers(low, high, about);
            assert_eq!(places, expected.1, "{low} {high}");
            assert_eq!(numbers.len(), expected.0.len(), "{numbers:?}");
            assert!(numbers.iter().zip(&expected.0).all(|(a, b)| (a - b).abs() < 1e-9), "{numbers:?}");
        }
    }
}
