//! Our own members among themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use ingest::event_hubs::{Membership, Strategy};

use super::support::{Place, until};

const PARTITIONS: u32 = 32;
const EXPIRY: Duration = Duration::from_secs(3);

fn is_balanced(counts: &[usize]) -> bool {
    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    counts.iter().sum::<usize>() == PARTITIONS as usize && most - least <= 1
}

#[test]
fn three_members_share_32_partitions_and_take_over_from_those_that_leave_or_die() {
    let Some(place) = Place::new() else { return };
    for strategy in [Strategy::Greedy, Strategy::Balanced] {
        let mut first = place.member(strategy, EXPIRY, PARTITIONS);
        let mut second = place.member(strategy, EXPIRY, PARTITIONS);
        let mut third = place.member(strategy, EXPIRY, PARTITIONS);
        until("three share", &mut [&mut first, &mut second, &mut third], is_balanced);

        third.member.leave();
        until("one left", &mut [&mut first, &mut second], is_balanced);
        let counted = place.owners();
        let ours = |id: &str| counted.values().filter(|owner| *owner == id).count();
        assert_eq!((ours(first.member.id()), ours(second.member.id())), (16, 16));

        // Its task is aborted, and its notes stay.
        drop(second);
        first.until("one died", |first| first.held.len() == PARTITIONS as usize);
        first.member.leave();
        let released: BTreeMap<u32, String> = (0..PARTITIONS).map(|partition| (partition, String::new())).collect();
        assert_eq!(place.owners(), released);
    }
}

#[test]
fn a_member_for_whom_there_is_nothing_is_told_so_and_a_hub_may_grow() {
    let Some(place) = Place::new() else { return };
    let mut first = place.member(Strategy::Greedy, EXPIRY, 1);
    first.until("the only partition", |first| first.held == [0]);
    let mut second = place.member(Strategy::Greedy, EXPIRY, 1);
    second.until("it looked", |second| second.was_told);
    assert_eq!((second.held.len(), first.look()), (0, 1));
    for member in [&mut first, &mut second] {
        member.member.hub_has(2);
    }
    until("one each", &mut [&mut first, &mut second], |counts| counts == [1, 1]);
    for member in [&mut first, &mut second] {
        member.member.leave();
    }
}

#[test]
fn a_stolen_partition_is_not_renewed_and_comes_back_when_its_note_is_still_ours() {
    let Some(place) = Place::new() else { return };
    let mut member = place.member(Strategy::Greedy, Duration::from_secs(120), 2);
    member.until("both", |member| member.held.len() == 2);
    member.held.retain(|partition| *partition != 1);
    member.member.stolen(1);
    assert_eq!(place.owners()[&1], member.member.id(), "its note stays");
    // Told as gained anew, never as lost, after at most the longest wait.
    member.until("back", |member| member.held.len() == 2);

    // Another has the note: there is nothing to come back to.
    member.held.retain(|partition| *partition != 0);
    member.member.stolen(0);
    let store = place.store();
    let seen = place.runtime.block_on(store.ownership(&BTreeMap::new())).unwrap().remove(&0).unwrap();
    place.runtime.block_on(store.claim(0, "another", Some(&seen.version))).unwrap().expect("it was seen as it is");
    member.member.hub_has(5);
    // Its share of five is three; the two others are another's and free.
    member.until("three of five", |member| member.held.len() >= 3);
    assert!(!member.held.contains(&0));
    member.member.leave();
    assert_eq!(place.owners()[&0], "another");
}
