//! Short looks at a partition: one event by its number, or the first after a time.

use std::time::Duration;

use types::{Micros, Position};

use super::client::Client;
use super::event::Event;
use super::failure::{Class, Failure};
use super::filter::From;
use super::link::{Link, Reading};
use crate::{Anchor, Held, Start};

/// The event of exactly this number.
pub(super) async fn record_at(client: &Client, index: u32, position: i64, epoch: Option<u64>) -> Result<Held, Failure> {
    let extent = client.partition(index).await?.extent();
    if position < extent.low.0 || position >= extent.high.0 {
        return Ok(Held::Nothing);
    }
    let from = if position == 0 { From::Earliest } else { From::AfterSequenceNumber(position - 1) };
    let mut link = Link::attach(client, &Reading { index, epoch, from }).await?;
    let found = first(client, &mut link, position, |event| event.sequence_number >= position).await;
    link.close().await;
    let event = found?;
    if event.sequence_number != position {
        return Ok(Held::Nothing);
    }
    Ok(Held::Record(event.show(|record| Anchor::of(&record))))
}

/// Another reader's presence is no answer, neither way.
pub(super) fn unless_refused(held: Result<Held, Failure>) -> Result<Held, Failure> {
    match held {
        Err(failure) if matches!(failure.class, Class::Stolen | Class::Refused) => Ok(Held::Unknown),
        held => held,
    }
}

/// Turns a policy into a number.
pub(super) async fn resolve(
    client: &Client,
    index: u32,
    start: Start,
    epoch: Option<u64>,
) -> Result<Position, Failure> {
    let facts = client.partition(index).await?;
    let extent = facts.extent();
    match start {
        Start::Earliest => Ok(extent.low),
        Start::Latest => Ok(extent.high),
        Start::Time(time) if facts.is_empty || facts.last_enqueued < time => Ok(extent.high),
        Start::Time(time) => after(client, index, time, epoch).await,
    }
}

/// The first event that came at this time or later; there is one.
async fn after(client: &Client, index: u32, time: Micros, epoch: Option<u64>) -> Result<Position, Failure> {
    // The service compares milliseconds, and knows only "after".
    let millis = time.div_euclid(1000) - i64::from(time.rem_euclid(1000) == 0);
    let from = From::AfterMillis(millis);
    let mut link = Link::attach(client, &Reading { index, epoch, from }).await?;
    let found = first(client, &mut link, 0, |event| event.enqueued.is_some_and(|enqueued| enqueued >= time)).await;
    link.close().await;
    Ok(Position(found?.sequence_number))
}

/// `next`: the number that the first event is expected to have.
async fn first(
    client: &Client,
    link: &mut Link,
    mut next: i64,
    is_it: impl Fn(&Event) -> bool,
) -> Result<Event, Failure> {
    let timeout: Duration = client.way.patience.request;
    let deadline = tokio::time::Instant::now() + timeout;
    let mut events = Vec::new();
    loop {
        link.ask(1).await?;
        let read = tokio::time::timeout_at(deadline, link.read(next, &mut events)).await;
        read.map_err(|_| Failure::new(Class::Detached, "no event", format!("no event within {timeout:?}")))??;
        next = events.last().map_or(next, |event| event.sequence_number + 1);
        if let Some(found) = events.drain(..).find(&is_it) {
            return Ok(found);
        }
    }
}
