//! Records that the settings do not read, kept so that settings can be suggested which do.

use config::Config;
use ingest::{Given, RawRecord};

use super::record::Shown;
use crate::commands::init::{self, infer::Sample};

/// Records kept, and bytes of them.
const RECORDS_MAX: usize = 500;
const BYTES_MAX: usize = 8 << 20;

#[derive(Default)]
pub(super) struct Unread {
    samples: Vec<Sample>,
    bytes: usize,
    records: usize,
    refused: usize,
}

impl Unread {
    pub(super) fn note(&mut self, shown: &Shown, raw: RawRecord<'_>, given: Given<'_>) {
        let Some(payload) = raw.payload else { return };
        self.records += 1;
        self.refused += usize::from(shown.reject.is_some() && shown.events.is_empty());
        if self.samples.len() < RECORDS_MAX && self.bytes + payload.len() <= BYTES_MAX {
            self.bytes += payload.len();
            let (device, time) = (given.device.map(str::to_owned), given.time.map(str::to_owned));
            self.samples.push(Sample { payload: payload.to_vec(), key: raw.key.to_vec(), device, time });
        }
    }

    /// Where most is refused: what would read more of it, if that can be found out.
    pub(super) fn suggestion(&self, config: &Config) -> Option<String> {
        if self.refused * 2 <= self.records {
            return None;
        }
        init::suggestion(config, &self.samples)
    }
}
