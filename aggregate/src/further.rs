//! The open windows of a series besides its newest: a search tree each, in one pool that all series share.
//!
//! There is mostly none or one, and sometimes, as in a file that promises no order, as many as a year has minutes. So the
//! trees are treaps: a node is a window and two links, an empty tree is nothing at all, and whatever the order in which windows
//! are opened, finding one and taking the oldest cost the logarithm of their number.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;
use types::Micros;

use crate::grid::Grid;
use crate::interner::NONE;
use crate::slots::Window;

/// The pool. A tree is known by its root, [`NONE`] if it is empty, which its owner keeps and each change tells anew.
#[derive(Debug)]
pub(crate) struct Further {
    nodes: Vec<Node>,
    /// The first of the unused nodes; they are linked by `EARLIER`.
    free: u32,
    /// Decides the shape of the trees, which is never looked at.
    hasher: RandomState,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    window: Window,
    links: [u32; 2],
}

const EARLIER: usize = 0;
const LATER: usize = 1;

impl Further {
    pub(crate) fn new() -> Further {
        Further { nodes: Vec::new(), free: NONE, hasher: RandomState::default() }
    }

    /// The window that holds `time`.
    pub(crate) fn find(&mut self, root: u32, time: Micros, grid: Grid) -> Option<&mut Window> {
        let mut at = root;
        loop {
            let Node { window, links } = self.nodes.get(at as usize)?;
            if window.holds(time, grid) {
                return Some(&mut self.nodes[at as usize].window);
            }
            at = links[if time < window.start { EARLIER } else { LATER }];
        }
    }

    pub(crate) fn oldest_start(&self, root: u32) -> Option<Micros> {
        let mut node = self.nodes.get(root as usize)?;
        while let Some(earlier) = self.nodes.get(node.links[EARLIER] as usize) {
            node = earlier;
        }
        Some(node.window.start)
    }

    /// The latest start at or before `start_max`.
    pub(crate) fn newest_start(&self, root: u32, start_max: Micros) -> Option<Micros> {
        let (mut at, mut newest) = (root, None);
        while let Some(Node { window, links }) = self.nodes.get(at as usize) {
            at = if window.start > start_max {
                links[EARLIER]
            } else {
                newest = Some(window.start);
                links[LATER]
            };
        }
        newest
    }

    /// Adds a window that the tree does not have yet; the root from now on.
    pub(crate) fn insert(&mut self, root: u32, window: Window) -> u32 {
        let new = self.allocate(window);
        let rank = self.rank(new);
        let (mut below, mut above) = (root, None);
        while below != NONE && self.rank(below) > rank {
            let Node { window: other, links } = self.nodes[below as usize];
            let side = if window.start < other.start { EARLIER } else { LATER };
            above = Some((below, side));
            below = links[side];
        }
        self.nodes[new as usize].links = self.split(below, window.start);
        let Some((parent, side)) = above else { return new };
        self.nodes[parent as usize].links[side] = new;
        root
    }

    /// Takes out the oldest window if it starts at or before `start_max`; also the root from now on.
    pub(crate) fn take_oldest(&mut self, root: u32, start_max: Micros) -> Option<(Window, u32)> {
        let (mut at, mut parent) = (root, NONE);
        loop {
            let Node { window, links: [earlier, later] } = *self.nodes.get(at as usize)?;
            if earlier != NONE {
                (parent, at) = (at, earlier);
                continue;
            }
            if window.start > start_max {
                return None;
            }
            self.nodes[at as usize].links[EARLIER] = std::mem::replace(&mut self.free, at);
            if parent == NONE {
                return Some((window, later));
            }
            self.nodes[parent as usize].links[EARLIER] = later;
            return Some((window, root));
        }
    }

    /// The windows of a tree, oldest first.
    pub(crate) fn windows(&self, root: u32) -> impl Iterator<Item = &Window> {
        let (mut below, mut above) = (root, Vec::new());
        std::iter::from_fn(move || {
            while let Some(node) = self.nodes.get(below as usize) {
                above.push(node);
                below = node.links[EARLIER];
            }
            let node: &Node = above.pop()?;
            below = node.links[LATER];
            Some(&node.window)
        })
    }

    fn allocate(&mut self, window: Window) -> u32 {
        let node = Node { window, links: [NONE; 2] };
        if self.free == NONE {
            self.nodes.push(node);
            return (self.nodes.len() - 1) as u32;
        }
        let at = self.free;
        self.free = std::mem::replace(&mut self.nodes[at as usize], node).links[EARLIER];
        at
    }

