//! How the group shares the topic, as its coordinator tells it.
//!
//! What each member reads comes in the bytes that the members' leader wrote (Kafka's consumer protocol, "Assignment"):
//! `version: i16`, then for each topic its name and the numbers of its partitions. They are others' bytes: whatever they
//! are, they are read to `None` at worst.

use std::collections::BTreeSet;

use rdkafka::groups::GroupList;

use crate::Sharing;

pub(super) fn of(groups: &GroupList, name: &str, topic: &str) -> Sharing {
    let Some(group) = groups.groups().iter().find(|group| group.name() == name) else { return Sharing::Unknown };
    match group.state() {
        "Stable" => {
            let members = group.members().iter().map(|member| partitions(member.assignment().unwrap_or(&[]), topic));
            members.collect::<Option<Vec<_>>>().map_or(Sharing::Unknown, Sharing::Settled)
        }
        "PreparingRebalance" | "CompletingRebalance" | "Empty" => Sharing::Unsettled,
        // Groups of the newer protocol have other states, and tell of members in another way.
        _ => Sharing::Unknown,
    }
}

/// The partitions of the topic in an assignment; none if it has no bytes.
fn partitions(assignment: &[u8], topic: &str) -> Option<BTreeSet<u32>> {
    let mut found = BTreeSet::new();
    if assignment.is_empty() {
        return Some(found);
    }
    let mut left = assignment;
    let _version = number::<2>(&mut left)?;
    for _ in 0..u32::from_be_bytes(number(&mut left)?) {
        let length = u16::from_be_bytes(number(&mut left)?);
        let (name, rest) = left.split_at_checked(length.into())?;
        left = rest;
        for _ in 0..u32::from_be_bytes(number(&mut left)?) {
            let index = u32::from_be_bytes(number(&mut left)?);
            if name == topic.as_bytes() {
                found.insert(index);
            }
        }
    }
    Some(found)
}

fn number<const N: usize>(left: &mut &[u8]) -> Option<[u8; N]> {
    let (number, rest) = left.split_first_chunk()?;
    *left = rest;
    Some(*number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(topics: &[(&str, &[u32])]) -> Vec<u8> {
        let mut bytes = vec![0, 3];
        bytes.extend((topics.len() as u32).to_be_bytes());
        for (name, partitions) in topics {
            bytes.extend((name.len() as u16).to_be_bytes());
            bytes.extend(name.as_bytes());
            bytes.extend((partitions.len() as u32).to_be_bytes());
            partitions.iter().for_each(|index| bytes.extend(index.to_be_bytes()));
        }
        bytes.extend([0, 0, 0, 1, 7]);
        bytes
    }

    #[test]
    fn the_partitions_of_the_topic_and_no_other() {
        let both = bytes(&[("other", &[5]), ("readings", &[0, 7]), ("readings-2", &[1])]);
        assert_eq!(partitions(&both, "readings"), Some(BTreeSet::from([0, 7])));
        assert_eq!(partitions(&bytes(&[("other", &[5])]), "readings"), Some(BTreeSet::new()));
        assert_eq!(partitions(&[], "readings"), Some(BTreeSet::new()));
    }

    #[test]
    fn bytes_that_end_too_soon_say_nothing() {
        let whole = bytes(&[("readings", &[0, 7])]);
        let needed = whole.len() - 5;
        for length in 1..needed {
            assert_eq!(partitions(&whole[..length], "readings"), None, "{length} bytes");
        }
        assert!(partitions(&whole[..needed], "readings").is_some());
        assert_eq!(partitions(&[0, 0, 255, 255, 255, 255], "readings"), None, "no such number of topics");
    }
}
