//! How much of the source was read, and whether what is shown is all there is.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::bail;
use types::PartitionId;

/// How long a topic may stay silent before we give up. A pipe may be silent for ever: whoever types waits for nobody.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(30);

/// How much of the source is read.
pub(super) struct Reading {
    partitions: usize,
    gained: BTreeSet<PartitionId>,
    ended: BTreeSet<PartitionId>,
    pub(super) last: Instant,
    patience: Option<Duration>,
}

impl Reading {
    pub(super) fn of(partitions: usize, patience: Option<Duration>) -> Self {
        Reading { partitions, gained: BTreeSet::new(), ended: BTreeSet::new(), last: Instant::now(), patience }
    }

    pub(super) fn gained(&mut self, partitions: &[PartitionId]) {
        self.gained.extend(partitions.iter().cloned());
    }

    pub(super) fn ended(&mut self, partition: PartitionId) {
        self.ended.insert(partition);
    }

    pub(super) fn goes_on(&self) -> bool {
        self.unread() > 0 && self.patience.is_none_or(|patience| self.last.elapsed() < patience)
    }

    pub(super) fn unread(&self) -> usize {
        self.partitions.saturating_sub(self.ended.len())
    }

    /// Whether what was shown is all there is.
    pub(super) fn conclude(&self) -> anyhow::Result<()> {
        if self.unread() == 0 {
            return Ok(());
        }
        let of = format!("{} of {} partitions were not read to their end", self.unread(), self.partitions);
        let silence = format!("{} s", self.patience.unwrap_or_default().as_secs());
        if self.gained.len() < self.partitions {
            bail!(
                "{of}: the brokers assigned only {} of them, and nothing came for {silence}\n\
                 The coordinator of the group may be away or slow, or may refuse this user; look for warnings above, \
                 and try again",
                self.gained.len()
            );
        }
        bail!(
            "{of}: nothing came for {silence}\n\
             The brokers that lead them may be away or slow, or may refuse to let this user read the topic; \
             look for warnings above, and try again"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(index: u32) -> PartitionId {
        PartitionId { topic: "t".into(), index }
    }

    #[test]
    fn a_preview_ends_when_each_partition_has_and_says_so_otherwise() {
        let mut reading = Reading::of(2, Some(SILENCE_MAX));
        reading.gained(&[partition(0)]);
        reading.ended(partition(0));
        // Lost and gained again, it ends a second time.
        reading.ended(partition(0));
        assert!(reading.goes_on());
        let error = reading.conclude().expect_err("one is missing").to_string();
        assert!(
            error.starts_with("1 of 2 partitions were not read to their end: the brokers assigned only 1"),
            "{error}"
        );
        reading.gained(&[partition(1)]);
        let error = reading.conclude().expect_err("one is not read").to_string();
        assert!(error.contains("to their end: nothing came for 30 s\n"), "{error}");
        reading.ended(partition(1));
        assert!(!reading.goes_on());
        reading.conclude().expect("all are read");
    }

    #[test]
    fn only_a_topic_may_not_be_silent() {
        let silent = |patience| Reading { last: Instant::now(), ..Reading::of(1, patience) };
        assert!(!silent(Some(Duration::ZERO)).goes_on());
        assert!(silent(None).goes_on());
    }
}
