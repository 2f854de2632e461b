//! Whether partitions are at their end: asked of the service when nothing is known to be left, and believed only if nothing
//! happened meanwhile.
//!
//! Whoever was asked about longest ago comes first, at a pace the service does not mind for all partitions together.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::{JoinError, JoinSet};
use tracing::debug;

use crate::event_hubs::amqp::client::Client;
use crate::event_hubs::amqp::exchange::{Exchange, Question};
use crate::event_hubs::amqp::failure::Failure;
use crate::event_hubs::jitter;

/// Between two questions of one member.
const PACE: Duration = Duration::from_millis(100);
/// For an answer: one that does not come must not keep the other partitions from being asked about.
const PATIENCE: Duration = Duration::from_secs(2);
/// Questions at the same time: those to a service that is away wait for it.
const TOGETHER: usize = 2;
/// Between questions to a service that refuses to answer: the first, doubled up to the last.
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(2);

pub(super) async fn prove(client: Arc<Client>, exchange: Arc<Exchange>) {
    // They end with this.
    let mut asking = JoinSet::new();
    let mut failures = 0;
    loop {
        if asking.len() >= TOGETHER {
            let answered = asking.join_next().await;
            settle(answered, &mut asking, &mut failures).await;
        }
        let Some(question) = next(&exchange) else {
            let _ = tokio::time::timeout(PACE, exchange.idle.notified()).await;
            continue;
        };
        let begun = tokio::time::Instant::now();
        asking.spawn(ask(Arc::clone(&client), Arc::clone(&exchange), question));
        // One that nobody answers goes on beside the next, and gives the connection up in the end.
        if let Ok(answered) = tokio::time::timeout(PATIENCE, asking.join_next()).await {
            settle(answered, &mut asking, &mut failures).await;
        }
        tokio::time::sleep_until(begun + PACE).await;
    }
}

type Answered = Result<(), Failure>;

/// Waits after failures, once for all that came together.
async fn settle(first: Option<Result<Answered, JoinError>>, asking: &mut JoinSet<Answered>, failures: &mut u32) {
    let mut least = None;
    for answered in first.into_iter().chain(std::iter::from_fn(|| asking.try_join_next())) {
        match answered {
            Ok(Err(failure)) => least = Some(failure.least_wait()),
            _ => *failures = 0,
        }
    }
    if let Some(least) = least {
        let wait = jitter::back_off(*failures, RETRY_FIRST, RETRY_MAX) + least;
        *failures = failures.saturating_add(1);
        tokio::time::sleep(wait).await;
    }
}

async fn ask(client: Arc<Client>, exchange: Arc<Exchange>, question: Question) -> Answered {
    match client.partition(question.index).await {
        Ok(facts) => {
            let extent = facts.extent();
            let mut state = exchange.lock();
            if let Some(lane) = state.lane(question.index, question.generation) {
                lane.answer(&question, extent, Instant::now());
            }
            drop(state);
            exchange.wake();
            Ok(())
        }
        // Others find out what is wrong: whoever reads, and whoever watches the hub.
        Err(failure) => {
            debug!(partition = question.index, reason = failure.reason, "no answer about a partition");
            Err(failure)
        }
    }
}

fn next(exchange: &Exchange) -> Option<Question> {
    let now = Instant::now();
    let mut state = exchange.lock();
    let mut lanes: Vec<_> = state.lanes.values_mut().collect();
    lanes.sort_by_key(|lane| lane.last_asked());
    lanes.into_iter().find_map(|lane| lane.question(now))
}
