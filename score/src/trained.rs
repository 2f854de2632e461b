//! How old the models of a set are: what a fleet that learns again now and then is watched by.

use types::Micros;

/// When the models of a set were trained, as far as they say so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trained {
    pub oldest: Option<Micros>,
    /// The earlier of two in the middle.
    pub median: Option<Micros>,
    /// Models that do not say.
    pub undated: usize,
}

impl Trained {
    pub(crate) fn of(models: impl Iterator<Item = Option<Micros>>) -> Trained {
        let mut undated = 0;
        let mut times: Vec<Micros> = models.inspect(|time| undated += usize::from(time.is_none())).flatten().collect();
        let Some(middle) = times.len().checked_sub(1).map(|last| last / 2) else {
            return Trained { undated, ..Trained::default() };
        };
        let (before, median, _) = times.select_nth_unstable(middle);
        let oldest = before.iter().min().copied().unwrap_or(*median);
        Trained { oldest: Some(oldest), median: Some(*median), undated }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oldest_and_median_are_of_those_that_say() {
        for (times, oldest, median, undated) in [
            (&[][..], None, None, 0),
            (&[None, None], None, None, 2),
            (&[Some(7)], Some(7), Some(7), 0),
            (&[Some(9), None, Some(-7)], Some(-7), Some(-7), 1),
            (&[Some(5), Some(1), None, Some(3)], Some(1), Some(3), 1),
            (&[Some(5), Some(1), Some(4), Some(3)], Some(1), Some(3), 0),
        ] {
            let found = Trained::of(times.iter().copied());
            assert_eq!(found, Trained { oldest, median, undated }, "{times:?}");
        }
    }
}
