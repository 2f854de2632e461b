//! Batches of records -> open windows: decoding and observing together, as the pipeline's tasks fold.

use aggregate::{Arrival, Clock, Refused, Windows};
use ingest::decode::{Config, Decoded, Decoder};
use ingest::{RawRecord, Records};
use types::{Micros, Span};

use crate::Work;
use crate::fleet::{Round, SECOND, START, settings};

/// The part of a task that folds.
pub struct Folder {
    decoder: Decoder,
    pub windows: Windows,
    refused: Vec<Refused>,
}

impl Folder {
    #[must_use]
    pub fn new(decode: &Config, windows: Windows) -> Folder {
        let decoder = Decoder::new(decode).expect("the settings do not contradict each other");
        Folder { decoder, windows, refused: Vec::new() }
    }

    /// How many readings became part of a window.
    pub fn fold(&mut self, records: &Records, wall: Micros) -> usize {
        self.decoder.begin(records);
        records.iter().map(|raw| self.fold_record(raw, wall)).sum()
    }

    #[inline]
    fn fold_record(&mut self, raw: RawRecord<'_>, wall: Micros) -> usize {
        let arrival = Arrival { position: raw.position, broker_time: raw.broker_time, wall: Some(wall) };
        let Some(payload) = raw.payload else {
            self.windows.tombstone(arrival);
            return 0;
        };
        let readings = match self.decoder.decode(payload) {
            Decoded::One(reading) => {
                self.windows.observe(arrival, std::iter::once(reading), &mut self.refused);
                1
            }
            Decoded::Many(many) => {
                let readings = many.iter().map(|(_, reading)| reading);
                self.windows.observe(arrival, readings, &mut self.refused);
                self.windows.refuse_readings(many.rejects().len() as u64);
                many.len()
            }
            Decoded::Reject(_) => {
                self.windows.undecodable(arrival);
                0
            }
        };
        let refused = self.refused.len();
        self.refused.clear();
        readings - refused
    }
}

/// Folds one record of each series.
pub(crate) struct Folding {
    folder: Folder,
    round: Round,
    records: Records,
    now: Micros,
}

impl Folding {
    pub(crate) fn new(series: usize) -> Folding {
        let windows = Windows::new(settings(Span::from_secs(3600), Clock::Device));
        let round = Round::new(series);
        Folding { folder: Folder::new(&Config::default(), windows), records: round.records(START), round, now: START }
    }
}

impl Work for Folding {
    fn prepare(&mut self) {
        self.now += SECOND / 1000;
        self.records = self.round.records(self.now);
    }

    fn run(&mut self) {
        let readings = self.folder.fold(&self.records, self.now + SECOND);
        assert_eq!(readings, self.round.len(), "all count");
    }

    fn units(&self) -> usize {
        self.round.len()
    }
}
