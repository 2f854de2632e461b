//! A part of an input that one of several jobs reads alone. Whose something is follows from the thing itself, so that jobs need
//! not know of one another: of a topic by the partition's number, of files by the device's name.

use std::fmt;
use std::str::FromStr;

use twox_hash::XxHash64;

/// Number `index` of `count`, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    count: u32,
}

impl Shard {
    /// None if there is no such shard.
    #[must_use]
    pub(crate) fn new(index: u32, count: u32) -> Option<Shard> {
        (index < count).then_some(Shard { index, count })
    }

    #[must_use]
    pub fn index(self) -> u32 {
        self.index
    }

    #[must_use]
    pub fn count(self) -> u32 {
        self.count
    }

    #[must_use]
    pub fn has_partition(self, partition: u32) -> bool {
        partition % self.count == self.index
    }

    /// By XXH64 of the name's bytes, with seed 0: the same on every machine, and in every version.
    #[inline]
    #[must_use]
    pub fn has_device(self, device: &str) -> bool {
        XxHash64::oneshot(0, device.as_bytes()) % u64::from(self.count) == u64::from(self.index)
    }

    /// A record that names no device that could be read belongs to somebody, too.
    #[must_use]
    pub fn has_nameless(self, position: i64) -> bool {
        position.rem_euclid(i64::from(self.count)) == i64::from(self.index)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let parts = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        let Some((index, count)) = parts else {
            return Err(format!("`{text}` is no shard: write it like `0/4`, the first of four"));
        };
        Shard::new(index, count).ok_or_else(|| match count {
            0 => "there must be one shard at least: `0/1` is all of the input".to_owned(),
            1 => "of one shard there is only `0/1`".to_owned(),
            _ => format!("shards are counted from 0: of {count} the last one is `{}/{count}`", count - 1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(count: u32) -> Vec<Shard> {
        (0..count).map(|index| Shard::new(index, count).expect("below the count")).collect()
    }

    #[test]
    fn shards_are_written_as_a_fraction_that_begins_at_0() {
        let shard: Shard = "3/4".parse().expect("a shard");
        assert_eq!((shard.index(), shard.count(), shard.to_string().as_str()), (3, 4, "3/4"));
        for (text, why) in [
            ("4/4", "the last one is `3/4`"),
            ("1/1", "only `0/1`"),
            ("0/0", "one shard at least"),
            ("1", "like `0/4`"),
            ("-1/4", "like `0/4`"),
            ("a/4", "like `0/4`"),
            ("1/4/2", "like `0/4`"),
            ("", "like `0/4`"),
        ] {
            assert!(text.parse::<Shard>().is_err_and(|said| said.contains(why)), "{text}");
        }
    }

    #[test]
    fn everything_is_exactly_one_shards() {
        for count in [1, 2, 3, 7] {
            let owners = |has: &dyn Fn(Shard) -> bool| all(count).into_iter().filter(|shard| has(*shard)).count();
            for number in 0..200_u32 {
                let device = format!("device-{number}");
                assert_eq!(owners(&|shard| shard.has_device(&device)), 1, "{device} of {count}");
                assert_eq!(owners(&|shard| shard.has_partition(number)), 1, "partition {number} of {count}");
                assert_eq!(owners(&|shard| shard.has_nameless(i64::from(number))), 1, "record {number} of {count}");
            }
        }
    }

    /// Another function, and a job that goes on gives devices to shards that do not know them.
    #[test]
    fn devices_are_dealt_out_by_the_hash_that_is_documented() {
        // XXH64 with seed 0, as the reference implementation gives it: by these remainders.
        for (device, hash) in
            [("", 0xef46_db37_51d8_e999_u64), ("a", 0xd24e_c4f1_a98c_6e5b), ("abc", 0x44bc_2cf5_ad77_0999)]
        {
            for count in [2, 3, 1000] {
                let index = u32::try_from(hash % u64::from(count)).expect("small");
                assert!(Shard::new(index, count).expect("a shard").has_device(device), "{device:?} of {count}");
            }
        }
    }

    #[test]
    fn names_that_differ_by_a_number_are_spread_evenly() {
        for count in [2, 3, 4, 8] {
            for shard in all(count) {
                let devices = (0..8000).filter(|number| shard.has_device(&format!("d{number}"))).count();
                let share = 8000 / count as usize;
                assert!(devices.abs_diff(share) < share / 5, "{shard} has {devices}");
            }
        }
    }
}
