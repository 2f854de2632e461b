//! The rules' figures in plain microseconds, as [`Windows`](crate::Windows) uses them.

use types::Micros;

use crate::Clock;

/// Times beyond this distance from 1970 (36,000 years) are no times: readings are refused (`future`, `too_old`), broker times,
/// wall times and ticks count as not given. Within it no sum or difference of the rules can overflow.
pub(crate) const TIME_MAX: Micros = 1 << 60;

/// Longer spans (2,200 years) count as this one.
pub(crate) const SPAN_MAX: Micros = 1 << 56;

/// Figures of one pipeline. Made and checked by [`Config::settings`](crate::Config::settings); made by hand, figures out of range
/// are brought into it rather than refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    pub window: Micros,
    pub offset: Micros,
    pub clock: Clock,
    pub out_of_orderness: Micros,
    pub close_after: Micros,
    pub max_future_skew: Micros,
    pub max_past: Option<Micros>,
    /// None keeps devices for ever.
    pub device_ttl: Option<Micros>,
    pub series_max: u32,
    /// One bounded input without broker times: no clock runs before the end, unless `assume_sorted`.
    pub files: bool,
    pub assume_sorted: bool,
}

impl Settings {
    /// Within the range in which arithmetic cannot overflow; `offset` becomes its remainder, which means the same windows.
    pub(crate) fn in_range(self) -> Settings {
        let span = |x: Micros| x.clamp(0, SPAN_MAX);
        let window = self.window.clamp(1, SPAN_MAX);
        let out_of_orderness = span(self.out_of_orderness);
        Settings {
            window,
            offset: self.offset.rem_euclid(window),
            out_of_orderness,
            close_after: span(self.close_after).max(out_of_orderness),
            max_future_skew: span(self.max_future_skew),
            max_past: self.max_past.map(span),
            device_ttl: self.device_ttl.map(span),
            series_max: self.series_max.min(u32::MAX - 1),
            ..self
        }
    }

    pub(crate) fn shared(&self) -> bool {
        self.clock == Clock::Partition
    }

    /// Whether clocks close windows at all.
    pub(crate) fn running(&self) -> bool {
        !self.files || self.assume_sorted
    }
}
