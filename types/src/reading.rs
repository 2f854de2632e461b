//! One value of one sensor at one instant.

/// Microseconds since 1970-01-01T00:00:00Z. The only unit of time between stages.
pub type Micros = i64;

/// A decoded reading, borrowed from the record it came in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading<'a> {
    pub device: &'a str,
    pub sensor: &'a str,
    /// Event time: the reading's own.
    pub time: Micros,
    /// Always finite.
    pub value: f64,
}
