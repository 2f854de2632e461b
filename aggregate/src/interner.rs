//! Names of series -> dense indices, and back.
//!
//! A series' two names are one string with the length of its first part, so that ("a", "bc") and ("ab", "c") differ, and a
//! lookup is one hash and one comparison. A forgotten series keeps its index and names until the rows that refer to
//! it are given back; then the index is free for another series, under a new generation.

use std::collections::HashSet;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use types::SeriesNames;

/// No index.
pub(crate) const NONE: u32 = u32::MAX;

/// The names of a partition's series, by index.
#[derive(Debug, Default)]
pub struct Series {
    /// Its order depends on a random seed and is never looked at.
    table: HashTable<u32>,
    /// Of the names of known series.
    bytes: usize,
    names: Vec<Name>,
    hasher: RandomState,
    /// Forgotten, and perhaps still referred to by closed rows.
    forgotten: Vec<u32>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Name {
    /// Device and sensor, one after the other.
    text: Text,
    device_bytes: u32,
    generation: u32,
}

/// Short texts stand where they are looked for: a lookup then reads memory at one place less, and none is allocated.
#[derive(Debug)]
enum Text {
    Short { length: u8, bytes: [u8; Text::SHORT_MAX] },
    Long(Box<[u8]>),
}

impl Text {
    const SHORT_MAX: usize = 30;

    fn new(device: &str, sensor: &str) -> Text {
        let length = device.len() + sensor.len();
        if length > Text::SHORT_MAX {
            return Text::Long([device.as_bytes(), sensor.as_bytes()].concat().into_boxed_slice());
        }
        let mut bytes = [0; Text::SHORT_MAX];
        bytes[..device.len()].copy_from_slice(device.as_bytes());
        bytes[device.len()..length].copy_from_slice(sensor.as_bytes());
        Text::Short { length: length as u8, bytes }
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        match self {
            Text::Short { length, bytes } => &bytes[..usize::from(*length)],
            Text::Long(bytes) => bytes,
        }
    }
}

impl Name {
    /// None if the device's name is longer than any record.
    fn new(device: &str, sensor: &str, generation: u32) -> Option<Name> {
        let device_bytes = u32::try_from(device.len()).ok()?;
        Some(Name { text: Text::new(device, sensor), device_bytes, generation })
    }

    #[inline]
    fn is(&self, device: &str, sensor: &str) -> bool {
        // Lengths first: what follows then compares equally long slices.
        let text = self.text.bytes();
        self.device_bytes as usize == device.len()
            && text.len() == device.len() + sensor.len()
            && text[..device.len()] == *device.as_bytes()
            && text[device.len()..] == *sensor.as_bytes()
    }

    fn device(&self) -> &str {
        str::from_utf8(&self.text.bytes()[..self.device_bytes as usize]).expect("made of two texts, cut between them")
    }

    fn sensor(&self) -> &str {
        str::from_utf8(&self.text.bytes()[self.device_bytes as usize..]).expect("made of two texts, cut between them")
    }
}

impl Series {
    #[inline]
    pub(crate) fn find(&self, device: &str, sensor: &str) -> Option<u32> {
        let hash = hash(&self.hasher, device, sensor);
        self.table.find(hash, |&series| self.names[series as usize].is(device, sensor)).copied()
    }

    /// Gives an unknown series an index; none if there is no index left.
    pub(crate) fn insert(&mut self, device: &str, sensor: &str) -> Option<u32> {
        let mut name = Name::new(device, sensor, 0)?;
        let series = match self.free.pop() {
            Some(series) => {
                name.generation = self.names[series as usize].generation.wrapping_add(1);
                self.names[series as usize] = name;
                series
            }
            None => {
                let series = u32::try_from(self.names.len()).ok().filter(|&series| series != NONE)?;
                self.names.push(name);
                series
            }
        };
        self.bytes += device.len() + sensor.len();
        let Series { table, names, hasher, .. } = self;
        table.insert_unique(hash(hasher, device, sensor), series, |&other| {
            let name = &names[other as usize];
            hash(hasher, name.device(), name.sensor())
        });
        Some(series)
    }

    /// From now on the series is unknown; its index still resolves.
    pub(crate) fn forget(&mut self, series: u32) {
        let name = &self.names[series as usize];
        let hash = hash(&self.hasher, name.device(), name.sensor());
        if let Ok(entry) = self.table.find_entry(hash, |&other| other == series) {
            entry.remove();
            self.bytes -= name.text.bytes().len();
            self.forgotten.push(series);
        }
    }

