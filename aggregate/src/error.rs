//! What can go wrong here: settings that contradict each other, and snapshots that are not ours or not of these settings.
//!
//! Readings are never an error: a refused one is data.

use jiff::Timestamp;
use types::{Micros, Span};

use crate::grid::Grid;
use crate::settings::TIME_MAX;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("`aggregate.window` is {window}, below 1s")]
    WindowTooShort { window: Span },
    #[error("`aggregate.close_after` ({close_after}) is below `aggregate.out_of_orderness` ({out_of_orderness})")]
    CloseAfterTooShort { close_after: Span, out_of_orderness: Span },
    #[error(
        "`aggregate.device_ttl` ({device_ttl}) is below `window` + `close_after` + `out_of_orderness` + \
         `max_future_skew`, which is {least}"
    )]
    DeviceTtlTooShort { device_ttl: Span, least: Span },
    #[error(
        "`{}` is not a boundary of the windows (`aggregate.window` = {}, `aggregate.offset` = {})",
        time_text(*boundary), span_text(*window), span_text(*offset)
    )]
    BoundaryOffGrid { boundary: Micros, window: Micros, offset: Micros },
    #[error(
        "windows before `{}` cannot be left to a predecessor: {}", time_text(*boundary),
        begun_text(*not_before, *records)
    )]
    NotBeforeTooLate { boundary: Micros, not_before: Option<Micros>, records: u64 },
    #[error("a drain until `{}` has begun: it cannot become one until `{}`", time_text(*until), time_text(*boundary))]
    DrainsAlready { boundary: Micros, until: Micros },
    #[error(
        "a drain until `{}` comes too late: the least boundary that is possible now is `{}`", time_text(*boundary),
        time_text(*least)
    )]
    DrainTooEarly { boundary: Micros, least: Micros },
    #[error("not a snapshot of windows: {found}")]
    NotASnapshot { found: &'static str },
    #[error("the snapshot has format version {found}; this program reads versions up to {known}")]
    SnapshotVersion { found: u16, known: u16 },
    #[error("the snapshot was made with `aggregate.{setting}` = {snapshot}, the configuration says {configured}")]
    SnapshotSettings { setting: &'static str, snapshot: String, configured: String },
    #[error("the snapshot of windows is damaged at byte {at}: {what}")]
    SnapshotDamaged { at: usize, what: &'static str },
}

impl Error {
    /// What to do about it, for people.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Error::WindowTooShort { .. } => "set `aggregate.window` to `1s` or more".into(),
            Error::CloseAfterTooShort { out_of_orderness, .. } => {
                format!("set `aggregate.close_after` to `{out_of_orderness}` or more, or leave it out")
            }
            Error::DeviceTtlTooShort { least, .. } => {
                format!("set `aggregate.device_ttl` to `{least}` or more, or to `0` to keep devices for ever")
            }
            Error::BoundaryOffGrid { boundary, window, offset } => {
                let start = Grid::new(*window, *offset).start_of((*boundary).clamp(-TIME_MAX, TIME_MAX));
                format!("say `{}` or `{}`", time_text(start), time_text(start + window))
            }
            Error::NotBeforeTooLate { .. } => "start the successor as a new pipeline with its own state".into(),
            Error::DrainsAlready { until, .. } => format!("let the drain until `{}` end", time_text(*until)),
            Error::DrainTooEarly { least, .. } => {
                format!("say `{}` or later: readings before it were counted already", time_text(*least))
            }
            Error::SnapshotVersion { .. } => "run the version that wrote the state, or start with a new state".into(),
            Error::SnapshotSettings { setting, snapshot, .. } => {
                format!("set `aggregate.{setting}` back to {snapshot}, or start a new pipeline with its own state")
            }
            Error::NotASnapshot { .. } | Error::SnapshotDamaged { .. } => {
                "restore the state from a copy, or start with a new state".into()
            }
        })
    }
}

/// As in RFC 3339; times that it cannot say, in microseconds.
fn time_text(time: Micros) -> String {
    Timestamp::from_microsecond(time).map_or_else(|_| format!("{time} µs"), |time| time.to_string())
}

pub(crate) fn span_text(micros: Micros) -> String {
    match u64::try_from(micros) {
        Ok(micros) if micros % 1000 == 0 => format!("`{}`", Span::from_millis(micros / 1000)),
        _ => format!("{micros} µs"),
    }
}

fn begun_text(not_before: Option<Micros>, records: u64) -> String {
    match not_before {
        Some(not_before) => format!("those before `{}` are", time_text(not_before)),
        None => format!("{records} records were seen already"),
    }
}
