//! A note that commands leave when they have mended a partition: whoever halted it looks again at once, instead of when
//! it would have by itself. Nothing rests on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use rand::RngExt;

use crate::sinks::Shared;
use crate::{Error, Sinks, names};

/// The last note that was seen; another number is another note.
#[derive(Debug, Default)]
pub(crate) struct Attention {
    seen: AtomicU64,
}

impl Sinks {
    /// Changes when somebody has mended a partition, a few seconds later.
    #[must_use]
    pub fn attention(&self) -> u64 {
        self.shared.attention.seen.load(Ordering::Relaxed)
    }

    /// Has all that run this pipeline look again at what they halted.
    ///
    /// # Errors
    /// If the store does not answer.
    pub fn call_attention(&self) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        let note = Bytes::from(format!("{:016x}", rand::rng().random::<u64>()));
        self.shared
            .block(async move { Ok(shared.state.replace(&names::attention(&shared.identity.pipeline), &note).await?) })
    }
}

/// Looks for a note. What cannot be read now is read the next time.
pub(crate) async fn look(shared: &Shared) {
    let name = names::attention(&shared.identity.pipeline);
    let Ok(Some(note)) = shared.state.read(&name, 1024).await else { return };
    let number = std::str::from_utf8(&note).ok().and_then(|note| u64::from_str_radix(note.trim(), 16).ok());
    if let Some(number) = number {
        shared.attention.seen.store(number, Ordering::Relaxed);
    }
}
