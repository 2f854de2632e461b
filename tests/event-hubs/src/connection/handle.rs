//! What others hold of a connection: they may wake it, and give it orders.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::faults::Links;
use crate::frames::Refusal;
use crate::hub::{Reader, lock};

pub(crate) enum Order {
    Drop,
    HalfOpen,
    Close(Refusal),
    End(Option<Refusal>),
    Detach { hub: Option<String>, partition: Option<usize>, links: Links, why: Refusal },
    DetachReader { reader: Arc<Reader>, why: Refusal },
    ExpireTokens,
}

pub(crate) struct Handle {
    id: u64,
    orders: Mutex<VecDeque<Order>>,
    notify: Notify,
}

impl Handle {
    pub(crate) fn new(id: u64) -> Self {
        Self { id, orders: Mutex::default(), notify: Notify::new() }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn order(&self, order: Order) {
        lock(&self.orders).push_back(order);
        self.notify.notify_one();
    }

    pub(crate) fn wake(&self) {
        self.notify.notify_one();
    }

    pub(crate) async fn woken(&self) {
        self.notify.notified().await;
    }

    pub(crate) fn next_order(&self) -> Option<Order> {
        lock(&self.orders).pop_front()
    }
}
