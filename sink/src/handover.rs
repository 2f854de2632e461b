//! Handing over to a successor at a boundary of windows: the request, which every owner of a partition looks for, and what
//! a successor learns from its predecessor's logs.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use types::{Micros, PartitionId};

use crate::log::Log;
use crate::record::DrainFrom;
use crate::sinks::Shared;
use crate::{Error, Sinks, attention, names};

const LOOK_EVERY: Duration = Duration::from_secs(5);
const NONE: Micros = Micros::MIN;

/// What operators asked this pipeline to do. Looked at often, so it is kept here and refreshed aside.
#[derive(Debug)]
pub(crate) struct Request {
    until: AtomicI64,
}

#[derive(Serialize, Deserialize)]
struct Text {
    until: Micros,
}

impl Default for Request {
    fn default() -> Self {
        Request { until: AtomicI64::new(NONE) }
    }
}

impl Sinks {
    /// The boundary up to which this pipeline is to drain, if that was asked for.
    #[must_use]
    pub fn drain(&self) -> Option<Micros> {
        Some(self.shared.request.until.load(Ordering::Relaxed)).filter(|until| *until != NONE)
    }

    /// Looks for the request every few seconds from now on, and for notes that a partition was mended.
    pub fn watch_drain(&self) {
        let shared = Arc::downgrade(&self.shared);
        self.shared.runtime.spawn(async move {
            while let Some(shared) = shared.upgrade() {
                if let Ok(Some(until)) = requested(&shared).await {
                    shared.request.until.store(until, Ordering::Relaxed);
                }
                attention::look(&shared).await;
                drop(shared);
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
    }

    /// Asks all owners of this pipeline's partitions to drain. There is one boundary in the life of a pipeline.
    ///
    /// # Errors
    /// If the store does not answer, or another boundary was asked for before.
    pub fn request_drain(&self, until: Micros) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        self.shared.block(async move {
            let text = serde_json::json!(Text { until }).to_string();
            let name = names::drain(&shared.identity.pipeline);
            shared.state.create(&name, &Bytes::from(text)).await?;
            match requested(&shared).await? {
                Some(found) if found == until => Ok(()),
                Some(found) => Err(Error::DrainsAlready { found }),
                None => Err(Error::Stopped),
            }
        })
    }

    /// Where another pipeline's drain began in a partition, and until when it counts. None if it has not begun yet.
    ///
    /// # Errors
    /// If the store does not answer, or that log cannot be read.
    pub fn handed_over(&self, pipeline: &str, partition: &PartitionId) -> Result<Option<DrainFrom>, Error> {
        names::check_pipeline(pipeline)?;
        let log = Log::new(self.shared.state.clone(), pipeline, partition);
        let partition = partition.clone();
        self.shared.block(async move {
            let Some(newest) = log.newest(None).await? else { return Ok(None) };
            match log.header(newest).await? {
                None => Ok(None),
                Some(Ok(header)) => Ok(header.resume.drain),
                Some(Err(damage)) => Err(Error::of_damage(partition, log.display(newest), damage)),
            }
        })
    }
}

pub(crate) async fn requested(shared: &Shared) -> Result<Option<Micros>, Error> {
    let name = names::drain(&shared.identity.pipeline);
    let Some(bytes) = shared.state.read(&name, 1024).await? else { return Ok(None) };
    let text: Option<Text> = serde_json::from_slice(&bytes).ok();
    Ok(text.map(|text| text.until))
}
