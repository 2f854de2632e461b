//! What decides besides the records, written down so that it can be followed afterwards: where elapsed wall time moved the
//! arrival clock, and the last record read, by which the topic is known again.

use std::time::{Duration, Instant};

use ingest::{Anchor, RawRecord};
use sink::record::{self, DrainFrom, Resume};
use types::{Micros, Position};

/// Two proofs of being caught up that are further apart than this are not one stretch of idleness.
const PROOF_GAP_MAX: Duration = Duration::from_secs(5);
/// Taken off the idle time, for what passes between a broker's append and our proof.
const IDLE_MARGIN: Duration = Duration::from_secs(1);
/// A restart after a longer time says more of a wrong clock than of an idle topic.
const AWAY_MAX: Micros = 30 * 86_400 * 1_000_000;

#[derive(Debug, Default)]
pub(super) struct Journal {
    pub(super) anchor: Option<record::Anchor>,
    pub(super) offset: Option<String>,
    wall_steps: Vec<(i64, Micros)>,
    idle: Option<Idle>,
    /// When the partition was last proven caught up, with nothing read since.
    wall_anchor: Option<Micros>,
    /// As the owner before left it, until anything is read.
    left: Option<Left>,
    pub(super) drain: Option<DrainFrom>,
    pub(super) gap: Option<(Position, Position)>,
    pub(super) doubted_times: u64,
}

/// A stretch of time during which the partition was proven caught up again and again.
#[derive(Debug, Clone, Copy)]
struct Idle {
    /// The arrival clock when it began.
    base: Micros,
    since: Instant,
    /// Idle time before `since`, by the wall clocks of two owners.
    before: Micros,
    last_proof: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Left {
    next: Position,
    arrival: Micros,
    wall: Micros,
}

/// The last record read, as a source knows it.
pub fn anchor_of(kept: record::Anchor) -> Anchor {
    let record::Anchor { position, time, crc } = kept;
    Anchor { position, broker_time: time, crc }
}

impl Journal {
    /// Goes on where the owner before left off.
    pub(super) fn resumed(resume: &Resume) -> Self {
        let left = resume.wall_anchor.zip(resume.arrival_clock);
        Journal {
            anchor: resume.anchor,
            offset: resume.offset.clone(),
            wall_anchor: resume.wall_anchor,
            left: left.map(|(wall, arrival)| Left { next: resume.next, arrival, wall }),
            drain: resume.drain,
            doubted_times: resume.doubted_times,
            ..Journal::default()
        }
    }

    /// The last record of a batch that was folded, and what the source calls it besides its number.
    pub(super) fn read(&mut self, last: &RawRecord<'_>, offset: Option<&str>) {
        let Anchor { position, broker_time, crc } = Anchor::of(last);
        self.anchor = Some(record::Anchor { position, time: broker_time, crc });
        match offset {
            Some(offset) => {
                let kept = self.offset.get_or_insert_default();
                kept.clear();
                kept.push_str(offset);
            }
            None => self.offset = None,
        }
        self.wall_anchor = None;
        self.left = None;
    }

    /// Records moved the arrival clock, or reading was paused: idleness begins anew.
    pub(super) fn stirred(&mut self) {
        self.idle = None;
    }

