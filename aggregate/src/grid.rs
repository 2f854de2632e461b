//! The windows' grid: `[k * width + offset, (k + 1) * width + offset)`.

use types::Micros;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    pub(crate) width: Micros,
    offset: Micros,
}

impl Grid {
    pub(crate) fn new(width: Micros, offset: Micros) -> Grid {
        Grid { width, offset }
    }

    #[inline]
    /// Start of the window that holds `time`; at the same time the largest window end at or before it.
    pub(crate) fn start_of(self, time: Micros) -> Micros {
        time - (time - self.offset).rem_euclid(self.width)
    }

    /// The smallest window end at or after `time`.
    pub(crate) fn end_from(self, time: Micros) -> Micros {
        let start = self.start_of(time);
        if start == time { time } else { start + self.width }
    }

    pub(crate) fn aligned(self, time: Micros) -> bool {
        self.start_of(time) == time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_are_floored() {
        let grid = Grid::new(60, 15);
        for (time, start) in [(15, 15), (74, 15), (75, 75), (14, -45), (-45, -45), (-46, -105)] {
            assert_eq!(grid.start_of(time), start, "{time}");
            assert!(grid.aligned(start) && !grid.aligned(start + 1));
            assert_eq!(grid.end_from(time), if time == start { start } else { start + 60 }, "{time}");
        }
    }
}
