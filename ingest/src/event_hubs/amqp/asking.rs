//! Questions from a thread that may wait, for as long as they may take: what heals by waiting is asked again until then.

use std::time::Duration;

use tokio::runtime::Handle;
use types::PartitionId;

use super::client::Client;
use super::error;
use super::failure::{Class, Failure};
use crate::Error;
use crate::event_hubs::jitter;

/// How long a question may take, all attempts together.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(3);

pub(super) struct Asker<'a> {
    pub(super) client: &'a Client,
    pub(super) runtime: &'a Handle,
    pub(super) timeout: Duration,
}

impl Asker<'_> {
    /// Must not be called from within the runtime.
    pub(super) fn ask<T, F>(&self, action: &'static str, question: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        self.runtime.block_on(self.ask_until_answered(action, question)).map_err(Error::from)
    }

    /// The same, of a partition that need not be there.
    pub(super) fn ask_of<T, F>(
        &self,
        partition: &PartitionId,
        action: &'static str,
        question: impl Fn() -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        self.ask(action, question).map_err(|error| match error {
            Error::EventHubs(error::Error::HubMissing { .. }) if self.client.was_found() => {
                Error::NoPartition { partition: partition.clone() }
            }
            error => error,
        })
    }

    async fn ask_until_answered<T, F>(&self, action: &'static str, question: impl Fn() -> F) -> Result<T, error::Error>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let deadline = tokio::time::Instant::now() + self.timeout;
        let mut last = None;
        for attempt in 0.. {
            match tokio::time::timeout_at(deadline, question()).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(failure)) => {
                    if let Some(error) = self.client.verdict(action, &failure) {
                        return Err(error);
                    }
                    last = Some(failure);
                }
                Err(_) => break,
            }
            let wait = jitter::back_off(attempt, RETRY_FIRST, RETRY_MAX);
            if tokio::time::Instant::now() + wait >= deadline {
                break;
            }
            tokio::time::sleep(wait).await;
        }
        let silence = || Failure::new(Class::Silent, "no answer", format!("no answer within {:?}", self.timeout));
        Err(self.client.error(action, &last.unwrap_or_else(silence)))
    }
}
