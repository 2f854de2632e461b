//! Into how many shards an input is cut. Whose a device is follows from that number, so that jobs with another one would publish
//! windows again: it is agreed on once, in a note that is created and never replaced.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use types::PartitionId;

use crate::log::Log;
use crate::place::Creation;
use crate::sinks::Shared;
use crate::{Error, Sinks, names};

#[derive(Debug, Serialize, Deserialize)]
struct Note {
    shards: u32,
}

impl Sinks {
    /// To be called before any partition of the topic is claimed; without a number, the input is read by one job as a whole.
    ///
    /// # Errors
    /// If it was cut otherwise before, or the store does not answer.
    pub fn agree_on_shards(&self, topic: &str, shards: Option<u32>) -> Result<(), Error> {
        names::check_topic(topic)?;
        let (shared, topic) = (Arc::clone(&self.shared), topic.to_owned());
        self.shared.block(async move { agree(&shared, &topic, shards).await })
    }
}

async fn agree(shared: &Shared, topic: &str, shards: Option<u32>) -> Result<(), Error> {
    let name = names::shards(&shared.identity.pipeline, topic);
    if let Some(before) = noted(shared, &name).await? {
        return compare(topic, Some(before), shards);
    }
    let Some(count) = shards else { return Ok(()) };
    if was_read_whole(shared, topic).await? {
        return compare(topic, None, shards);
    }
    let note = serde_json::to_vec(&Note { shards: count }).map_err(|_| Error::OutOfTurn)?;
    match shared.state.create(&name, &Bytes::from(note)).await? {
        Creation::Created => Ok(()),
        // By another shard, or by an earlier try of ours.
        Creation::Exists => compare(topic, noted(shared, &name).await?, shards),
    }
}

fn compare(topic: &str, before: Option<u32>, now: Option<u32>) -> Result<(), Error> {
    if before == now { Ok(()) } else { Err(Error::ShardsChanged { topic: topic.to_owned(), before, now }) }
}

/// One that cannot be read agrees with nobody.
async fn noted(shared: &Shared, name: &str) -> Result<Option<u32>, Error> {
    let note = shared.state.read(name, 1024).await?;
    Ok(note.map(|bytes| serde_json::from_slice::<Note>(&bytes).map_or(0, |note| note.shards)))
}

/// A job without shards has one partition, and leaves no note.
async fn was_read_whole(shared: &Shared, topic: &str) -> Result<bool, Error> {
    let pipeline = &shared.identity.pipeline;
    let partition = PartitionId { topic: topic.into(), index: 0 };
    let marker = names::marker_path(pipeline, &partition);
    if shared.state.length(&marker).await?.is_some() {
        return Ok(true);
    }
    // The marker follows the first record.
    Ok(Log::new(shared.state.clone(), pipeline, &partition).newest(None).await?.is_some())
}
