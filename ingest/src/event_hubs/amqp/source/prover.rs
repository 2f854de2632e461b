//! Whether partitions are at their end: asked of the service when nothing is known to be left, and believed only if nothing
//! happened meanwhile.
//!
//! Whoever was asked about longest ago comes first, at a pace the service does not mind for all partitions together.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::debug;

use crate::event_hubs::amqp::client::Client;
use crate::event_hubs::amqp::exchange::{Exchange, Question};
use crate::event_hubs::amqp::rpc::within;

/// Between two questions of one member.
const PACE: Duration = Duration::from_millis(100);
/// For an answer: one that does not come must not keep the other partitions from being asked about.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn prove(client: Arc<Client>, exchange: Arc<Exchange>) {
    loop {
        let Some(question) = next(&exchange) else {
            let _ = tokio::time::timeout(PACE, exchange.idle.notified()).await;
            continue;
        };
        let begun = tokio::time::Instant::now();
        match within(PATIENCE, "a question about a partition", client.partition(question.index)).await {
            Ok(facts) => {
                let extent = facts.extent();
                let mut state = exchange.lock();
                if let Some(lane) = state.lane(question.index, question.generation) {
                    lane.answer(&question, extent, Instant::now());
                }
                drop(state);
                exchange.wake();
            }
            // Others find out what is wrong: whoever reads, and whoever watches the hub.
            Err(failure) => debug!(partition = question.index, reason = failure.reason, "no answer about a partition"),
        }
        tokio::time::sleep_until(begun + PACE).await;
    }
}

fn next(exchange: &Exchange) -> Option<Question> {
    let now = Instant::now();
    let mut state = exchange.lock();
    let mut lanes: Vec<_> = state.lanes.values_mut().collect();
    lanes.sort_by_key(|lane| lane.last_asked());
    lanes.into_iter().find_map(|lane| lane.question(now))
}
