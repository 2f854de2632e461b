//! Small pieces that views are made of: lines and texts of a given width. Each says by its shape what its colour says.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::Theme;
use super::words::{columns, fit};

const EIGHTHS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A bar as long as its share of the width, to an eighth of a column.
pub(crate) fn bar(share: f64, width: usize) -> String {
    let eighths = (share.clamp(0.0, 1.0) * width as f64 * 8.0).round() as usize;
    let mut text = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        text.push(EIGHTHS[eighths % 8 - 1]);
    }
    text
}

/// How far a job is: a bar on its track. None: nobody knows.
pub(crate) fn gauge(share: Option<f64>, width: usize, theme: Theme) -> Vec<Span<'static>> {
    let done = bar(share.unwrap_or(0.0), width);
    let left = "─".repeat(width - columns(&done).min(width));
    vec![Span::styled(done, theme.accent()), Span::styled(left, theme.dim())]
}

/// The newest values, a column each, the newest at the right; as high as their share of the highest.
pub(crate) fn spark(values: &[f64], width: usize) -> String {
    let shown = &values[values.len().saturating_sub(width)..];
    let highest = shown.iter().copied().fold(0.0, f64::max);
    let column = |value: &f64| match value / highest {
        share if share > 0.0 => HEIGHTS[((share * 8.0).ceil() as usize).clamp(1, 8) - 1],
        _ => ' ',
    };
    let text: String = shown.iter().map(column).collect();
    format!("{text:>width$}")
}

/// How far beyond its threshold a window is, on a logarithmic scale: full at a hundred times the threshold, red from ten on.
pub(crate) fn severity(times_threshold: f64, width: usize, theme: Theme) -> Span<'static> {
    let style = if times_threshold >= 10.0 { theme.bad() } else { theme.care() };
    // What is just beyond is to be seen, too.
    let least = 1.0 / (2.0 * width.max(1) as f64);
    let bar = bar((times_threshold.log10() / 2.0).max(least), width);
    Span::styled(format!("{bar:<width$}"), style)
}

/// The top line: what this is at the left, its keys and the time at the right. Where there is little room, the keys go first,
/// and what it is in detail is cut.
pub(crate) struct Headline {
    pub(crate) name: String,
    pub(crate) what: String,
    pub(crate) keys: Span<'static>,
    pub(crate) time: String,
}

impl Headline {
    pub(crate) fn line(self, width: usize, theme: Theme) -> Line<'static> {
        let (name, time) = (fit(&self.name, width), fit(&self.time, width));
        let mut room = width.saturating_sub(columns(&name));
        let mut line = Line::from(Span::styled(name, theme.strong()));
        if room < columns(&time) + 2 {
            return line;
        }
        room -= columns(&time);
        let keys = Some(self.keys).filter(|keys| keys.width() + 4 <= room);
        room -= keys.as_ref().map_or(0, |keys| keys.width() + 2);
        let what = fit(&self.what, room.saturating_sub(4));
        let blank = " ".repeat(room.saturating_sub(columns(&what) + 2));
        line.extend([Span::styled(format!("  {what}"), theme.dim()), Span::raw(blank)]);
        line.extend(keys.into_iter().flat_map(|keys| [keys, Span::raw("  ")]));
        line.push_span(Span::styled(time, theme.strong()));
        line
    }
}

/// A section begins: its name in a line across.
pub(crate) fn rule(name: &str, width: usize, style: Style, theme: Theme) -> Line<'static> {
    let name = fit(name, width.saturating_sub(4));
    let rest = width.saturating_sub(columns(&name) + 4);
    Line::from(vec![
        Span::styled("── ", theme.dim()),
        Span::styled(name, style),
        Span::styled(format!(" {}", "─".repeat(rest)), theme.dim()),
    ])
}

/// The letters of a frame without its colours.
pub(crate) fn plain(buffer: &Buffer) -> String {
    let Rect { width, height, .. } = buffer.area;
    let mut text = String::new();
    for row in 0..height {
        let mut line = String::new();
        let mut column = 0;
        while column < width {
            let symbol = buffer.cell((column, row)).map_or(" ", |cell| cell.symbol());
            line.push_str(symbol);
            // The column behind a wide letter is its own.
            column += columns(symbol).max(1) as u16;
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_share() {
        let cases =
            [(0.0, ""), (0.5, "██"), (1.0, "████"), (0.53125, "██▏"), (0.99, "████"), (7.0, "████"), (-1.0, "")];
        for (share, text) in cases {
            assert_eq!(bar(share, 4), text, "{share}");
        }
        assert_eq!(bar(f64::NAN, 4), "");
    }

    #[test]
    fn severities_grow_by_factors() {
        let theme = Theme::with_colours(true);
        let cases = [(1.0, "▌   "), (3.2, "█   "), (10.0, "██  "), (31.7, "███ "), (1e9, "████"), (f64::NAN, "▌   ")];
        for (times, text) in cases {
            assert_eq!(severity(times, 4, theme).content, text, "{times}");
        }
        assert_ne!(severity(9.9, 4, theme).style, severity(10.0, 4, theme).style);
    }

    #[test]
    fn sparks_show_the_newest_against_the_highest() {
        assert_eq!(spark(&[], 3), "   ");
        assert_eq!(spark(&[0.0, 0.0], 3), "   ");
        assert_eq!(spark(&[9.0, 0.0, 1.0, 2.0, 4.0], 4), " ▂▄█");
        assert_eq!(spark(&[0.001, 800.0], 2), "▁█");
    }

    #[test]
    fn a_headline_gives_up_its_keys_and_then_its_detail() {
        let line = |width| {
            let (name, what, time) = ("Demo".into(), "40 devices".into(), "0:07".into());
            Headline { name, what, keys: Span::raw("q leaves"), time }
                .line(width, Theme::with_colours(false))
                .to_string()
        };
        for (width, text) in [
            (40, "Demo  40 devices          q leaves  0:07"),
            (28, "Demo  40 de…  q leaves  0:07"),
            (16, "Demo  40 …  0:07"),
            (10, "Demo  0:07"),
            (9, "Demo"),
            (3, "De…"),
        ] {
            assert_eq!(line(width), text, "{width}");
        }
    }

    #[test]
    fn a_frame_as_text_has_no_ends_of_nothing() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 2));
        buffer.set_string(0, 0, "装a", Style::new());
        assert_eq!(plain(&buffer), "装a\n\n");
    }
}
