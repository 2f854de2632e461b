//! For tests of views: frames of given sizes as text, compared with those that somebody looked at.

use std::fs;
use std::path::Path;

use ratatui::backend::TestBackend;
use ratatui::{Frame, Terminal};

pub(crate) fn frame(width: u16, height: u16, draw: impl FnOnce(&mut Frame<'_>)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("memory");
    terminal.draw(draw).expect("memory");
    super::plain(terminal.backend().buffer())
}

/// `ATALAIA_BLESS=1 cargo test -p atalaia --lib` writes the files: look at what changed.
pub(crate) fn check(file: &str, frame: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("ATALAIA_BLESS").is_some() {
        fs::create_dir_all(path.parent().expect("in a folder")).expect("the folder can be made");
        fs::write(&path, frame).expect("the file can be written");
    }
    let known = fs::read_to_string(&path).unwrap_or_default();
    assert!(known == frame, "{file} shows another frame (`ATALAIA_BLESS=1` rewrites it) than\n{frame}");
}
