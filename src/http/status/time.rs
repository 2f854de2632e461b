//! Times as the API tells them.

use serde::{Serialize, Serializer};
use types::Micros;

use crate::wall;

/// In RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time(pub(super) Micros);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&wall::text(self.0))
    }
}

/// Seconds from then to now, and not less than 0.
pub(super) fn seconds_since(then: Micros, now: Micros) -> f64 {
    now.saturating_sub(then).max(0) as f64 / 1e6
}
