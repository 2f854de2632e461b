//! What only an administrator does to a topic.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use ingest::kafka::Config;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::WAIT;

pub(crate) struct Admin {
    client: AdminClient<DefaultClientContext>,
    topic: String,
}

impl Admin {
    pub(crate) fn new(config: &Config) -> Admin {
        let client = ClientConfig::new().set("bootstrap.servers", &config.brokers).create().unwrap();
        Admin { client, topic: config.topic.clone() }
    }

    /// Deletes the records before `position`, as retention does.
    pub(crate) fn delete_records(&self, partition: i32, position: i64) {
        let mut before = TopicPartitionList::new();
        before.add_partition_offset(&self.topic, partition, Offset::Offset(position)).unwrap();
        let done = block_on(self.client.delete_records(&before, &options())).unwrap();
        done.elements()[0].error().unwrap();
    }

    pub(crate) fn create_partitions(&self, partitions: usize) {
        let new = NewPartitions::new(&self.topic, partitions);
        let done = block_on(self.client.create_partitions([&new], &options())).unwrap();
        assert!(done.iter().all(Result::is_ok), "{done:?}");
    }

    pub(crate) fn delete_topic(&self) {
        let done = block_on(self.client.delete_topics(&[&self.topic], &options())).unwrap();
        assert!(done.iter().all(Result::is_ok), "{done:?}");
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(WAIT)).operation_timeout(Some(WAIT))
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}