    /// Everything up to the high watermark of a fresh broker answer was handed over. Only unbroken stretches of such proofs
    /// move the arrival clock: behind, paused or cut off from the broker it stands still. Returns where to, if it does.
    pub(super) fn caught_up(
        &mut self,
        next: Position,
        arrival: Option<Micros>,
        now: Instant,
        wall: Micros,
    ) -> Option<Micros> {
        let arrival = arrival?;
        self.wall_anchor = Some(wall);
        match &mut self.idle {
            Some(idle) if now.duration_since(idle.last_proof) <= PROOF_GAP_MAX => {
                idle.last_proof = now;
                let elapsed = now.duration_since(idle.since).saturating_sub(IDLE_MARGIN);
                let elapsed = Micros::try_from(elapsed.as_micros()).unwrap_or(0).saturating_add(idle.before);
                let to = idle.base.saturating_add(elapsed);
                if to <= arrival {
                    return None;
                }
                match self.wall_steps.last_mut() {
                    Some((position, step)) if *position == next.0 => *step = to,
                    _ => self.wall_steps.push((next.0, to)),
                }
                Some(to)
            }
            idle => {
                // Nothing was appended while nobody owned the partition: that time was idle too.
                let away = self.left.take().filter(|left| left.next == next && left.arrival == arrival);
                let before = away.map_or(0, |left| wall.saturating_sub(left.wall));
                let before = if (0..=AWAY_MAX).contains(&before) { before } else { 0 };
                *idle = Some(Idle { base: arrival, since: now, before, last_proof: now });
                None
            }
        }
    }

    /// For a commit at `next`; the steps are taken out.
    pub(super) fn resume(&mut self, next: Position) -> Resume {
        Resume {
            next,
            offset: self.offset.clone(),
            anchor: self.anchor,
            wall_anchor: self.wall_anchor,
            wall_steps: std::mem::take(&mut self.wall_steps),
            doubted_times: self.doubted_times,
            drain: self.drain,
            gap: self.gap.take(),
            ..Resume::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Micros = 1_000_000;

    fn at(begin: Instant, seconds: u64) -> Instant {
        begin + Duration::from_secs(seconds)
    }

    #[test]
    fn idle_time_moves_the_clock_and_is_written_down_once_a_position() {
        let (begin, mut journal) = (Instant::now(), Journal::default());
        let mut arrival = 1000 * SECOND;
        for second in 0..10 {
            if let Some(to) = journal.caught_up(Position(7), Some(arrival), at(begin, second), 0) {
                arrival = to;
            }
        }
        assert_eq!(arrival, 1008 * SECOND, "nine seconds less the margin");
        assert_eq!(journal.resume(Position(7)).wall_steps, [(7, 1008 * SECOND)]);
        assert!(journal.resume(Position(7)).wall_steps.is_empty(), "each is told once");
    }

    #[test]
    fn a_gap_between_proofs_is_no_idleness() {
        let (begin, mut journal) = (Instant::now(), Journal::default());
        assert_eq!(journal.caught_up(Position(7), Some(0), at(begin, 0), 0), None);
        assert_eq!(journal.caught_up(Position(7), Some(0), at(begin, 3600), 0), None);
        assert_eq!(journal.caught_up(Position(7), Some(0), at(begin, 3603), 0), Some(2 * SECOND));
        journal.stirred();
        assert_eq!(journal.caught_up(Position(9), Some(0), at(begin, 3604), 0), None);
    }

    #[test]
    fn what_passed_between_two_owners_counts_if_nothing_came() {
        let left = Resume {
            next: Position(7),
            arrival_clock: Some(100 * SECOND),
            wall_anchor: Some(5000 * SECOND),
            ..Resume::default()
        };
        let begin = Instant::now();
        let step = |next: i64, arrival: Micros, wall: Micros| {
            let mut journal = Journal::resumed(&left);
            journal.caught_up(Position(next), Some(arrival), at(begin, 0), wall);
            journal.caught_up(Position(next), Some(arrival), at(begin, 3), wall)
        };
        assert_eq!(step(7, 100 * SECOND, 5060 * SECOND), Some(162 * SECOND));
        assert_eq!(step(8, 100 * SECOND, 5060 * SECOND), Some(102 * SECOND), "something came");
        assert_eq!(step(7, 101 * SECOND, 5060 * SECOND), Some(103 * SECOND), "the clock has moved since");
        assert_eq!(step(7, 100 * SECOND, 4000 * SECOND), Some(102 * SECOND), "a clock that went back says nothing");
    }
}
