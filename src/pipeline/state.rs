//! What a partition's state holds beyond its windows: rows of the side datasets that wait for company.
//!
//! Layout: version byte, then `Layout` in postcard's format. Numbers and field order stay; a change is a new version.

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use types::{LateReadings, Quarantine};

const VERSION: u8 = 1;

/// Borrowed for writing, owned after reading.
#[derive(Serialize)]
struct Layout<'a> {
    content: Option<&'a str>,
    windows: &'a [u8],
    late: &'a LateReadings,
    quarantine: &'a Quarantine,
}

#[derive(Debug, Deserialize)]
pub(super) struct Restored {
    /// What the input consisted of, for inputs that can change under their name.
    pub(super) content: Option<String>,
    /// Snapshot of `aggregate::Windows`.
    pub(super) windows: Vec<u8>,
    pub(super) late: LateReadings,
    pub(super) quarantine: Quarantine,
}

pub(super) fn encode(
    content: Option<&str>,
    windows: &[u8],
    late: &LateReadings,
    quarantine: &Quarantine,
) -> anyhow::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(windows.len() + 1024);
    start.push(VERSION);
    postcard::to_extend(&Layout { content, windows, late, quarantine }, start).context("encode the partition's state")
}

pub(super) fn decode(bytes: &[u8]) -> anyhow::Result<Restored> {
    let Some((version, rest)) = bytes.split_first() else { bail!("the partition's state is empty") };
    if *version != VERSION {
        bail!("the partition's state has version {version}, this program reads version {VERSION}");
    }
    postcard::from_bytes(rest).context("read the partition's state")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut quarantine = Quarantine::default();
        quarantine.add(types::Refusal {
            reason: types::Reason::BadTime,
            position: 7,
            index: Some(1),
            broker_time: Some(5),
            detail: "`ts` is missing",
            payload: b"{}",
        });
        let bytes = encode(Some("1 file"), b"windows", &LateReadings::default(), &quarantine).unwrap();
        let restored = decode(&bytes).unwrap();
        assert_eq!(restored.windows, b"windows");
        assert_eq!(restored.quarantine, quarantine);
        for cut in 0..bytes.len() {
            assert!(decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }
}
