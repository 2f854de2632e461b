//! What a source that shares partitions with others has still to tell of its own: before any more records, and only if it lasts.

use std::collections::VecDeque;

use types::PartitionId;

use crate::Polled;

/// In the order it happened.
#[derive(Debug, Default)]
pub(crate) struct News {
    pub(crate) queue: VecDeque<Polled>,
}

impl News {
    /// `owns_none`: nothing is ours, which has to be told as well.
    pub(crate) fn gained(&mut self, gained: Vec<PartitionId>, owns_none: bool) {
        if !gained.is_empty() || owns_none {
            self.queue.push_back(Polled::Gained(gained));
        }
    }

    /// What was not told yet of lost partitions is not told any more; one whose gain was not told is not told as lost.
    pub(crate) fn lost(&mut self, mut lost: Vec<PartitionId>) {
        self.queue.retain_mut(|news| match news {
            Polled::Gained(gained) if !gained.is_empty() => {
                gained.retain(|partition| {
                    let stays = !lost.contains(partition);
                    lost.retain(|found| stays || found != partition);
                    stays
                });
                !gained.is_empty()
            }
            Polled::CaughtUp { partition, .. } => !lost.contains(partition),
            _ => true,
        });
        if !lost.is_empty() {
            self.queue.push_back(Polled::Lost(lost));
        }
    }
}

#[cfg(test)]
mod tests {
    use types::Position;

    use super::*;

    fn partition(index: u32) -> PartitionId {
        PartitionId { topic: "t".into(), index }
    }

    fn told(news: &mut News) -> Vec<String> {
        std::iter::from_fn(|| news.queue.pop_front())
            .map(|news| format!("{news:?}").replace("topic: \"t\", ", ""))
            .collect()
    }

    #[test]
    fn only_what_lasts_is_told() {
        let mut news = News::default();
        news.gained(vec![partition(0), partition(1)], false);
        news.queue.push_back(Polled::CaughtUp { partition: partition(2), position: Position(5) });
        // 0 was never told of; 2 was, long ago, and its end is true no more.
        news.lost(vec![partition(0), partition(2)]);
        assert_eq!(told(&mut news), ["Gained([PartitionId { index: 1 }])", "Lost([PartitionId { index: 2 }])"]);

        news.gained(vec![partition(3)], false);
        news.lost(vec![partition(3)]);
        assert_eq!(told(&mut news), [""; 0]);
    }

    #[test]
    fn that_nothing_is_ours_is_told_and_nothing_new_is_not() {
        let mut news = News::default();
        news.gained(Vec::new(), false);
        assert_eq!(told(&mut news), [""; 0]);
        news.gained(Vec::new(), true);
        news.lost(vec![partition(9)]);
        assert_eq!(told(&mut news), ["Gained([])", "Lost([PartitionId { index: 9 }])"]);
    }
}
