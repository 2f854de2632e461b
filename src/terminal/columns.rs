//! Tables that fit: of their columns those that are worth most are shown, as many as there is room for, each as wide as its
//! widest text.

use ratatui::text::{Line, Span};

use super::Theme;
use super::words::{columns, fit};

/// Between two columns.
const GAP: usize = 2;

pub(crate) struct Column<Row> {
    pub(crate) head: &'static str,
    pub(crate) width: Width,
    /// The lower, the longer it stays where there is no room for all.
    pub(crate) rank: u8,
    pub(crate) cell: fn(&Row, Theme) -> Span<'static>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    /// As wide as it must be, at the right.
    Number,
    /// As wide as it must be, up to so many columns, at the left.
    Text(usize),
}

/// The columns that are shown, and how wide.
pub(crate) struct Columns<'a, Row> {
    shown: Vec<(&'a Column<Row>, usize)>,
}

impl<'a, Row> Columns<'a, Row> {
    pub(crate) fn fit(all: &'a [Column<Row>], rows: &[Row], width: usize, theme: Theme) -> Self {
        let wanted = |column: &Column<Row>| {
            let widest = rows.iter().map(|row| (column.cell)(row, theme).width()).max().unwrap_or(0);
            // One more for the mark of what it is sorted by.
            let widest = widest.max(columns(column.head) + 1);
            if let Width::Text(max) = column.width { widest.min(max) } else { widest }
        };
        let mut by_rank: Vec<(usize, &Column<Row>)> = all.iter().enumerate().collect();
        by_rank.sort_by_key(|(_, column)| column.rank);
        let mut left = width + GAP;
        let mut shown = Vec::new();
        for (place, column) in by_rank {
            let needs = wanted(column) + GAP;
            if needs <= left {
                left -= needs;
                shown.push((place, column, needs - GAP));
            } else if shown.is_empty() {
                shown.push((place, column, width));
                break;
            }
        }
        shown.sort_by_key(|(place, ..)| *place);
        Columns { shown: shown.into_iter().map(|(_, column, width)| (column, width)).collect() }
    }

    /// The names of the columns; `mark` stands behind the one of this name.
    pub(crate) fn head(&self, sorted: Option<(&str, char)>, theme: Theme) -> Line<'static> {
        self.join(|column| match sorted {
            Some((name, mark)) if name == column.head => Span::styled(format!("{name}{mark}"), theme.strong()),
            _ => Span::styled(column.head, theme.dim()),
        })
    }

    pub(crate) fn line(&self, row: &Row, theme: Theme) -> Line<'static> {
        self.join(|column| (column.cell)(row, theme))
    }

    fn join(&self, cell: impl Fn(&Column<Row>) -> Span<'static>) -> Line<'static> {
        let mut line = Line::default();
        for (index, (column, width)) in self.shown.iter().enumerate() {
            let cell = cell(column);
            let text = fit(&cell.content, *width);
            let blank = " ".repeat(width.saturating_sub(columns(&text)));
            let gap = if index > 0 { " ".repeat(GAP) } else { String::new() };
            let text = match column.width {
                Width::Number => format!("{gap}{blank}{text}"),
                Width::Text(_) => format!("{gap}{text}{blank}"),
            };
            line.push_span(Span::styled(text, cell.style));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Column<(&str, u64)>; 3] = [
        Column { head: "name", width: Width::Text(8), rank: 0, cell: |row, _| Span::raw(row.0.to_owned()) },
        Column { head: "square", width: Width::Number, rank: 2, cell: |row, _| Span::raw((row.1 * row.1).to_string()) },
        Column { head: "n", width: Width::Number, rank: 1, cell: |row, _| Span::raw(row.1.to_string()) },
    ];
    const ROWS: [(&str, u64); 2] = [("short", 7), ("much too long", 1234)];

    fn drawn(width: usize) -> String {
        let theme = Theme::with_colours(false);
        let columns = Columns::fit(&ALL, &ROWS, width, theme);
        let lines = [columns.head(Some(("n", '▾')), theme), columns.line(&ROWS[1], theme)];
        lines.map(|line| line.to_string()).join("\n")
    }

    #[test]
    fn what_is_worth_least_goes_first() {
        for (width, frame) in [
            (80, "name       square    n▾\nmuch to…  1522756  1234"),
            (22, "name        n▾\nmuch to…  1234"),
            (9, "name    \nmuch to…"),
            (4, "name\nmuc…"),
        ] {
            assert_eq!(drawn(width), frame, "in {width} columns");
        }
    }
}
