//! Windows -> the bytes of their state -> windows: what a commit writes, and what a start reads.

use std::hint::black_box;

use aggregate::{Clock, Settings, TakeLimit, Windows};
use sink::record::Packed;
use types::Span;

use crate::Work;
use crate::fleet::{Round, SECOND, START, observe, settings};

const WINDOW_SECONDS: u64 = 3600;
/// Readings of the window that is open; the one before it has closed.
const OPEN_READINGS: i64 = 3;

fn rules() -> Settings {
    settings(Span::from_secs(WINDOW_SECONDS), Clock::Device)
}

fn windows(series: usize) -> Windows {
    let (mut windows, mut refused) = (Windows::new(rules()), Vec::new());
    let round = Round::new(series);
    observe(&mut windows, round.readings(START), &mut refused);
    for n in 0..OPEN_READINGS {
        let time = START + (WINDOW_SECONDS as i64 + 60 * (n + 1)) * SECOND;
        observe(&mut windows, round.readings(time), &mut refused);
    }
    let rows = windows.take_closed(TakeLimit::ALL);
    assert_eq!((rows.len(), windows.open_windows(), refused.len()), (series, series, 0));
    windows.recycle(rows);
    windows
}

fn snapshot(windows: &Windows) -> Vec<u8> {
    let mut bytes = Vec::new();
    windows.snapshot(&mut bytes);
    bytes
}

pub(crate) struct Writing {
    windows: Windows,
    bytes: Vec<u8>,
}

impl Writing {
    pub(crate) fn new(series: usize) -> Writing {
        let windows = windows(series);
        Writing { bytes: snapshot(&windows), windows }
    }
}

impl Work for Writing {
    fn run(&mut self) {
        self.bytes.clear();
        black_box(self.windows.snapshot(&mut self.bytes));
    }

    fn units(&self) -> usize {
        self.windows.series()
    }
}

/// Compression, the other part of what a commit does with the state.
pub(crate) struct Packing {
    bytes: Vec<u8>,
    series: usize,
}

impl Packing {
    pub(crate) fn new(series: usize) -> Packing {
        Packing { bytes: snapshot(&windows(series)), series }
    }
}

impl Work for Packing {
    fn run(&mut self) {
        black_box(Packed::new(&self.bytes));
    }

    fn units(&self) -> usize {
        self.series
    }
}

pub(crate) struct Restoring {
    bytes: Vec<u8>,
    series: usize,
}

impl Restoring {
    pub(crate) fn new(series: usize) -> Restoring {
        Restoring { bytes: snapshot(&windows(series)), series }
    }
}

impl Work for Restoring {
    fn run(&mut self) {
        let restored = Windows::restore(rules(), &self.bytes).expect("the bytes are ours");
        assert_eq!(black_box(restored).series(), self.series);
    }

    fn units(&self) -> usize {
        self.series
    }
}
