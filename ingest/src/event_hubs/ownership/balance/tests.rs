//! Single decisions, and whole groups that join, leave and crash over a store of notes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proptest::prelude::{Just, ProptestConfig, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::super::store::{Record, Version};
use super::super::watch::Watch;
use super::*;

const INTERVAL: Duration = Duration::from_secs(10);
const EXPIRY: Duration = Duration::from_secs(60);

/// `.` nobody's, `m` ours, any other letter another member's.
fn standings(text: &str) -> BTreeMap<u32, Standing> {
    let standing = |letter| match letter {
        '.' => Standing::Free,
        'm' => Standing::Ours,
        other => Standing::Other(other.to_string()),
    };
    text.chars().enumerate().map(|(partition, letter)| (partition as u32, standing(letter))).collect()
}

/// What is there, what is shunned, what a balanced and what a greedy member claims.
type Decision<'a> = (&'a str, &'a [u32], &'a [u32], &'a [u32]);

#[test]
fn single_decisions_when_the_dice_always_show_0() {
    let rows: [Decision; 14] = [
        ("....", &[], &[0], &[0, 3, 2, 1]),
        ("", &[], &[], &[]),
        ("mmmm", &[], &[], &[]),
        ("..aa", &[], &[0], &[0, 1]),
        ("aaaa", &[], &[0], &[0, 3]),
        ("aaam", &[], &[0], &[0]),
        ("aamm", &[], &[], &[]),
        // Fair, though not even.
        ("aaamm", &[], &[], &[]),
        ("aabbm", &[], &[], &[]),
        // The one that is left over is the first's to take.
        ("aamm.", &[], &[4], &[4]),
        // From whom has most, never from whom would lack it then.
        ("abbbbm", &[], &[1], &[1]),
        ("ab", &[], &[], &[]),
        // Shunned ones are left alone.
        ("....", &[0, 1], &[2], &[2, 3]),
        ("aaaa", &[0, 1, 2, 3], &[], &[]),
    ];
    for (text, shunned, balanced, greedy) in rows {
        let shunned = shunned.iter().copied().collect();
        for (strategy, expected) in [(Strategy::Balanced, balanced), (Strategy::Greedy, greedy)] {
            assert_eq!(claims(&standings(text), &shunned, strategy, |_| 0), expected, "{text} {strategy:?}");
        }
    }
}

/// The notes, as a store keeps them, and those who write them; a crashed member's notes stay.
struct Group {
    partitions: u32,
    strategy: Strategy,
    notes: BTreeMap<u32, Record>,
    writes: u64,
    members: Vec<One>,
    born: usize,
    passed: Duration,
    random: SmallRng,
}

struct One {
    id: String,
    watch: Watch,
    /// Its own clock has a beginning of its own.
    clock: Instant,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Join,
    Leave,
    Crash,
}

impl Group {
    fn join(&mut self) {
        self.born += 1;
        let clock = Instant::now() + Duration::from_secs(self.random.random_range(0..100_000));
        self.members.push(One { id: format!("member-{}", self.born), watch: Watch::default(), clock });
    }

    fn remove(&mut self) -> Option<One> {
        // Somebody has to stay.
        let at = (self.members.len() > 1).then(|| self.random.random_range(0..self.members.len()))?;
        Some(self.members.swap_remove(at))
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Join => self.join(),
            Event::Leave => {
                let Some(One { id, .. }) = self.remove() else { return };
                for partition in self.partitions_of(&id) {
                    self.write(partition, "");
                }
            }
            Event::Crash => {
                self.remove();
            }
        }
    }

    fn partitions_of(&self, id: &str) -> Vec<u32> {
        self.notes.iter().filter(|(_, note)| note.owner == id).map(|(partition, _)| *partition).collect()
    }

    fn write(&mut self, partition: u32, owner: &str) {
        self.writes += 1;
        // The store's clock is nobody's, and shows whole seconds.
        let modified_ms = 77_000_000 + self.passed.as_secs() as i64 * 1000;
        let version = Version::new(&self.writes.to_string());
        self.notes.insert(partition, Record { owner: owner.into(), version, modified_ms });
    }

    /// Everybody renews, and looks; then their claims arrive in any order, and lose if the note is another by then.
    fn round(&mut self) {
        self.passed += INTERVAL;
        let ids: Vec<String> = self.members.iter().map(|member| member.id.clone()).collect();
        for id in &ids {
            for partition in self.partitions_of(id) {
                self.write(partition, id);
            }
        }
        let mut wanted = Vec::new();
        for member in &mut self.members {
            let now = member.clock + self.passed;
            member.watch.look(self.notes.clone(), now);
            let standings = member.watch.standings(&member.id, self.partitions, EXPIRY, now);
            let random = &mut self.random;
            for partition in claims(&standings, &BTreeSet::new(), self.strategy, |sides| random.random_range(0..sides))
            {
                wanted.push((member.id.clone(), partition, member.watch.version(partition).cloned()));
            }
        }
        wanted.shuffle(&mut self.random);
        for (id, partition, seen) in wanted {
            if self.notes.get(&partition).map(|note| &note.version) == seen.as_ref() {
                self.write(partition, &id);
            }
        }
    }

    fn owners(&self) -> Vec<String> {
        self.notes.values().map(|note| note.owner.clone()).collect()
    }

    /// Every partition has an owner that lives, and no member has two more than another.
    fn is_balanced(&self) -> bool {
        let shares: Vec<usize> = self.members.iter().map(|member| self.partitions_of(&member.id).len()).collect();
        let (least, most) = (shares.iter().min().unwrap_or(&0), shares.iter().max().unwrap_or(&0));
        shares.iter().sum::<usize>() == self.partitions as usize && most - least <= 1
    }
}

fn event() -> impl proptest::strategy::Strategy<Value = Event> {
    prop_oneof![3 => Just(Event::Join), 2 => Just(Event::Leave), 2 => Just(Event::Crash)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn groups_become_balanced_and_stay_so(
        partitions in 1_u32..48,
        members in 1_usize..8,
        events in prop::collection::vec((0_u32..12, event()), 0..12),
        is_greedy in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let strategy = if is_greedy { Strategy::Greedy } else { Strategy::Balanced };
        let random = SmallRng::seed_from_u64(seed);
        let mut group = Group {
            partitions, strategy, notes: BTreeMap::new(), writes: 0, members: Vec::new(), born: 0, passed: Duration::ZERO, random,
        };
        for _ in 0..members {
            group.join();
        }
        for (pause, event) in events {
            for _ in 0..pause {
                group.round();
            }
            group.happen(event);
        }
        // Until what crashed has expired, then one partition a round at the least, and a few for collisions.
        let rounds_max = 7 + partitions as usize + 2 * group.members.len();
        let rounds = (0..rounds_max).find(|_| { group.round(); group.is_balanced() });
        prop_assert!(rounds.is_some(), "after {rounds_max} rounds: {:?}", group.owners());
        let owners = group.owners();
        for _ in 0..30 {
            group.round();
            prop_assert_eq!(&group.owners(), &owners);
        }
    }
}
