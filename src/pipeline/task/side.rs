//! Where readings go that became no part of a window, and records that hold none: counted, and kept with the reason.

use aggregate::{Refused, Windows};
use ingest::RawRecord;
use types::{LateReading, LateReadings, Quarantine, Reading, Reason, Refusal};

use crate::pipeline::Counts;

/// Where readings go that became no part of a window.
pub(super) struct Side<'a> {
    pub(super) late: &'a mut LateReadings,
    pub(super) quarantine: &'a mut Quarantine,
    pub(super) rejects: &'a mut [u64; Reason::ALL.len()],
    pub(super) windows: &'a mut Windows,
    pub(super) raw: RawRecord<'a>,
    pub(super) payload: &'a [u8],
    /// What has no time of its own is the successor's.
    pub(super) leaves: bool,
}

impl Side<'_> {
    /// Takes what the windows refused; both sides are in the order of the record.
    pub(super) fn take<'r>(
        &mut self,
        refused: &mut Vec<Refused>,
        readings: impl Iterator<Item = (u32, Reading<'r>)>,
        counts: &mut Counts,
    ) {
        let mut refused = refused.drain(..).peekable();
        for (ordinal, (index, reading)) in readings.enumerate() {
            let Some(refused) = refused.next_if(|refused| refused.index as usize == ordinal) else { continue };
            match refused.what {
                aggregate::Refusal::Late { window_start, closed_to, closed_by } => {
                    counts.late += 1;
                    let position = self.raw.position;
                    self.late.push(LateReading { reading, window_start, closed_to, closed_by, position, index });
                }
                aggregate::Refusal::Rejected(reason) => self.keep(reason, Some(index), reason.remedy(), counts),
            }
        }
    }

    /// A reading that the decoder refused, of a record of which it could read others.
    pub(super) fn refuse_reading(&mut self, reason: Reason, index: u32, detail: &str, counts: &mut Counts) {
        if self.leaves {
            self.windows.leave_readings(1);
        } else {
            self.windows.refuse_readings(1);
            self.keep(reason, Some(index), detail, counts);
        }
    }

    pub(super) fn keep(&mut self, reason: Reason, index: Option<u32>, detail: &str, counts: &mut Counts) {
        counts.quarantined += 1;
        self.rejects[reason as usize] += 1;
        self.quarantine.add(Refusal {
            reason,
            position: self.raw.position,
            index,
            broker_time: self.raw.broker_time,
            detail,
            payload: self.payload,
        });
    }
}
