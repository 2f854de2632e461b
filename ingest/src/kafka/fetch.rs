//! Records of all started partitions through one queue.
//!
//! librdkafka shows many messages per call here, against one event per message in `BaseConsumer::poll`. It also tells at
//! which offset a partition ended, which the crate's event interface keeps to itself. The consumer's own queue is never
//! read this way: it carries rebalances, and librdkafka would answer those itself.
//!
//! `rd_kafka_consume_callback_queue` is the quickest way, but takes the whole queue aside while it calls back: the fetcher then
//! finds the queue empty and fetches on, so that a consumer slower than its broker would soon hold all there is. A queue
//! that is longer than it should be is therefore read by `rd_kafka_consume_queue`, one call a message, which leaves the rest
//! where it counts. Not `rd_kafka_consume_batch_queue`: up to 2.12 at least it counts the end of a partition as a message of
//! that offset, so that the next pause or rebalance resumes one record too late.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_void};
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
    Record(RawRecord<'a>, Headers<'a>),
    /// The partition's end *at this offset* was reached: control records before it included.
    End(i64),
    Failed(RDKafkaErrorCode),
}

/// The headers of a message, looked at only when they are asked for.
pub(super) struct Headers<'a>(&'a sys::rd_kafka_message_t);

impl<'a> Headers<'a> {
    /// The value of the first header of this name; none, too, if it is null.
    pub(super) fn first(&self, name: &CStr) -> Option<&'a [u8]> {
        use sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR as OK;
        let (mut headers, mut value, mut length) = (std::ptr::null_mut(), std::ptr::null(), 0);
        // SAFETY: the message is alive for `'a` and its headers with it: they are its own, parsed once (on this thread, nobody
        // else has the message) and freed with it. `name` is terminated; the value is `length` bytes within the headers.
        unsafe {
            if sys::rd_kafka_message_headers(self.0, &raw mut headers) != OK {
                return None;
            }
            let found = sys::rd_kafka_header_get(headers, 0, name.as_ptr(), &raw mut value, &raw mut length);
            if found == OK { bytes(value, length) } else { None }
        }
    }
}

/// A queue that partitions are forwarded to.
pub(super) struct FetchQueue {
    queue: NonNull<sys::rd_kafka_queue_t>,
    /// Keeps the client alive for as long as the queue.
    consumer: Arc<BaseConsumer<Context>>,
    /// A longer queue is read with care.
    length_max: usize,
}

// SAFETY: librdkafka's queues may be used from any thread.
unsafe impl Send for FetchQueue {}

impl FetchQueue {
    pub(super) fn new(consumer: Arc<BaseConsumer<Context>>, length_max: usize) -> Self {
        // SAFETY: the client outlives the queue (it is held beside it); librdkafka aborts rather than return null, and null
        // would be caught here.
        let queue = unsafe { sys::rd_kafka_queue_new(consumer.client().native_ptr()) };
        let queue = NonNull::new(queue).expect("librdkafka allocates or aborts");
        FetchQueue { queue, consumer, length_max }
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

    /// Takes up to `max` messages and shows each, with its partition, to `visit`; waits up to `wait` for the first.
    pub(super) fn drain(&mut self, max: usize, wait: Duration, visit: &mut dyn FnMut(i32, Fetched<'_>)) {
        let millis = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the queue is alive.
        if unsafe { sys::rd_kafka_queue_length(self.queue.as_ptr()) } > self.length_max {
            return self.drain_one_by_one(max, visit);
        }
        let client = self.consumer.client().native_ptr();
        let mut call = Call { client, left: max, visit };
        // SAFETY: the queue is alive, and `call` outlives this call, the only one that uses it: librdkafka calls back on
        // this thread, before it returns.
        unsafe {
            sys::rd_kafka_consume_callback_queue(
                self.queue.as_ptr(),
                millis,
                Some(show),
                std::ptr::from_mut(&mut call).cast::<c_void>(),
            );
        }
    }

    fn drain_one_by_one(&mut self, max: usize, visit: &mut dyn FnMut(i32, Fetched<'_>)) {
        for _ in 0..max {
            // SAFETY: the queue is alive. A message is ours until it is destroyed, which happens once, after `visit` has
            // returned: what that borrows from it cannot be kept, since `Fetched` carries the borrow's lifetime.
            unsafe {
                let message = sys::rd_kafka_consume_queue(self.queue.as_ptr(), 0);
                if message.is_null() {
                    return;
                }
                visit((*message).partition, fetched(&*message));
                sys::rd_kafka_message_destroy(message);
            }
        }
    }
}

/// What a callback needs to know.
struct Call<'a> {
    client: *mut sys::rd_kafka_t,
    left: usize,
    visit: &'a mut dyn FnMut(i32, Fetched<'_>),
}

/// # Safety
/// Called by librdkafka during `drain`, with a message of its own and the `Call` that `drain` made.
unsafe extern "C" fn show(message: *mut sys::rd_kafka_message_t, call: *mut c_void) {
    // SAFETY: `call` is the one that `drain` passed and nobody else uses now; the message lives until this returns, and what
    // `visit` borrows from it ends with the call, since `Fetched` carries the borrow's lifetime. A panic would abort here.
    unsafe {
        let call = &mut *call.cast::<Call<'_>>();
        (call.visit)((*message).partition, fetched(&*message));
        call.left = call.left.saturating_sub(1);
        if call.left == 0 {
            // The rest goes back to the head of the queue.
            sys::rd_kafka_yield(call.client);
        }
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
    let record =
        RawRecord { position: message.offset, broker_time: broker_time(millis), key: key.unwrap_or_default(), payload };
    Fetched::Record(record, Headers(message))
}

/// # Safety
/// `start` is null or begins `len` readable bytes that outlive `'a`.
unsafe fn bytes<'a>(start: *const c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    (!start.is_null()).then(|| unsafe { std::slice::from_raw_parts(start.cast::<u8>(), len) })
}

/// Milliseconds as the broker has them, negative for none.
pub(super) fn broker_time(millis: i64) -> Option<Micros> {
    (millis >= 0).then(|| millis.saturating_mul(1000))
}
