//! What the polling thread is handed of what the tasks put in: turns, sizes, bounds, ends.

use std::time::{Duration, Instant};

use super::*;
use crate::Extent;
use crate::event_hubs::amqp::event::Event;

const PREFETCH: usize = 100;

fn exchange(bound: Option<i64>) -> Exchange {
    let exchange = Exchange::new(10, Wanted::default());
    for index in 0..2 {
        start(&exchange, index, 1, bound);
    }
    exchange
}

fn start(exchange: &Exchange, index: u32, generation: u64, bound: Option<i64>) {
    let id = PartitionId { topic: "hub".into(), index };
    let mut lane = Lane::new(id, generation, Some(7), PREFETCH);
    lane.start(5, None, extent(0, 100), bound);
    exchange.lock().lanes.insert(index, lane);
}

fn extent(low: i64, high: i64) -> Extent {
    Extent { low: Position(low), high: Position(high) }
}

fn offer(exchange: &Exchange, index: u32, generation: u64, numbers: std::ops::Range<i64>) -> bool {
    let mut events = numbers.map(|number| Event::test(number, b"payload")).collect();
    exchange.offer(index, generation, &mut events).is_ok()
}

fn take(exchange: &Exchange) -> Option<(u32, Vec<i64>)> {
    let records = exchange.lock().next_records()?;
    Some((records.partition().index, records.iter().map(|record| record.position).collect()))
}

#[test]
fn lanes_take_turns_and_batches_have_a_size() {
    let exchange = exchange(None);
    assert!(offer(&exchange, 0, 1, 5..30) && offer(&exchange, 1, 1, 5..20));
    let batches: Vec<_> = std::iter::from_fn(|| take(&exchange)).collect();
    let expected: Vec<(u32, Vec<i64>)> = vec![
        (1, (5..15).collect()),
        (0, (5..15).collect()),
        (1, (15..20).collect()),
        (0, (15..25).collect()),
        (0, (25..30).collect()),
    ];
    assert_eq!(batches, expected);
    let cursor = exchange.cursor(0, 1).ok().unwrap();
    assert_eq!((cursor.next, cursor.offset.as_deref(), cursor.epoch), (30, Some("o29"), Some(7)));
}

#[test]
fn an_event_without_a_name_takes_none_of_the_one_before() {
    let exchange = exchange(None);
    let mut events = vec![Event::test(5, b"payload"), Event::unreadable(6)];
    exchange.offer(0, 1, &mut events).ok().unwrap();
    let cursor = exchange.cursor(0, 1).ok().unwrap();
    assert_eq!((cursor.next, cursor.offset), (7, None), "who goes on after 5 would take 6 for 7");
    let records = exchange.lock().next_records().unwrap();
    assert_eq!((records.len(), records.offset()), (2, None));
    assert_eq!(records.last().unwrap().payload, Some(&b""[..]));
}

#[test]
fn what_belongs_to_an_earlier_start_or_lies_before_it_is_dropped() {
    let exchange = exchange(None);
    assert!(offer(&exchange, 0, 1, 2..8));
    assert_eq!(take(&exchange), Some((0, vec![5, 6, 7])));
    assert!(offer(&exchange, 0, 1, 8..9));
    start(&exchange, 0, 2, None);
    assert!(!offer(&exchange, 0, 1, 9..10), "of the start before");
    assert!(exchange.room(0, 1).is_err() && exchange.cursor(0, 1).is_err());
    assert_eq!(take(&exchange), None);
    assert!(offer(&exchange, 0, 2, 5..6));
    assert_eq!(take(&exchange), Some((0, vec![5])));
}

#[test]
fn room_is_bounded_in_events_and_in_bytes() {
    let exchange = exchange(None);
    let room = || exchange.room(0, 1).ok().unwrap();
    assert_eq!(room().events, 16, "before anything is known of their size");
    offer(&exchange, 0, 1, 5..65);
    assert_eq!(room().events, PREFETCH as u32 - 60);
    offer(&exchange, 0, 1, 65..105);
    assert_eq!(room().events, 0);
    while take(&exchange).is_some() {}
    // After large events fewer are asked for, but always one.
    let large = vec![0; 10 * 1024 * 1024];
    for number in 105..108 {
        exchange.offer(0, 1, &mut vec![Event::test(number, &large)]).ok().unwrap();
    }
    assert_eq!(room().events, 0);
    while take(&exchange).is_some() {}
    assert!((1..=3).contains(&room().events), "{:?}", room());
    exchange.lock().lanes.get_mut(&0).unwrap().pause(true);
    assert!(room().is_paused);
}

