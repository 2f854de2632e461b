//! What a partition's state holds beyond its windows: rows of the side datasets that wait for company, and accounts of
//! what is in files.
//!
//! Layout: version byte, then `Layout` in postcard's format. Numbers and field order stay; a change is a new version.

use std::borrow::Cow;

use aggregate::{Boundaries, Settings, Windows};
use anyhow::{Context, bail};
use score::Trail;
use serde::{Deserialize, Serialize};
use sink::RunRows;
use types::{LateReadings, Micros, Quarantine};

use super::task::InFiles;

const VERSION: u8 = 3;
/// Without `trails`.
const VERSION_BEFORE: u8 = 2;

/// Borrowed for writing.
#[derive(Serialize)]
pub(super) struct Layout<'a> {
    pub(super) content: Option<&'a str>,
    pub(super) windows: &'a [u8],
    pub(super) late: &'a LateReadings,
    pub(super) quarantine: &'a Quarantine,
    pub(super) runs: &'a RunRows,
    pub(super) in_files: InFiles,
    pub(super) trails: &'a [Trail],
}

/// Owned after reading.
#[derive(Debug, Deserialize)]
pub(super) struct Restored {
    /// What the input consisted of, for inputs that can change under their name.
    pub(super) content: Option<String>,
    /// Snapshot of `aggregate::Windows`.
    pub(super) windows: Vec<u8>,
    pub(super) late: LateReadings,
    pub(super) quarantine: Quarantine,
    pub(super) runs: RunRows,
    pub(super) in_files: InFiles,
    /// What smoothing remembers, by the order of `Windows::series_in_state`.
    pub(super) trails: Vec<Trail>,
}

pub(super) fn encode(layout: &Layout<'_>) -> anyhow::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(layout.windows.len() + 1024);
    start.push(VERSION);
    postcard::to_extend(layout, start).context("encode the partition's state")
}

pub(super) fn decode(bytes: &[u8]) -> anyhow::Result<Restored> {
    let Some((version, rest)) = bytes.split_first() else { bail!("the partition's state is empty") };
    let rest = match *version {
        VERSION => Cow::Borrowed(rest),
        // What is new stands at the end, and an empty list is one byte 0.
        VERSION_BEFORE => Cow::Owned([rest, &[0]].concat()),
        _ => bail!("the partition's state has version {version}, this program reads version {VERSION}"),
    };
    postcard::from_bytes(&rest).context("read the partition's state")
}

/// Where a state begins that holds nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Fresh {
    /// Windows before it are taken for closed: they may be published already.
    pub(crate) floor: Option<Micros>,
    /// What a predecessor and a successor of the pipeline count.
    pub(crate) boundaries: Boundaries,
}

/// The state of a partition that begins anew, where there were windows before.
pub(crate) fn fresh(settings: Settings, fresh: Fresh) -> anyhow::Result<Vec<u8>> {
    let mut windows = fresh.floor.map_or_else(|| Windows::new(settings), |floor| Windows::with_floor(settings, floor));
    if let Some(boundary) = fresh.boundaries.not_before {
        windows.set_not_before(boundary).context("begin where the predecessor hands over")?;
    }
    if let Some(boundary) = fresh.boundaries.until {
        windows.drain_until(boundary).context("go on draining")?;
    }
    let mut snapshot = Vec::new();
    windows.snapshot(&mut snapshot);
    encode(&Layout {
        content: None,
        windows: &snapshot,
        late: &LateReadings::default(),
        quarantine: &Quarantine::default(),
        runs: &RunRows::default(),
        in_files: InFiles::default(),
        trails: &[],
    })
}

/// The windows in a partition's state, to be looked at.
pub(crate) fn windows(settings: Settings, state: &[u8]) -> anyhow::Result<Windows> {
    Windows::restore(settings, &decode(state)?.windows).context("restore the partition's windows")
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
        let in_files = InFiles { rows: 3, readings: 9, late: 1, quarantined: 2 };
        let runs = RunRows { rows: vec![sink::RunRow { seq: 4, ..sink::RunRow::default() }] };
        let bytes = encode(&Layout {
            content: Some("1 file"),
            windows: b"windows",
            late: &LateReadings::default(),
            quarantine: &quarantine,
            runs: &runs,
            in_files,
            trails: &[],
        })
        .unwrap();
        let restored = decode(&bytes).unwrap();
        assert_eq!(restored.windows, b"windows");
        assert_eq!(restored.quarantine, quarantine);
        assert_eq!((restored.runs, restored.in_files), (runs, in_files));
        for cut in 0..bytes.len() {
            assert!(decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn a_fresh_state_knows_where_windows_begin_and_what_is_left_to_others() {
        const MINUTE: Micros = 60_000_000;
        let config = aggregate::Config { window: types::Span::from_secs(60), ..aggregate::Config::default() };
        let settings = config.settings(false, false).unwrap();
        let boundaries = Boundaries { not_before: Some(2 * MINUTE), until: Some(9 * MINUTE) };
        let state = fresh(settings, Fresh { floor: Some(3 * MINUTE + 1), boundaries }).unwrap();
        let restored = windows(settings, &state).unwrap();
        assert_eq!(restored.floor(), Some(4 * MINUTE), "a window of which something may be published is closed");
        assert_eq!(restored.boundaries(), boundaries);
        assert_eq!((restored.open_windows(), restored.tally().records), (0, 0));

        let nothing = windows(settings, &fresh(settings, Fresh::default()).unwrap()).unwrap();
        assert_eq!((nothing.floor(), nothing.boundaries()), (None, Boundaries::default()));
        let off_grid = Boundaries { until: Some(1), ..Boundaries::default() };
        assert!(fresh(settings, Fresh { boundaries: off_grid, ..Fresh::default() }).is_err());
    }
}
