//! Frames of `top`, as somebody looked at them, and that no size and no text breaks it.

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::super::view::testing::{in_trouble, said, watched, well, well_from};
use super::*;
use crate::terminal::testing::{check, frame};

fn shown(view: &View, width: u16, height: u16) -> String {
    frame(width, height, |frame| draw(frame, view, Theme::with_colours(true)))
}

fn two() -> View {
    let mut view = View::of(&["http://10.0.0.7:9465".to_owned(), "http://10.0.0.8:9465".to_owned()]);
    for second in 0..=3 {
        view.take(0, second as f64, Ok(well("host-7/4711", second)));
        view.take(1, second as f64, Ok(well_from(6, "host-8/4711", second)));
    }
    view.take(1, 4.0, Err("connect: Connection refused (os error 111)".into()));
    view
}

fn away() -> View {
    let mut view = watched(|second| well("host-1/4711", second));
    view.take(0, 15.0, Err("connect: Connection refused (os error 111)".into()));
    view
}

#[test]
fn frames_are_as_somebody_looked_at_them() {
    let well = watched(|second| well("host-1/4711", second));
    for (width, height) in [(40, 10), (80, 24), (160, 40)] {
        check(&format!("src/commands/top/draw/frames/well-{width}x{height}.txt"), &shown(&well, width, height));
    }
    let trouble = watched(|_| in_trouble());
    check("src/commands/top/draw/frames/halted-80x24.txt", &shown(&trouble, 80, 24));
    let mut worse = watched(|_| in_trouble());
    worse.take(0, 4.0, Ok(said(|all| {
        all["partitions"]["partitions"] = (0..9)
            .map(|number| serde_json::json!({ "topic": "readings", "partition": number, "phase": "halted", "why": "its log is damaged" }))
            .collect();
    })));
    check("src/commands/top/draw/frames/worse-80x24.txt", &shown(&worse, 80, 24));
    check("src/commands/top/draw/frames/halted-40x10.txt", &shown(&trouble, 40, 10));
    check("src/commands/top/draw/frames/two-120x36.txt", &shown(&two(), 120, 36));
    check("src/commands/top/draw/frames/away-80x24.txt", &shown(&away(), 80, 24));
}

#[test]
fn windows_that_closed_and_wait_behind_a_slow_store_are_told() {
    let view = watched(|_| {
        said(|all| {
            all["status"]["totals"]["rows"] = 0.into();
            all["partitions"]["partitions"][0]["phase"] = "paused".into();
            all["partitions"]["partitions"][0]["closed_rows"] = 12_000.into();
        })
    });
    for width in [60, 80, 200] {
        let text = shown(&view, width, 24);
        let line = text.lines().find(|line| line.starts_with("windows")).expect("a line of windows");
        assert!(line.contains(" 0 ") && line.contains("12,000 wait"), "{line}");
    }
    // One that is away has said it before another took its partitions over: they are not counted twice.
    let sum: u64 = two().rows().iter().map(|row| row.partition.closed_rows).sum();
    assert_eq!((two().waiting(), sum), (120, 120));
}

#[test]
fn every_size_has_a_frame() {
    for view in [watched(|second| well("a", second)), watched(|_| in_trouble()), two(), away(), View::default()] {
        for width in (1..30).chain([79, 80, 81, 200]) {
            for height in (1..30).chain([60]) {
                shown(&view, width, height);
            }
        }
    }
}

#[test]
fn a_service_that_is_away_leaves_its_figures_in_grey() {
    let styles = |view: &View| {
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        terminal.draw(|frame| draw(frame, view, Theme::with_colours(true))).unwrap();
        let rows: Vec<_> = terminal.backend().buffer().content.chunks(80).skip(2).map(<[_]>::to_vec).collect();
        rows.concat().iter().filter(|cell| cell.fg != Color::Reset).count()
    };
    assert_eq!(styles(&away()), 0);
    assert!(styles(&watched(|second| well("a", second))) > 0);
    let text = shown(&away(), 80, 24);
    assert!(text.contains("figures are 12 s old") && text.contains("157,035"), "{text}");
}

#[test]
fn names_that_devices_chose_move_nothing() {
    let view = watched(|_| {
        said(|all| {
            all["anomalies"]["anomalies"][0]["device"] = "\u{1b}[2J\u{202e}evil\r\n".into();
            all["partitions"]["partitions"][1]["why"] = "bad\u{7}\n\u{1b}]0;title\u{7}".into();
        })
    });
    let text = shown(&view, 100, 30);
    let moves = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!text.contains(moves), "{text:?}");
    assert!(text.contains("evil") && text.contains("]0;title"), "{text}");
}

#[test]
fn long_words_are_cut_and_lines_wrapped_at_spaces() {
    assert_eq!(wrap("one two three", 8, 9), ["one two", "three"]);
    assert_eq!(wrap("extraordinary one", 8, 9), ["extraor…", "one"]);
    assert_eq!(wrap("one two three four five", 8, 2), ["one two", "three f…"]);
    assert_eq!(wrap("", 8, 1), [""]);
    assert_eq!(wrap("one", 8, 0), [""; 0]);
}
