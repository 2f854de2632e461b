//! The order of partitions: by one of the table's columns, one way or the other. What is not known stands last.

use std::cmp::Ordering;

use super::view::Row;

/// By what; the heads of their columns.
const COLUMNS: [(&str, Key); 7] = [
    ("partition", Key::Partition),
    ("phase", Key::Phase),
    ("lag", Key::Lag),
    ("behind", Key::Behind),
    ("clock", Key::Clock),
    ("committed", Key::Committed),
    ("records/s", Key::Rate),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Partition,
    Phase,
    Lag,
    Behind,
    Clock,
    Committed,
    Rate,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sort {
    column: usize,
    is_reversed: bool,
}

impl Sort {
    pub(super) fn next(self) -> Sort {
        Sort { column: (self.column + 1) % COLUMNS.len(), is_reversed: false }
    }

    pub(super) fn previous(self) -> Sort {
        Sort { column: (self.column + COLUMNS.len() - 1) % COLUMNS.len(), is_reversed: false }
    }

    pub(super) fn reversed(self) -> Sort {
        Sort { is_reversed: !self.is_reversed, ..self }
    }

    /// The head of its column, and the mark that stands behind it.
    pub(super) fn head(self) -> (&'static str, char) {
        // What is bad or large is looked for at the top.
        let ascends = (self.column == 0) != self.is_reversed;
        (COLUMNS[self.column].0, if ascends { '▴' } else { '▾' })
    }

    pub(super) fn apply(self, rows: &mut [Row]) {
        let by_name = |a: &Row, b: &Row| {
            (&a.partition.topic, a.partition.partition).cmp(&(&b.partition.topic, b.partition.partition))
        };
        let (_, key) = COLUMNS[self.column];
        rows.sort_by(|a, b| {
            let order = match key {
                Key::Partition if self.is_reversed => by_name(b, a),
                Key::Partition => Ordering::Equal,
                key => self.highest_first(value(key, a), value(key, b)),
            };
            order.then_with(|| by_name(a, b))
        });
    }

    fn highest_first(self, a: Option<f64>, b: Option<f64>) -> Ordering {
        match (a, b) {
            (Some(a), Some(b)) if self.is_reversed => a.total_cmp(&b),
            (Some(a), Some(b)) => b.total_cmp(&a),
            (a, b) => b.is_some().cmp(&a.is_some()),
        }
    }
}

fn value(key: Key, row: &Row) -> Option<f64> {
    let partition = &row.partition;
    match key {
        Key::Partition => None,
        Key::Phase => Some(f64::from(trouble(&partition.phase))),
        Key::Lag => partition.lag_records.map(|lag| lag as f64),
        Key::Behind => partition.lag_seconds,
        Key::Clock => partition.clock_delay_seconds,
        Key::Committed => row.committed,
        Key::Rate => row.rate,
    }
}

/// How much a phase wants to be looked at.
fn trouble(phase: &str) -> u8 {
    ["reading", "draining", "paused", "recovering", "claiming", "suspected", "halted"]
        .iter()
        .position(|known| *known == phase)
        .map_or(0, |place| place as u8)
}

#[cfg(test)]
mod tests {
    use super::super::documents::Partition;
    use super::*;

    fn rows() -> Vec<Row> {
        let row = |partition, phase: &str, lag_records, rate| Row {
            partition: Partition { partition, phase: phase.into(), lag_records, ..Partition::default() },
            rate,
            ..Row::default()
        };
        vec![
            row(2, "reading", Some(5), None),
            row(0, "halted", None, None),
            row(10, "paused", Some(70), Some(1.5)),
            row(1, "reading", Some(5), Some(9.0)),
        ]
    }

    #[test]
    fn each_column_orders_both_ways_and_the_unknown_stands_last() {
        let mut sort = Sort::default();
        let mut found = Vec::new();
        for _ in COLUMNS {
            for sort in [sort, sort.reversed()] {
                let mut rows = rows();
                sort.apply(&mut rows);
                let (head, mark) = sort.head();
                let order: Vec<u32> = rows.iter().map(|row| row.partition.partition).collect();
                found.push((format!("{head}{mark}"), order));
            }
            assert_eq!(sort.next().previous(), sort);
            sort = sort.next();
        }
        assert_eq!(sort, Sort::default());
        let expected = [
            ("partition▴", vec![0, 1, 2, 10]),
            ("partition▾", vec![10, 2, 1, 0]),
            ("phase▾", vec![0, 10, 1, 2]),
            ("phase▴", vec![1, 2, 10, 0]),
            ("lag▾", vec![10, 1, 2, 0]),
            ("lag▴", vec![1, 2, 10, 0]),
        ];
        for (index, (head, order)) in expected.into_iter().enumerate() {
            assert_eq!(found[index], (head.to_owned(), order));
        }
        assert_eq!(found[12], ("records/s▾".to_owned(), vec![1, 10, 0, 2]));
        assert_eq!(found[13], ("records/s▴".to_owned(), vec![10, 1, 0, 2]));
    }
}
