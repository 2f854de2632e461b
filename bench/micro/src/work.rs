//! The list of what is measured. The names are the keys of `bench/instructions.json`: a case that comes to mean something
//! else gets another name.

use std::fmt;

use crate::decoding::{Decoding, Input};
use crate::scoring::{Judged, Scoring};
use crate::sinking::Encoding;
use crate::snapshots::{Packing, Restoring, Writing};
use crate::{closing, folding, observing};

/// Something that can be done again and again, at the same cost each time.
pub trait Work {
    /// Brings back what a run uses up. Not measured.
    fn prepare(&mut self) {}

    fn run(&mut self);

    /// How many events, windows, rows or series one run is.
    fn units(&self) -> usize;
}

pub struct Case {
    pub name: &'static str,
    /// What `Work::units` counts.
    pub unit: &'static str,
    /// Small enough to have its instructions counted, which takes fifty times as long as running it.
    pub is_counted: bool,
    pub make: fn() -> Box<dyn Work>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.unit)
    }
}

const fn case(name: &'static str, unit: &'static str, make: fn() -> Box<dyn Work>) -> Case {
    Case { name, unit, is_counted: true, make }
}

const fn large(name: &'static str, unit: &'static str, make: fn() -> Box<dyn Work>) -> Case {
    Case { is_counted: false, ..case(name, unit, make) }
}

pub const CASES: &[Case] = &[
    case("decode/template", "events", || Box::new(Decoding::new(Input::Template))),
    case("decode/new-shapes", "events", || Box::new(Decoding::new(Input::NewShapes))),
    case("decode/some-new-shapes", "events", || Box::new(Decoding::new(Input::SomeNewShapes))),
    case("decode/csv", "events", || Box::new(Decoding::new(Input::Csv))),
    case("decode/wide-100", "events", || Box::new(Decoding::new(Input::WideListed))),
    case("decode/wide-100-unlisted", "events", || Box::new(Decoding::new(Input::WideUnlisted))),
    case("observe/10k-series", "events", || Box::new(observing::Observing::new(10_000))),
    large("observe/100k-series", "events", || Box::new(observing::Observing::new(100_000))),
    large("observe/1M-series", "events", || Box::new(observing::Observing::new(1_000_000))),
    case("fold/10k-series", "events", || Box::new(folding::Folding::new(10_000))),
    large("fold/100k-series", "events", || Box::new(folding::Folding::new(100_000))),
    case("close/own-clocks", "windows", || Box::new(closing::OwnClocks::new(10_000))),
    case("close/silence", "windows", || Box::new(closing::Silence::new(10_000))),
    case("close/shared-clock", "windows", || Box::new(closing::SharedClock::new(10_000))),
    case("score/1-model", "rows", || Box::new(Scoring::new(1, 60, Judged::Normal))),
    case("score/10k-models", "rows", || Box::new(Scoring::new(10_000, 60, Judged::Normal))),
    case("score/10k-models-all-anomalies", "rows", || Box::new(Scoring::new(10_000, 60, Judged::Anomalous))),
    case("score/20-vectors", "rows", || Box::new(Scoring::new(1000, 20, Judged::Normal))),
    case("score/100-vectors", "rows", || Box::new(Scoring::new(1000, 100, Judged::Normal))),
    case("score/500-vectors", "rows", || Box::new(Scoring::new(1000, 500, Judged::Normal))),
    case("encode/10k-rows", "rows", || Box::new(Encoding::new())),
    case("snapshot/write-10k", "series", || Box::new(Writing::new(10_000))),
    case("snapshot/pack-10k", "series", || Box::new(Packing::new(10_000))),
    case("snapshot/restore-10k", "series", || Box::new(Restoring::new(10_000))),
    large("snapshot/write-1M", "series", || Box::new(Writing::new(1_000_000))),
    large("snapshot/pack-1M", "series", || Box::new(Packing::new(1_000_000))),
    large("snapshot/restore-1M", "series", || Box::new(Restoring::new(1_000_000))),
];
