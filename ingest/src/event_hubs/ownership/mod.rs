//! Partitions shared by notes in a blob container, in the layout of Microsoft's own clients.
//!
//! Each member of a consumer group keeps a note for each partition that it reads, and renews it; a note that nobody renews is
//! anybody's. The notes balance the load and tell lag displays (KEDA's `blobMetadata`) how far reading got. They fence nothing: that
//! rests on the commit log and on the owner level of the AMQP link. Nor do they say where reading begins: without a commit log a
//! pipeline begins where `ingest.start` says, whatever another program's checkpoint says.
//!
//! What the blobs are (`layout`), what is asked of the container (`store`, `checkpoints`), whose a partition is (`watch`), which
//! ones to claim (`balance`), and the member that does it all in the background (`member`, `rounds`).

mod balance;
mod checkpoints;
mod error;
mod layout;
mod member;
mod metrics;
mod rounds;
mod settings;
mod state;
mod store;
mod watch;

pub use checkpoints::Checkpoint;
pub use error::Error;
pub use layout::Group;
pub use member::Member;
pub(super) use metrics::describe as describe_metrics;
pub use settings::Settings;
pub use store::{CheckpointStore, Record, Version};
