//! Which partitions to claim, so that every one is read and no member has more than its share. Pure; the caller rolls the dice.
//!
//! The share of each of `n` members is `p / n` partitions, and as many members as remain may have one more. Everybody sees the notes
//! of a moment ago and decides alone; claims that collide are settled by the store. Once shares are fair nobody claims
//! anything. A member without partitions has no notes, so the others do not count it: it comes in by stealing its first.

use std::collections::{BTreeMap, BTreeSet};

use super::watch::Standing;
use crate::event_hubs::Strategy;

/// What a member without its share claims now: one partition, or with `Greedy` all that it lacks. Those that nobody has come
/// first; else one is stolen, from whom has most. `shunned` ones are left alone. `roll(n)` is one of `0..n`.
pub(super) fn claims(
    standings: &BTreeMap<u32, Standing>,
    shunned: &BTreeSet<u32>,
    strategy: Strategy,
    mut roll: impl FnMut(usize) -> usize,
) -> Vec<u32> {
    let mut hub = Hub::new(standings);
    let claims_max = match strategy {
        Strategy::Balanced => 1,
        Strategy::Greedy => standings.len(),
    };
    let mut claims = Vec::new();
    while claims.len() < claims_max {
        let Some(partition) = hub.next(shunned, &mut roll) else { break };
        claims.push(partition);
    }
    claims
}

/// The partitions of each living member, as they will be once our claims have won.
struct Hub<'a> {
    ours: usize,
    free: Vec<u32>,
    others: BTreeMap<&'a str, Vec<u32>>,
    share_min: usize,
    /// How many members may have one more.
    remainder: usize,
}

impl<'a> Hub<'a> {
    fn new(standings: &'a BTreeMap<u32, Standing>) -> Self {
        let (mut ours, mut free, mut others) = (0, Vec::new(), BTreeMap::<&str, Vec<u32>>::new());
        for (partition, standing) in standings {
            match standing {
                Standing::Ours => ours += 1,
                Standing::Free => free.push(*partition),
                Standing::Other(owner) => others.entry(owner).or_default().push(*partition),
            }
        }
        let members = others.len() + 1;
        Hub { ours, free, others, share_min: standings.len() / members, remainder: standings.len() % members }
    }

    fn next(&mut self, shunned: &BTreeSet<u32>, roll: &mut impl FnMut(usize) -> usize) -> Option<u32> {
        if !self.we_lack() {
            return None;
        }
        let partition = match take(&mut self.free, shunned, roll) {
            Some(partition) => partition,
            None => self.steal(shunned, roll)?,
        };
        self.ours += 1;
        Some(partition)
    }

    /// Whether we have less than the least share, or just that while another one is left over for us.
    fn we_lack(&self) -> bool {
        let above = self.others.values().filter(|theirs| theirs.len() > self.share_min).count();
        self.ours < self.share_min || (self.ours == self.share_min && above < self.remainder)
    }

    fn steal(&mut self, shunned: &BTreeSet<u32>, roll: &mut impl FnMut(usize) -> usize) -> Option<u32> {
        // Whoever gives one up must not lack it then.
        let left_min = if self.ours < self.share_min { self.share_min } else { self.share_min + 1 };
        let most = self.others.values().map(Vec::len).max().filter(|most| *most > left_min)?;
        let mut richest: Vec<&mut Vec<u32>> = self.others.values_mut().filter(|theirs| theirs.len() == most).collect();
        let chosen = roll(richest.len());
        take(richest.get_mut(chosen)?, shunned, roll)
    }
}

fn take(from: &mut Vec<u32>, shunned: &BTreeSet<u32>, roll: &mut impl FnMut(usize) -> usize) -> Option<u32> {
    let candidates: Vec<usize> = (0..from.len()).filter(|at| !shunned.contains(&from[*at])).collect();
    let at = *candidates.get(roll(candidates.len().max(1)))?;
    Some(from.swap_remove(at))
}

#[cfg(test)]
mod tests;