    /// Ranks fall from the root downwards: as they have nothing to do with the windows' order, no path is long. The seed keeps
    /// senders from arranging windows by rank.
    fn rank(&self, at: u32) -> u64 {
        self.hasher.hash_one(at)
    }

    /// Two trees of one: what starts before `start`, and the rest.
    fn split(&mut self, root: u32, start: Micros) -> [u32; 2] {
        let mut roots = [NONE; 2];
        // Of both trees, the node under which the next one goes, on the side towards `start`.
        let mut ends = [NONE; 2];
        let mut at = root;
        while at != NONE {
            let side = if self.nodes[at as usize].window.start < start { EARLIER } else { LATER };
            let inner = 1 - side;
            match ends[side] {
                NONE => roots[side] = at,
                end => self.nodes[end as usize].links[inner] = at,
            }
            ends[side] = at;
            at = std::mem::replace(&mut self.nodes[at as usize].links[inner], NONE);
        }
        roots
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Nodes on the longest path.
    fn depth(further: &Further, root: u32) -> usize {
        let (mut level, mut depth) = (vec![root], 0);
        loop {
            level = level.iter().filter_map(|&at| further.nodes.get(at as usize)).flat_map(|node| node.links).collect();
            if level.is_empty() {
                return depth;
            }
            depth += 1;
        }
    }

    fn starts(further: &Further, root: u32) -> Vec<Micros> {
        further.windows(root).map(|window| window.start).collect()
    }

    #[test]
    fn no_order_of_opening_makes_a_long_path() {
        const COUNT: i64 = 200_000;
        paths_are_short("rising", COUNT, |n| n);
        paths_are_short("falling", COUNT, |n| COUNT - 1 - n);
        paths_are_short("scattered", COUNT, |n| n * 7919 % COUNT);
        paths_are_short("from both ends", COUNT, |n| if n % 2 == 0 { n / 2 } else { COUNT - 1 - n / 2 });
    }

    fn paths_are_short(name: &str, count: i64, order: impl Fn(i64) -> i64) {
        let (mut further, mut root) = (Further::new(), NONE);
        for n in 0..count {
            root = further.insert(root, Window::new(10 * order(n), 1.0));
        }
        // About 45 are expected; the chance of more than 100 is below one in a million millions.
        assert!(depth(&further, root) <= 100, "{name}: {}", depth(&further, root));
        assert!(starts(&further, root).into_iter().eq((0..count).map(|n| 10 * n)), "{name}");
        while let Some((_, rest)) = further.take_oldest(root, 5 * count) {
            root = rest;
        }
        assert!(depth(&further, root) <= 100, "{name}: {}", depth(&further, root));
        assert!(starts(&further, root).into_iter().eq((count / 2 + 1..count).map(|n| 10 * n)), "{name}");
    }

    proptest! {
        #[test]
        fn trees_of_one_pool_are_sorted_maps(steps in prop::collection::vec((0..2usize, 0..5u8, 0..400i64), 0..300)) {
            let (grid, mut further) = (Grid::new(10, 0), Further::new());
            let (mut roots, mut maps) = ([NONE; 2], [BTreeMap::new(), BTreeMap::new()]);
            let mut most = 0;
            for (tree, step, time) in steps {
                let (root, map) = (&mut roots[tree], &mut maps[tree]);
                let start = grid.start_of(time);
                let expected = map.range(..=time).next_back().map(|(start, _)| *start);
                prop_assert_eq!(further.newest_start(*root, time), expected);
                prop_assert_eq!(further.oldest_start(*root), map.keys().next().copied());
                match (step, further.find(*root, time, grid)) {
                    (0, _) => {
                        let taken = further.take_oldest(*root, time);
                        let due = map.first_entry().filter(|entry| *entry.key() <= time).map(|entry| entry.remove_entry());
                        prop_assert_eq!(taken.map(|(window, _)| (window.start, window.count)), due);
                        *root = taken.map_or(*root, |(_, rest)| rest);
                    }
                    (_, Some(window)) => {
                        prop_assert_eq!(window.start, start);
                        window.add(1.0);
                        *map.get_mut(&start).expect("an open window") += 1;
                    }
                    (_, None) => {
                        prop_assert_eq!(map.insert(start, 1), None);
                        *root = further.insert(*root, Window::new(start, 1.0));
                    }
                }
                most = most.max(maps.iter().map(BTreeMap::len).sum());
                for (root, map) in roots.iter().zip(&maps) {
                    let windows = further.windows(*root).map(|window| (window.start, window.count));
                    prop_assert!(windows.eq(map.iter().map(|(start, count)| (*start, *count))));
                }
            }
            prop_assert_eq!(further.nodes.len(), most, "the pool is used again");
        }
    }
}
