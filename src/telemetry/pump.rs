//! Bounded queues to the telemetry thread: whoever fills one never waits, and what does not fit is dropped and counted.

use std::time::Duration;

use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::watch;
use tokio::time::sleep;

/// Items sent at once, at most.
pub(super) const BATCH_MAX: usize = 512;
/// Items that wait, at most.
const QUEUE_MAX: usize = 8192;
/// How long the first of a batch waits for company.
const LINGER: Duration = Duration::from_secs(1);

/// The end that is filled.
pub(super) struct Queue<T> {
    sender: Sender<T>,
    dropped: metrics::Counter,
}

pub(super) fn queue<T>(dropped: metrics::Counter) -> (Queue<T>, Receiver<T>) {
    let (sender, receiver) = mpsc::channel(QUEUE_MAX);
    (Queue { sender, dropped }, receiver)
}

impl<T> Queue<T> {
    pub(super) fn push(&self, item: T) {
        if self.sender.try_send(item).is_err() {
            self.dropped.increment(1);
        }
    }
}

/// Set once: what is still there is sent, and then it is over.
pub(super) type Stop = watch::Receiver<bool>;

pub(super) async fn stopped(stop: &mut Stop) {
    // Whoever could set it is gone: over, too.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Sends what comes in batches, until it is stopped and nothing is left.
pub(super) async fn pump<T>(mut queue: Receiver<T>, mut stop: Stop, mut send: impl AsyncFnMut(Vec<T>)) {
    loop {
        let mut batch = Vec::new();
        tokio::select! {
            biased;
            count = queue.recv_many(&mut batch, BATCH_MAX) => if count == 0 { return },
            () = stopped(&mut stop) => return,
        }
        if batch.len() < BATCH_MAX {
            tokio::select! {
                () = sleep(LINGER) => {}
                () = stopped(&mut stop) => {}
            }
            while batch.len() < BATCH_MAX
                && let Ok(item) = queue.try_recv()
            {
                batch.push(item);
            }
        }
        send(batch).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn batches_are_bounded_and_nothing_is_left_behind_at_the_end() {
        let (queue, receiver) = queue(metrics::Counter::noop());
        let (stop, stopping) = watch::channel(false);
        for item in 0..1000 {
            queue.push(item);
        }
        stop.send(true).unwrap();
        let sent = RefCell::new(Vec::new());
        pump(receiver, stopping, async |batch: Vec<i32>| sent.borrow_mut().push(batch)).await;
        let sent = sent.into_inner();
        assert_eq!(sent.iter().map(Vec::len).collect::<Vec<_>>(), [BATCH_MAX, 1000 - BATCH_MAX]);
        assert_eq!(sent.concat(), (0..1000).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_of_a_batch_waits_for_company() {
        let (queue, receiver) = queue(metrics::Counter::noop());
        let (stop, stopping) = watch::channel(false);
        let sent = RefCell::new(Vec::new());
        let fill = async {
            for item in 0..4 {
                queue.push(item);
                sleep(LINGER / 2 - Duration::from_millis(1)).await;
            }
            stop.send(true).unwrap();
        };
        tokio::join!(pump(receiver, stopping, async |batch: Vec<i32>| sent.borrow_mut().push(batch)), fill);
        assert_eq!(sent.into_inner(), [vec![0, 1, 2], vec![3]]);
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_nobody_waits() {
        let (queue, mut receiver) = queue(metrics::Counter::noop());
        for item in 0..2 * QUEUE_MAX {
            queue.push(item);
        }
        let mut kept = Vec::new();
        while let Ok(item) = receiver.try_recv() {
            kept.push(item);
        }
        assert_eq!(kept, (0..QUEUE_MAX).collect::<Vec<_>>());
    }
}
