//! What the hub is, at the start and about once a minute: partitions may be added, and it may be gone or made anew.

use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, warn};

use crate::event_hubs::amqp::client::Client;
use crate::event_hubs::amqp::exchange::Exchange;
use crate::event_hubs::jitter;

/// Between two looks at the hub.
const EVERY_MIN: Duration = Duration::from_secs(40);
const EVERY_MAX: Duration = Duration::from_secs(60);
/// Between two attempts, besides what connecting waits for itself.
const RETRY_MIN: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(2);

pub(super) async fn watch(client: Arc<Client>, exchange: Arc<Exchange>) {
    let mut failures = 0_u32;
    loop {
        match client.hub().await {
            Ok(facts) => {
                failures = 0;
                exchange.set_hub(facts);
                tokio::time::sleep(jitter::between(EVERY_MIN, EVERY_MAX)).await;
                continue;
            }
            Err(failure) => {
                failures = failures.saturating_add(1);
                if let Some(error) = client.ending("read the event hub", &failure) {
                    exchange.fail(None, error.into());
                    tokio::time::sleep(EVERY_MAX).await;
                } else if failures.is_power_of_two() {
                    warn!(reason = failure.reason, failures, "the event hub does not answer, trying again");
                } else {
                    debug!(reason = failure.reason, "the event hub does not answer");
                }
            }
        }
        tokio::time::sleep(jitter::between(RETRY_MIN, RETRY_MAX)).await;
    }
}
