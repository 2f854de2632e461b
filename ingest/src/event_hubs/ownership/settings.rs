//! How often a member looks, and how long a claim lasts; refused where the two contradict each other.

use std::time::Duration;

use crate::Error;
use crate::event_hubs::{Ownership, Strategy};

/// Understood from `[ingest.event_hubs.ownership]`.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    pub(super) strategy: Strategy,
    pub(super) renew_interval: Duration,
    pub(super) expiry: Duration,
}

impl Settings {
    /// # Errors
    /// If a claim would expire before it is renewed: every member would then claim everything again and again.
    pub fn new(config: &Ownership) -> Result<Self, Error> {
        let (renew_interval, expiry) = (config.renew_interval.duration(), config.expiry.duration());
        let refuse = |setting: &str, reason: &str| {
            let setting = format!("ingest.event_hubs.ownership.{setting}");
            Err(Error::Setting { setting, reason: reason.into() })
        };
        if renew_interval.is_zero() {
            return refuse("renew_interval", "must be longer than 0");
        }
        if expiry <= renew_interval {
            return refuse("expiry", "must be longer than `renew_interval`, or claims expire before they are renewed");
        }
        Ok(Settings { strategy: config.strategy, renew_interval, expiry })
    }
}

#[cfg(test)]
mod tests {
    use types::Span;

    use super::*;

    #[test]
    fn a_claim_must_last_until_it_is_renewed() {
        for (renew, expiry, refused) in
            [(10, 60, ""), (10, 11, ""), (10, 10, "expiry"), (60, 10, "expiry"), (0, 10, "renew_interval")]
        {
            let config = Ownership {
                renew_interval: Span::from_secs(renew),
                expiry: Span::from_secs(expiry),
                ..Ownership::default()
            };
            match Settings::new(&config) {
                Ok(_) => assert_eq!(refused, "", "{renew} {expiry}"),
                Err(Error::Setting { setting, .. }) => {
                    assert_eq!(setting, format!("ingest.event_hubs.ownership.{refused}"));
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}
