//! A receiver link to one partition: attached with a filter and an epoch, fed with credit, read in bursts.
//!
//! Four habits of fe2o3-amqp 0.18 are worked around here. Credit that refills by itself does so only as deliveries are settled, so
//! that a link whose deliveries come settled stalls: credit is given by hand. A receiver that lowers its credit refuses what is on
//! its way already: credit is never lowered. A receiver that goes while events are on their way to it ends its session, and soon
//! after the connection: it is closed before it goes, which takes in what still comes. And the filter in the answer to an attach is
//! compared with the one that was asked for, which the service does not promise to repeat: that check is off.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use fe2o3_amqp::link::{CreditMode, RecvError};
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::{Delivery, Receiver};
use fe2o3_amqp_types::definitions::{Fields, ReceiverSettleMode, SenderSettleMode};
use fe2o3_amqp_types::messaging::{Body, Source};
use serde_amqp::Value;
use serde_amqp::primitives::Symbol;
use tokio::runtime::Handle;
use tracing::warn;

use super::client::{Client, Gone, Session};
use super::event::Event;
use super::failure::{Class, Failure};
use super::filter::From;
use super::rpc::within;

/// Events taken in one go, while they are there.
const BURST: usize = 512;

pub(super) struct Link {
    /// None once it was closed.
    ends: Option<Ends>,
    pub(super) connection: u64,
    /// Events that were asked for and have not come yet.
    pub(super) credit: u32,
    timeout: Duration,
    gone: Gone,
    /// Why it is over, when events came before.
    broken: Option<Failure>,
}

struct Ends {
    receiver: Receiver,
    session: SessionHandle<()>,
}

/// More than the service takes in any tier; a peer that sends on and on is cut off.
const MESSAGE_BYTES_MAX: u64 = 64 << 20;

/// Where and as whom to read.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) index: u32,
    /// Cuts off readers with a smaller or the same one. None: reads beside others without one, and is refused beside one with one.
    pub(super) epoch: Option<u64>,
    pub(super) from: From,
}

impl Link {
    pub(super) async fn attach(client: &Client, reading: &Reading) -> Result<Self, Failure> {
        let timeout = client.way.patience.request;
        let Session { mut handle, connection, gone } = client.session().await?;
        let receiver = client.attach(connection, attach(client, reading, &mut handle)).await?;
        let ends = Some(Ends { receiver, session: handle });
        Ok(Link { ends, connection, credit: 0, timeout, gone, broken: None })
    }

    /// Asks for so many events in all, counted from now; fewer than before is no change.
    pub(super) async fn ask(&mut self, events: u32) -> Result<(), Failure> {
        let Some(Ends { receiver, .. }) = &mut self.ends else { return Err(Failure::given_up()) };
        if events > self.credit {
            within(self.timeout, "flow", async { Ok(receiver.set_credit(events).await?) }).await?;
            self.credit = events;
        }
        Ok(())
    }

    /// Waits for an event, and takes what else is there. Harmless to give up: nothing is lost. `next`: the number of the event that
    /// is expected.
    pub(super) async fn read(&mut self, mut next: i64, events: &mut Vec<Event>) -> Result<(), Failure> {
        if let Some(failure) = self.broken.take() {
            return Err(failure);
        }
        let Some(Ends { receiver, .. }) = &mut self.ends else { return Err(Failure::given_up()) };
        let mut settled = Vec::new();
        let first = tokio::select! {
            first = receiver.recv::<Body<Value>>() => first,
            () = self.gone.wait() => return Err(Failure::given_up()),
        };
        let mut received = Some(first);
        while let Some(delivery) = received.take() {
            self.credit = self.credit.saturating_sub(1);
            match delivery {
                Ok(delivery) => {
                    let (info, message) = delivery.into_parts();
                    settled.push(info);
                    let Some(event) = Event::of(message) else {
                        return Err(Failure::new(Class::Detached, "event", "an event without a sequence number"));
                    };
                    next = event.sequence_number + 1;
                    events.push(event);
                }
                // It has been counted, and the link goes on. Without a gap in the numbers, it can only be the next.
                Err(RecvError::MessageDecode(error)) => {
                    warn!(sequence_number = next, error = ?error.source, "an event cannot be read: it counts as empty");
                    settled.push(error.info);
                    events.push(Event::unreadable(next));
                    next += 1;
                }
                Err(error) if events.is_empty() => return Err(error.into()),
                // What came before it counts; why the link is over is not said twice.
                Err(error) => {
                    self.broken = Some(error.into());
                    return Ok(());
                }
            }
            if events.len() < BURST {
                received = ready(receiver).await;
            }
        }
        // Does nothing to deliveries that came settled, as was asked for.
        receiver.accept_all(settled).await.map_err(|error| Failure::new(Class::Detached, "settle", error.to_string()))
    }

    /// Lets go of the partition, so that the next reader need not cut us off.
    pub(super) async fn close(mut self) {
        if let Some(ends) = self.ends.take() {
            ends.close(self.timeout).await;
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let (Some(ends), Ok(runtime)) = (self.ends.take(), Handle::try_current()) {
            runtime.spawn(ends.close(self.timeout));
        }
    }
}

impl Ends {
    async fn close(self, timeout: Duration) {
        let Ends { receiver, session } = self;
        let _ = tokio::time::timeout(timeout, receiver.close()).await;
        drop(session);
    }
}

/// What has come already.
async fn ready(receiver: &mut Receiver) -> Option<Result<Delivery<Body<Value>>, RecvError>> {
    // Receiving may be given up at any moment.
    let mut receiving = pin!(receiver.recv::<Body<Value>>());
    poll_fn(|context| match receiving.as_mut().poll(context) {
        Poll::Ready(received) => Poll::Ready(Some(received)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

async fn attach(client: &Client, reading: &Reading, session: &mut SessionHandle<()>) -> Result<Receiver, Failure> {
    let address = format!("{}/ConsumerGroups/{}/Partitions/{}", client.way.place.hub, client.group, reading.index);
    let source = Source::builder().address(address).filter(reading.from.filter()).build();
    let name = client.link_name(&format!("partition-{}", reading.index));
    let mut properties = Fields::new();
    properties.insert(Symbol::from("com.microsoft:receiver-name"), Value::String(name.clone()));
    if let Some(epoch) = reading.epoch {
        let epoch = i64::try_from(epoch).unwrap_or(i64::MAX);
        properties.insert(Symbol::from("com.microsoft:epoch"), Value::Long(epoch));
    }
    let builder = Receiver::builder()
        .name(name)
        .source(source)
        .receiver_settle_mode(ReceiverSettleMode::First)
        .sender_settle_mode(SenderSettleMode::Settled)
        .credit_mode(CreditMode::Manual)
        .verify_incoming_source(false)
        .max_message_size(MESSAGE_BYTES_MAX)
        .set_desired_capabilities(vec![Symbol::from("com.microsoft:georeplication")])
        .properties(properties);
    Ok(builder.attach(session).await?)
}