    /// An index for names that only closed rows still refer to.
    pub(crate) fn insert_forgotten(&mut self, device: &str, sensor: &str) -> Option<u32> {
        let series = u32::try_from(self.names.len()).ok().filter(|&series| series != NONE)?;
        self.names.push(Name::new(device, sensor, 0)?);
        self.forgotten.push(series);
        Some(series)
    }

    /// The indices of forgotten series become free, save for those that are still `referred` to.
    pub(crate) fn release_forgotten(&mut self, referred: &[u32]) {
        if self.forgotten.is_empty() {
            return;
        }
        let mut released: HashSet<u32, RandomState> = self.forgotten.iter().copied().collect();
        for series in referred {
            released.remove(series);
        }
        let Series { names, forgotten, free, .. } = self;
        forgotten.retain(|series| {
            let is_released = released.contains(series);
            if is_released {
                let name = &mut names[*series as usize];
                (name.text, name.device_bytes) = (Text::new("", ""), 0);
                free.push(*series);
            }
            !is_released
        });
    }

    /// How many series are known: forgotten ones are not.
    #[must_use]
    pub(crate) fn known(&self) -> usize {
        self.table.len()
    }

    /// Bytes of the names of known series.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// One more than the largest index ever given.
    pub(crate) fn indices(&self) -> usize {
        self.names.len()
    }
}

impl SeriesNames for Series {
    fn device(&self, series: u32) -> &str {
        self.names[series as usize].device()
    }

    fn sensor(&self, series: u32) -> &str {
        self.names[series as usize].sensor()
    }

    fn generation(&self, series: u32) -> u32 {
        self.names[series as usize].generation
    }
}

#[inline]
fn hash(hasher: &RandomState, device: &str, sensor: &str) -> u64 {
    hasher.hash_one((device, sensor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_not_confused_by_where_they_are_cut() {
        let mut series = Series::default();
        let long = "d".repeat(29);
        let (longer, longest) = ("d".repeat(30), "d".repeat(31));
        let pairs = [("a", "bc"), ("ab", "c"), ("", "abc"), ("abc", ""), ("", ""), ("a", "b"), ("é", "é")];
        let around_the_limit =
            [(&*long, "d"), (&*long, "dd"), (&*longer, ""), (&*longer, "d"), (&*longest, ""), ("d", &*long)];
        let pairs: Vec<(&str, &str)> = pairs.into_iter().chain(around_the_limit).collect();
        let indices: Vec<u32> =
            pairs.iter().map(|(device, sensor)| series.insert(device, sensor).expect("room")).collect();
        for ((device, sensor), index) in pairs.into_iter().zip(indices) {
            assert_eq!(series.find(device, sensor), Some(index));
            assert_eq!((series.device(index), series.sensor(index)), (device, sensor));
        }
        assert_eq!(series.find("abc", "d"), None);
    }

    #[test]
    fn an_index_is_given_again_only_when_no_row_refers_to_it_and_under_a_new_generation() {
        let mut series = Series::default();
        let first = series.insert("d", "s").expect("room");
        series.forget(first);
        assert_eq!((series.find("d", "s"), series.known(), series.bytes()), (None, 0, 0));
        let second = series.insert("d", "s").expect("room");
        assert_ne!(first, second);
        assert_eq!(series.device(first), "d");
        series.release_forgotten(&[second, first]);
        let other = series.insert("d", "other").expect("room");
        assert_ne!(other, first);
        assert_eq!((series.device(first), series.generation(first)), ("d", 0));
        series.release_forgotten(&[second]);
        let third = series.insert("other", "s").expect("room");
        assert_eq!((third, series.generation(third)), (first, 1));
        assert_eq!(series.bytes(), "ds".len() + "dother".len() + "others".len());
    }

    #[test]
    fn many_names_survive_growth() {
        let mut series = Series::default();
        for n in 0..5000 {
            assert_eq!(series.insert(&format!("device-{}", n % 70), &format!("s{n}")), Some(n));
        }
        assert!((0..5000).all(|n| series.find(&format!("device-{}", n % 70), &format!("s{n}")) == Some(n)));
    }
}
