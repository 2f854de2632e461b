//! Frames of the demo, as somebody looked at them, and that no size breaks it.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;

use super::super::view::testing::{busy, fresh};
use super::super::view::{Sample, Stage, View};
use super::*;
use crate::terminal::testing::{check, frame};

const SIZES: [(u16, u16); 4] = [(40, 10), (80, 24), (60, 30), (140, 40)];

fn shown(view: &View, width: u16, height: u16) -> String {
    frame(width, height, |frame| draw(frame, view, Theme::with_colours(true)))
}

#[test]
fn frames_are_as_somebody_looked_at_them() {
    let stream = busy(40);
    let mut training = fresh(40);
    training.now =
        Sample { at: 3.2, stage: Stage::Training, stage_began: 1.0, steps: Some((80, 200)), ..Sample::default() };
    let mut stopping = busy(2000);
    stopping.now.stopping = true;
    stopping.now.stage = Stage::Judging;
    stopping.now.steps = None;
    for (width, height) in SIZES {
        check(&format!("src/commands/demo/draw/frames/stream-{width}x{height}.txt"), &shown(&stream, width, height));
    }
    check("src/commands/demo/draw/frames/training-80x24.txt", &shown(&training, 80, 24));
    check("src/commands/demo/draw/frames/stopping-100x30.txt", &shown(&stopping, 100, 30));
}

#[test]
fn every_size_has_a_frame_and_the_clock_stays_while_there_is_room() {
    let view = busy(40);
    for width in (1..30).chain([79, 80, 81, 200, 400]) {
        for height in (1..30).chain([60, 100]) {
            let text = shown(&view, width, height);
            assert_eq!(text.contains("0:07"), width >= 18, "{width}x{height}:\n{text}");
        }
    }
}

#[test]
fn without_colours_there_are_none() {
    let drawn = |colours| {
        let mut terminal = Terminal::new(TestBackend::new(100, 30)).unwrap();
        terminal.draw(|frame| draw(frame, &busy(40), Theme::with_colours(colours))).unwrap();
        let used = terminal.backend().buffer().content.iter().map(|cell| (cell.fg, cell.bg));
        used.filter(|colours| *colours != (Color::Reset, Color::Reset)).count()
    };
    assert!(drawn(true) > 20);
    assert_eq!(drawn(false), 0);
}
