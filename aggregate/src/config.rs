//! `[aggregate]`: windows and the rules of time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use types::Span;

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
    /// Most series that a partition holds; readings of further, unknown series go to quarantine as `series_limit`.
    pub series_max: u32,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    #[default]
    Device,
    Partition,
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
