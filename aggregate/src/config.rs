//! `[aggregate]`: windows and the rules of time.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use types::Span;

use crate::{Error, Settings};

/// Windows and the rules of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Width of a window, from 1 s up. Windows are aligned to 1970-01-01T00:00:00Z plus `offset`.
    pub window: Span,
    /// Shifts all windows: `offset = "5m"` with hourly windows gives 00:05 to 01:05.
    pub offset: Span,
    /// Whose clock closes windows: `device` (each device's own) or `partition` (one for all devices of a partition).
    pub clock: Clock,
    /// How far behind the newest reading another one may come and still count.
    pub out_of_orderness: Span,
    /// How long a device may be silent before its windows close. Default: the larger of 2 x `out_of_orderness` and the smaller
    /// of `window` and 15 min.
    pub close_after: Option<Span>,
    /// Readings further ahead of the arrival clock go to quarantine as `future`.
    pub max_future_skew: Span,
    /// Readings further behind the arrival clock go to quarantine as `too_old`. Left out: any age is accepted, so that backfills work.
    pub max_past: Option<Span>,
    /// A device without open windows that was not named for this long is forgotten. `0` keeps devices for ever.
    /// At least `window` + `close_after` + `out_of_orderness` + `max_future_skew`.
    pub device_ttl: Span,
    /// Most series that a partition holds; readings of further, unknown series go to quarantine as `series_limit`. So do those for
    /// whose names there is no room: they may take 128 bytes a series, device and sensor together, on average.
    pub series_max: u32,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    #[default]
    Device,
    Partition,
}

impl Clock {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Clock::Device => "device",
            Clock::Partition => "partition",
        }
    }
}

impl Config {
    /// The longest that `close_after` is by default, unless `out_of_orderness` asks for more.
    const CLOSE_AFTER_DEFAULT_MAX: Span = Span::from_secs(15 * 60);

    /// The figures as the windows use them. `files`: the input is one bounded set of files; `assume_sorted`: they are in order of
    /// time, so that clocks may close windows before the end.
    ///
    /// # Errors
    /// Names the settings that disagree, and the figure needed.
    pub fn settings(&self, files: bool, assume_sorted: bool) -> Result<Settings, Error> {
        let close_after = self.close_after();
        if self.window < Span::from_secs(1) {
            return Err(Error::WindowTooShort { window: self.window });
        }
        if close_after < self.out_of_orderness {
            return Err(Error::CloseAfterTooShort { close_after, out_of_orderness: self.out_of_orderness });
        }
        let least = self.window.duration()
            + close_after.duration()
            + self.out_of_orderness.duration()
            + self.max_future_skew.duration();
        let keeps_for_ever = self.device_ttl == Span::default();
        if !keeps_for_ever && self.device_ttl.duration() < least {
            return Err(Error::DeviceTtlTooShort { device_ttl: self.device_ttl, least: span_of(least) });
        }
        Ok(Settings {
            window: self.window.micros(),
            offset: self.offset.micros(),
            clock: self.clock,
            out_of_orderness: self.out_of_orderness.micros(),
            close_after: close_after.micros(),
            max_future_skew: self.max_future_skew.micros(),
            max_past: self.max_past.map(Span::micros),
            device_ttl: (!keeps_for_ever).then(|| self.device_ttl.micros()),
            series_max: self.series_max,
            files,
            assume_sorted,
        })
    }

    fn close_after(&self) -> Span {
        self.close_after.unwrap_or_else(|| {
            let twice = span_of(self.out_of_orderness.duration() * 2);
            twice.max(self.window.min(Self::CLOSE_AFTER_DEFAULT_MAX))
        })
    }
}

/// Sums of configured spans, each below a century.
fn span_of(duration: Duration) -> Span {
    Span::from_millis(u64::try_from(duration.as_micros().div_ceil(1000)).unwrap_or(u64::MAX))
}

impl Default for Config {
    fn default() -> Self {
        Config {
            window: Span::from_secs(3600),
            offset: Span::default(),
            clock: Clock::Device,
            out_of_orderness: Span::from_secs(30),
            close_after: None,
            max_future_skew: Span::from_secs(300),
            max_past: None,
            device_ttl: Span::from_secs(7 * 86_400),
            series_max: 1_000_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: u64) -> Span {
        Span::from_secs(seconds)
    }

    #[test]
    fn silence_defaults_to_the_window_but_at_most_a_quarter_of_an_hour() {
        for (window, out_of_orderness, close_after) in [(60, 10, 60), (3600, 30, 900), (10, 30, 60), (3600, 1000, 2000)]
        {
            let config = Config { window: secs(window), out_of_orderness: secs(out_of_orderness), ..Config::default() };
            let settings = config.settings(false, false).expect("consistent");
            assert_eq!(settings.close_after, secs(close_after).micros(), "window {window} s");
        }
    }

    #[test]
    fn contradictions_name_both_settings_and_the_figure_needed() {
        let short = Config { window: Span::from_millis(999), ..Config::default() };
        let eager = Config { close_after: Some(secs(29)), ..Config::default() };
        let forgetful = Config { device_ttl: secs(3600), ..Config::default() };
        let messages = [short, eager, forgetful].map(|config| {
            let error = config.settings(false, false).expect_err("contradiction");
            format!("{error}; {}", error.hint().expect("a remedy"))
        });
        assert_eq!(messages[0], "`aggregate.window` is 999ms, below 1s; set `aggregate.window` to `1s` or more");
        assert_eq!(
            messages[1],
            "`aggregate.close_after` (29s) is below `aggregate.out_of_orderness` (30s); \
             set `aggregate.close_after` to `30s` or more, or leave it out"
        );
        assert_eq!(
            messages[2],
            "`aggregate.device_ttl` (1h) is below `window` + `close_after` + `out_of_orderness` + `max_future_skew`, \
             which is 1h 20m 30s; set `aggregate.device_ttl` to `1h 20m 30s` or more, or to `0` to keep devices for ever"
        );
    }

    #[test]
    fn a_ttl_of_zero_keeps_devices_and_the_least_ttl_is_allowed() {
        let mut config = Config { device_ttl: Span::default(), ..Config::default() };
        assert_eq!(config.settings(false, false).expect("for ever").device_ttl, None);
        config.device_ttl = secs(3600 + 900 + 30 + 300);
        assert_eq!(config.settings(false, false).expect("least").device_ttl, Some(config.device_ttl.micros()));
    }
}
