//! Records of all started partitions through one queue, many at a time.
//!
//! librdkafka hands out an array of messages per call here, against one event per message in `BaseConsumer::poll`: about
//! half the CPU of a drain. It also tells at which offset a partition ended, which the event interface keeps to itself.
//! The consumer's own queue is never read this way: it carries rebalances, and librdkafka would answer those itself.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use types::Micros;

use super::context::Context;
use crate::RawRecord;

/// One thing that came out of the queue.
pub(super) enum Fetched<'a> {
    Record(RawRecord<'a>),
    /// The partition's end *at this offset* was reached: control records before it included.
    End(i64),
    Failed(RDKafkaErrorCode),
}

/// A queue that partitions are forwarded to.
pub(super) struct FetchQueue {
    queue: NonNull<sys::rd_kafka_queue_t>,
    /// Room for one call; all null or dangling between calls, never read then.
    messages: Vec<*mut sys::rd_kafka_message_t>,
    /// Keeps the client alive for as long as the queue.
    consumer: Arc<BaseConsumer<Context>>,
}

// SAFETY: librdkafka's queues may be used from any thread; the message pointers live only within a call of `drain`, which
// borrows the queue exclusively.
unsafe impl Send for FetchQueue {}

impl FetchQueue {
    /// `batch`: messages per call.
    pub(super) fn new(consumer: Arc<BaseConsumer<Context>>, batch: usize) -> Self {
        // SAFETY: the client outlives the queue (it is held beside it); librdkafka aborts rather than return null, and null
        // would be caught here.
        let queue = unsafe { sys::rd_kafka_queue_new(consumer.client().native_ptr()) };
        let queue = NonNull::new(queue).expect("librdkafka allocates or aborts");
        FetchQueue { queue, messages: vec![std::ptr::null_mut(); batch.max(1)], consumer }
    }

    /// Directs a partition's records here. Harmless to repeat: records that waited elsewhere follow in order.
    pub(super) fn forward(&self, topic: &str, partition: i32) {
        let Ok(topic) = CString::new(topic) else { return };
        // SAFETY: `topic` is terminated and outlives the call. The handle from `get_partition` is a reference of our own,
        // null for a partition unknown to the client; it is destroyed here, the forwarding stays with the queue itself.
        unsafe {
            let source =
                sys::rd_kafka_queue_get_partition(self.consumer.client().native_ptr(), topic.as_ptr(), partition);
            if !source.is_null() {
                sys::rd_kafka_queue_forward(source, self.queue.as_ptr());
                sys::rd_kafka_queue_destroy(source);
            }
        }
    }

    /// Takes up to `max` messages (at most one call's worth) and shows each, with its partition, to `visit`. Waits up to
    /// `wait` until there are as many, so wait only for one.
    pub(super) fn drain(&mut self, max: usize, wait: Duration, mut visit: impl FnMut(i32, Fetched<'_>)) -> usize {
        let room = max.min(self.messages.len());
        let millis = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: `messages` has room for `room` pointers; the queue is alive.
        let taken =
            unsafe { sys::rd_kafka_consume_batch_queue(self.queue.as_ptr(), millis, self.messages.as_mut_ptr(), room) };
        let taken = usize::try_from(taken).unwrap_or(0);
        for &message in &self.messages[..taken] {
            // SAFETY: librdkafka wrote `taken` valid messages, each ours until it is destroyed, once, below. What `visit`
            // borrows from a message ends with the call, since `Fetched` carries the borrow's lifetime. (If `visit`
            // panicked, the rest would leak, not dangle.)
            unsafe {
                visit((*message).partition, fetched(&*message));
                sys::rd_kafka_message_destroy(message);
            }
        }
        taken
    }
}

impl Drop for FetchQueue {
    fn drop(&mut self) {
        // SAFETY: made by `rd_kafka_queue_new`, destroyed once; `consumer` is dropped after this.
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

/// # Safety
/// The message must have come from librdkafka and not be destroyed while the result lives.
unsafe fn fetched(message: &sys::rd_kafka_message_t) -> Fetched<'_> {
    match message.err {
        sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => {}
        sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF => return Fetched::End(message.offset),
        error => return Fetched::Failed(error.into()),
    }
    // SAFETY: key and payload point to `key_len` and `len` bytes within the message, or are null; the caller vouches for
    // their life.
    let (key, payload, millis) = unsafe {
        let key = bytes(message.key, message.key_len);
        let payload = bytes(message.payload, message.len);
        (key, payload, sys::rd_kafka_message_timestamp(message, std::ptr::null_mut()))
    };
    Fetched::Record(RawRecord {
        position: message.offset,
        broker_time: broker_time(millis),
        key: key.unwrap_or_default(),
        payload,
    })
}

/// # Safety
/// `start` is null or begins `len` readable bytes that outlive `'a`.
unsafe fn bytes<'a>(start: *const std::ffi::c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    (!start.is_null()).then(|| unsafe { std::slice::from_raw_parts(start.cast::<u8>(), len) })
}

/// Milliseconds as the broker has them, negative for none.
pub(super) fn broker_time(millis: i64) -> Option<Micros> {
    (millis >= 0).then(|| millis.saturating_mul(1000))
}
