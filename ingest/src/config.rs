//! `[ingest]`: where records come from and how they are read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Start, decode, event_hubs, files, kafka, simulated};

/// Where records come from and how they are read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Which source to read: `kafka`, `event-hubs`, `files` or `simulated`.
    pub source: SourceKind,
    /// Where a partition that has no state yet begins: `earliest`, `latest`, or a time (RFC 3339) that is compared with
    /// broker times. Resolved once in the life of a partition and then kept in its state.
    pub start: Start,
    /// What happens when records expired before they were read (a pause longer than the topic's retention): `halt` stops the
    /// partition until somebody decides, `continue` goes on at the first record held, writes down from where to where records
    /// are missing, and counts it. Either way it is told; with `continue`, windows in the gap have fewer readings than were sent.
    pub on_gap: OnGap,
    /// Apache Kafka, or any service that speaks its protocol.
    pub kafka: kafka::Config,
    /// Azure Event Hubs.
    pub event_hubs: event_hubs::Config,
    /// Files of readings: one bounded input.
    pub files: files::Config,
    /// A simulated fleet of devices, for trying things out.
    pub simulated: simulated::Config,
    /// From the bytes of a record to readings.
    pub decode: decode::Config,
}

/// A source by name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    #[default]
    Kafka,
    EventHubs,
    Files,
    Simulated,
}

/// What to do about records that expired unread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnGap {
    #[default]
    Halt,
    Continue,
}