#[test]
fn what_expires_behind_a_bound_is_no_loss() {
    let exchange = exchange(None);
    offer(&exchange, 0, 1, 5..8);
    take(&exchange);
    start(&exchange, 1, 2, Some(8));
    offer(&exchange, 1, 2, 5..8);
    take(&exchange);
    let now = Instant::now();
    let mut state = exchange.lock();
    let lane = state.lanes.get_mut(&0).unwrap();
    let question = lane.question(now).unwrap();
    lane.answer(&question, extent(15, 20), now);
    assert_eq!(lane.expired(), Some(extent(15, 20)));
    let lane = state.lanes.get_mut(&1).unwrap();
    assert_eq!(lane.question(now), None);
    assert_eq!(lane.expired(), None);
}

#[test]
fn a_bounded_lane_ends_once_and_asks_for_no_more() {
    let exchange = exchange(Some(8));
    offer(&exchange, 0, 1, 5..7);
    assert_eq!(exchange.lock().next_end(), None);
    offer(&exchange, 0, 1, 7..12);
    assert_eq!(exchange.lock().next_end(), None, "there are records left");
    assert_eq!(take(&exchange), Some((0, vec![5, 6, 7])));
    assert_eq!(exchange.room(0, 1).ok().unwrap().events, 0);
    exchange.lock().lanes.get_mut(&0).unwrap().pause(true);
    assert_eq!(exchange.lock().next_end(), None, "paused");
    exchange.lock().lanes.get_mut(&0).unwrap().pause(false);
    assert_eq!(exchange.lock().next_end().map(|(_, position)| position), Some(Position(8)));
    assert_eq!(exchange.lock().next_end(), None, "told twice");
}

#[test]
fn an_end_is_believed_only_while_nothing_happens() {
    type Happen = fn(&Exchange);
    let happenings: [(Happen, bool); 4] = [
        (|_| {}, true),
        (
            |exchange| {
                offer(exchange, 0, 1, 15..16);
            },
            false,
        ),
        (
            |exchange| {
                let mut state = exchange.lock();
                let lane = state.lanes.get_mut(&0).unwrap();
                lane.pause(true);
                lane.pause(false);
            },
            false,
        ),
        (
            |exchange| {
                offer(exchange, 0, 1, 15..16);
                take(exchange);
            },
            false,
        ),
    ];
    let now = Instant::now();
    for (happen, is_believed) in happenings {
        let exchange = exchange(None);
        offer(&exchange, 0, 1, 5..15);
        while take(&exchange).is_some() {}
        let question = exchange.lock().lane(0, 1).unwrap().question(now).unwrap();
        happen(&exchange);
        let mut state = exchange.lock();
        let lane = state.lane(0, 1).unwrap();
        lane.answer(&question, extent(0, 15), now);
        assert_eq!(lane.caught_up(now).is_some(), is_believed);
        assert!(lane.caught_up(now).is_none(), "told twice for one answer");
        assert!(lane.question(now + Duration::from_millis(900)).is_none(), "asked too often");
        let is_behind = lane.question(now + Duration::from_secs(11)).unwrap();
        lane.answer(&is_behind, extent(0, 20), now);
        assert!(lane.caught_up(now).is_none(), "there is more");
    }
}

#[test]
fn a_link_over_which_nothing_comes_is_not_believed_for_ever() {
    let exchange = exchange(None);
    let begin = Instant::now();
    let mut state = exchange.lock();
    let lane = state.lane(0, 1).unwrap();
    let mut answer = |seconds, high| {
        let now = begin + Duration::from_secs(seconds);
        let question = lane.question(now).unwrap();
        lane.answer(&question, extent(0, high), now);
        lane.room(usize::MAX).is_stalled
    };
    assert!(!answer(0, 9) && !answer(59, 9));
    assert!(!answer(61, 5), "there is nothing to come");
    assert!(!answer(70, 9) && !answer(100, 12));
    assert!(answer(131, 12));
    lane.attached();
    assert!(!lane.room(usize::MAX).is_stalled);
}
