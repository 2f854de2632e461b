//! The one hard step: creating an object when the answer may be lost.
//!
//! Nothing else creates what delivery rests on, records and their files. The bytes are the same at every try; what an answer means is the
//! machine's business (`machine::Put`): "exists" is looked into by its nonce, "unknown" is tried again without end.

use crate::log::Log;
use crate::machine::Put;
use crate::place::Creation;
use crate::retries::Retries;

/// One try. After a failure it waits before it says "unknown", so that the next try comes at the right moment.
pub(crate) async fn create_exact_once<F>(retries: &Retries, request: impl FnOnce() -> F) -> Put
where
    F: Future<Output = Result<Creation, store::Error>>,
{
    match request().await {
        Ok(creation) => {
            retries.answered();
            match creation {
                Creation::Created => Put::Created,
                Creation::Exists => Put::Exists,
            }
        }
        Err(error) => {
            retries.pause(&error).await;
            Put::Unknown
        }
    }
}

/// The nonce of the record that has the seq now; none if there is no such record. One that cannot be read is not ours:
/// ours is whole.
pub(crate) async fn read_back(retries: &Retries, log: &Log, seq: u64) -> Option<u128> {
    match retries.until_answered(|| log.header(seq)).await {
        None => None,
        Some(Ok(header)) => Some(header.nonce.0),
        Some(Err(_)) => Some(0),
    }
}
