//! A partition that killed its owners again and again: commits become small, so that each life gets on a little, until a
//! single record is left that nobody survives. That one goes to quarantine unread.

use sink::Resumed;
use sink::record::{self, RecordKind};

/// So many claims in vain are a crash loop.
const CLAIMS_IN_VAIN: u32 = 3;
/// So many further lives in a row that did not commit a single record end at that very record. Kills from outside hit any
/// moment, so this last step asks for more evidence than those before.
const LIVES_AT_ONE_RECORD: u32 = 4;
/// Records between two commits, by level.
const BATCHES: [usize; 4] = [1000, 100, 10, 1];
/// The level at which the next record is not read at all.
const SUSPECT: u32 = BATCHES.len() as u32 + 1;
/// After so many commits without a crash the next ones are larger again; at the largest size, it is over.
const COMMITS_TO_TRUST: u32 = 20;

#[derive(Debug)]
pub(super) struct Careful {
    pub(super) facts: record::Careful,
    /// At this level, in this life.
    commits: u32,
    /// Which way round partitions take turns in this life: the other way in the next one, so that none is always behind
    /// the one that kills.
    pub(super) is_backwards: bool,
}

impl Careful {
    /// Whether and how carefully to go on, by what the owners before left behind.
    pub(super) fn of(resumed: &Resumed) -> Option<Careful> {
        let header = &resumed.header;
        let from = resumed.before.last().map_or(RecordKind::Genesis, |before| before.kind);
        // A level is written down with commits only: each life since the last one counts as a further step.
        let steps = match header.resume.careful {
            // It was left in good order: no reason to suspect more.
            Some(careful) if from == RecordKind::Release => careful.level,
            Some(careful) => careful.level + header.claims,
            None if header.claims >= CLAIMS_IN_VAIN => header.claims - CLAIMS_IN_VAIN + 1,
            None => return None,
        };
        let at_one_record = BATCHES.len() as u32;
        let level = if steps >= at_one_record + LIVES_AT_ONE_RECORD { SUSPECT } else { steps.min(at_one_record) };
        let is_backwards = header.claims % 2 == 1;
        Some(Careful { facts: record::Careful { level }, commits: 0, is_backwards })
    }

    pub(super) fn batch(&self) -> usize {
        let level = self.facts.level.clamp(1, SUSPECT - 1) as usize;
        BATCHES[level - 1]
    }

    /// The next record is not to be read: once.
    pub(super) fn take_suspicion(&mut self) -> bool {
        let suspects = self.facts.level >= SUSPECT;
        if suspects {
            self.facts.level = SUSPECT - 1;
        }
        suspects
    }

    /// Hears of a commit; returns whether that was enough of care.
    pub(super) fn committed(&mut self) -> bool {
        self.commits += 1;
        if self.commits < COMMITS_TO_TRUST {
            return false;
        }
        self.commits = 0;
        self.facts.level = self.facts.level.saturating_sub(1);
        self.facts.level == 0
    }
}
