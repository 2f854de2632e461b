//! The header of a commit record: JSON, so that people and other programs can read it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use types::{Ledger, Micros, Position};

use crate::names::Genesis;

/// What a record says of itself. Fields are only ever added; those that a reader does not know it ignores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    pub pipeline: String,
    /// The rules that windows are made by; other rules cannot go on with this log.
    pub fingerprint: String,
    pub topic: String,
    pub partition: u32,
    /// How many partitions the topic had, if known.
    #[serde(default)]
    pub partitions: Option<u32>,
    pub genesis: Genesis,
    pub seq: u64,
    /// Hash of record seq - 1; none at the beginning.
    #[serde(default)]
    pub previous: Option<Hex32>,
    /// New for every record ever built.
    pub nonce: Nonce,
    /// Random for each process.
    pub owner: Nonce,
    /// The host and process that wrote it, for people.
    #[serde(default)]
    pub instance: String,
    pub kind: RecordKind,
    /// How often the partition was taken over in vain until now.
    #[serde(default)]
    pub claims: u32,
    /// Of a claim: whether there were records to read.
    #[serde(default)]
    pub lagging: bool,
    /// Wall time at which it was built: for people, and for telling a crash loop.
    pub written_at: Micros,
    #[serde(flatten)]
    pub resume: Resume,
    /// What happened to all records and readings since the log began.
    #[serde(default)]
    pub ledger: Ledger,
    /// What this commit alone added.
    #[serde(default)]
    pub run: RunFacts,
    /// The set of models that scored the rows of this record.
    #[serde(default)]
    pub model_set: Option<String>,
    pub state: StateRef,
    #[serde(default)]
    pub files: Vec<FileEntry>,
}

/// Where reading goes on, and what decides there besides the state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Resume {
    /// The next position to read.
    pub next: Position,
    /// The service's own name of that place, where it has one besides the number.
    #[serde(default)]
    pub offset: Option<String>,
    /// The last record that was read: the topic is still the same if it is still there.
    #[serde(default)]
    pub anchor: Option<Anchor>,
    #[serde(default)]
    pub arrival_clock: Option<Micros>,
    /// Wall time when the partition was last proven caught up at `next`, with the arrival clock as it is here.
    #[serde(default)]
    pub wall_anchor: Option<Micros>,
    #[serde(default)]
    pub floor: Option<Micros>,
    /// Everything before it is final, save for devices that upload later.
    #[serde(default)]
    pub complete_to: Option<Micros>,
    /// Since the record before: the arrival clock was moved to the second by elapsed wall time, when all below the first
    /// had been read.
    #[serde(default)]
    pub wall_steps: Vec<(i64, Micros)>,
    /// Broker times that were not believed, since the log began.
    #[serde(default)]
    pub doubted_times: u64,
    /// Of a pipeline that hands over: the boundary, and where reading stood when that began.
    #[serde(default)]
    pub drain: Option<DrainFrom>,
    /// Of a `gap`: what could not be read any more, from and to (exclusive).
    #[serde(default)]
    pub gap: Option<(Position, Position)>,
    /// Of a partition that killed its owners again and again: how small commits are by now, and until where.
    #[serde(default)]
    pub careful: Option<Careful>,
    #[serde(default)]
    pub open_windows: u64,
    #[serde(default)]
    pub pending_rows: u64,
}

/// What was done since the record before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunFacts {
    /// Where reading stood then.
    pub from: Position,
    pub records: u64,
    pub readings: u64,
    /// Refused items in this record's files.
    pub quarantined: u64,
    /// Rows of this record that are anomalies.
    pub anomalies: u64,
}

/// A hand-over to a successor at a boundary of windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainFrom {
    /// Windows that end at or before it are ours.
    pub until: Micros,
    /// The successor reads from here.
    pub from: Position,
}

/// Small commits after crashes: the higher the level, the smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Careful {
    pub level: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordKind {
    /// The first of a log, or a new beginning after a reset.
    Genesis,
    /// A new owner takes over, with the state and the position of the record before.
    Claim,
    Data,
    /// Records were lost before they were read, and that was accepted.
    Gap,
    /// The owner left in good order.
    Release,
    /// From here on readings beyond a boundary are left to a successor.
    Drain,
}

impl RecordKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RecordKind::Genesis => "genesis",
            RecordKind::Claim => "claim",
            RecordKind::Data => "data",
            RecordKind::Gap => "gap",
            RecordKind::Release => "release",
            RecordKind::Drain => "drain",
        }
    }
}

/// The last record read: its position, its broker time, and CRC32C of its key and value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    pub position: i64,
    #[serde(default)]
    pub time: Option<Micros>,
    pub crc: u32,
}

/// The record that holds the state, and how long the state is, unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateRef {
    pub seq: u64,
    /// Of that record; none if it is this one.
    #[serde(default)]
    pub hash: Option<Hex32>,
    pub bytes: u64,
}

/// One file of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// `predictions`, `late`, `quarantine`, `runs` or `markers`.
    pub dataset: String,
    /// Below the dataset's place.
    pub name: String,
    pub length: u64,
    pub crc: u32,
    pub rows: u64,
    /// Smallest and largest window start.
    #[serde(default)]
    pub from: Option<Micros>,
    #[serde(default)]
    pub to: Option<Micros>,
}

// === Hex ===

/// 128 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nonce(pub u128);

/// A SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hex32(pub [u8; 32]);

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for Hex32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Nonce {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Hex32 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Nonce {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = plain_hex(&text, 32).and_then(|hex| u128::from_str_radix(hex, 16).ok());
        number.map(Nonce).ok_or_else(|| serde::de::Error::custom("not 32 hexadecimal digits"))
    }
}

impl<'de> Deserialize<'de> for Hex32 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let refused = || serde::de::Error::custom("not 64 hexadecimal digits");
        let hex = plain_hex(&text, 64).ok_or_else(refused)?;
        let mut bytes = [0; 32];
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[2 * place..2 * place + 2], 16).map_err(|_| refused())?;
        }
        Ok(Hex32(bytes))
    }
}

impl Serialize for Genesis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Genesis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = plain_hex(&text, 8).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        number.map(Genesis).ok_or_else(|| serde::de::Error::custom("not 8 hexadecimal digits"))
    }
}

/// Lower-case digits only, so that one value has one form.
fn plain_hex(text: &str, digits: usize) -> Option<&str> {
    let plain = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    plain.then_some(text)
}
