//! Times as people and spreadsheets write them: the patterns that are tried, and what to say where day and month could be either.

use ingest::decode::parse_time_as;

/// How many patterns there are.
pub(super) const COUNT: usize = DATES.len() * OF_DAY.len();

/// Where two fit, the one that comes first is taken.
const DATES: [&str; 13] = [
    "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y-%m-%d", "%Y/%m/%d", "%d.%m.%y", "%d/%m/%y",
    "%m/%d/%y", "%d %b %Y", "%d-%b-%Y", "%Y.%m.%d",
];
const OF_DAY: [&str; 9] =
    [" %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p", ", %H:%M:%S", "T%H:%M", " %H.%M", " %H:%M:%S %z", ""];

pub(super) fn pattern(index: usize) -> String {
    format!("{}{}", DATES[index / OF_DAY.len()], OF_DAY[index % OF_DAY.len()])
}

/// Counts for each pattern of which texts fit it.
#[derive(Debug, Clone, Default)]
pub(super) struct Fits {
    counts: Vec<usize>,
    seen: usize,
}

/// So many texts are held against all patterns, and further ones against those that fit best.
const SEEN_BY_ALL: usize = 200;

impl Fits {
    /// Whether the text is a time by one of the patterns.
    pub(super) fn see(&mut self, text: &str) -> bool {
        self.counts.resize(COUNT, 0);
        self.seen += 1;
        let least = if self.seen > SEEN_BY_ALL { self.most() } else { 0 };
        let mut fits = false;
        for (index, count) in self.counts.iter_mut().enumerate().filter(|(_, count)| **count >= least) {
            if parse_time_as(text, &pattern(index)).is_ok() {
                *count += 1;
                fits = true;
            }
        }
        fits
    }

    pub(super) fn most(&self) -> usize {
        self.counts.iter().copied().max().unwrap_or(0)
    }

    /// The pattern that most texts fit, and others that as many do.
    pub(super) fn best(&self) -> Option<(usize, Vec<usize>)> {
        let most = Some(self.most()).filter(|most| *most > 0)?;
        let mut best = (0..self.counts.len()).filter(|index| self.counts[*index] == most);
        Some((best.next()?, best.collect()))
    }
}

/// What is to be said beside a pattern.
pub(super) fn why(index: usize, others: &[usize], example: &str) -> String {
    let day_first = pattern(index).starts_with("%d");
    let order = if day_first { "the day first" } else { "the month first" };
    let text = match (is_either(index), others.is_empty()) {
        (true, false) => format!(
            "times like `{example}`, {order}: no date of the sample has a day above 12, so that it could be the other way round"
        ),
        (true, true) => format!("times like `{example}`, {order}: read the other way round, some would be no dates"),
        _ => format!("times like `{example}`"),
    };
    text + if pattern(index).ends_with("%z") { "" } else { "; taken as UTC" }
}

/// Whether another pattern has day and month the other way round.
fn is_either(index: usize) -> bool {
    let date = DATES[index / OF_DAY.len()];
    let is_dotted = date.contains('.');
    (date.starts_with("%m") || date.starts_with("%d")) && !is_dotted && !date.contains("%b")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_is_the_one_that_most_fit() {
        for (texts, expected, others) in [
            (&["28/08/2018 23:00", "01/09/2018 00:00"][..], "%d/%m/%Y %H:%M", &[][..]),
            (&["08/28/2018 23:00", "09/01/2018 00:00"], "%m/%d/%Y %H:%M", &[]),
            (&["01/02/2026 23:00"], "%d/%m/%Y %H:%M", &["%m/%d/%Y %H:%M"]),
            (&["5.1.2026 06:00:00,5"], "%d.%m.%Y %H:%M:%S", &[]),
            (&["1/31/2026 6:00 PM"], "%m/%d/%Y %I:%M %p", &[]),
            (&["2026-01-31"], "%Y-%m-%d", &[]),
            (&["31-Jan-2026 06:00:00"], "%d-%b-%Y %H:%M:%S", &[]),
        ] {
            let mut fits = Fits::default();
            assert!(texts.iter().all(|text| fits.see(text)), "{texts:?}");
            let (best, rest) = fits.best().expect("one fits");
            assert_eq!(pattern(best), expected);
            assert_eq!(rest.into_iter().map(pattern).collect::<Vec<_>>(), others, "{texts:?}");
        }
        assert!(!Fits::default().see("1.2.3.4") && Fits::default().best().is_none());
        assert!(
            why(9, &[18], "x").contains("the day first: no date of the sample has a day above 12"),
            "{}",
            pattern(9)
        );
    }
}
