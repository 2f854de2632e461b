//! The life of a terminal that a view has: taken once, given back whatever happens (an end, an error, a panic of any thread,
//! an exit at once).
//!
//! Who draws holds standard output's lock meanwhile; who gives the terminal back takes it, too, so that no half a frame lands
//! on the screen that was there before. The lock lets the same thread in twice: a view may panic while it draws.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode,
};
use ratatui::crossterm::{cursor, queue};
use ratatui::{Frame, Terminal};

use super::held;
use crate::paint;

/// A frame goes out in one piece.
const FRAME_BYTES: usize = 64 << 10;

static TAKEN: AtomicBool = AtomicBool::new(false);

/// Whether a view may be shown: people look at both streams, the terminal can move its cursor, and it is ours now (a job in
/// the background would be stopped by the first thing it does with it).
pub(crate) fn is_live() -> bool {
    let stdout = io::stdout();
    let is_ours = || rustix::termios::tcgetpgrp(&stdout).is_ok_and(|group| group == rustix::process::getpgrp());
    paint::can_move() && stdout.is_terminal() && io::stderr().is_terminal() && is_ours()
}

/// How many columns standard output has. None: it is no terminal.
pub(crate) fn width() -> Option<u16> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0).then_some(size.ws_col)
}

/// Whether a view has the terminal.
pub(crate) fn is_taken() -> bool {
    TAKEN.load(Ordering::Acquire)
}

/// Gives the terminal back, if a view has it.
pub(crate) fn give_back() {
    let mut out = io::stdout().lock();
    if !TAKEN.swap(false, Ordering::AcqRel) {
        return;
    }
    // Nothing better can be done where it fails: the terminal is gone.
    let _ = queue!(out, EndSynchronizedUpdate, LeaveAlternateScreen, cursor::Show).and_then(|()| out.flush());
    let _ = disable_raw_mode();
    drop(out);
    held::release();
}

/// A terminal in the hands of a view; dropped, it is given back.
pub(crate) struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
}

/// What somebody did at the keyboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// `q`, Escape or Ctrl-C.
    Leave,
    Char(char),
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
}

impl Screen {
    /// Takes the terminal: another screen, no cursor, keys as they are pressed.
    ///
    /// # Errors
    /// If there is no terminal to take, or one that cannot do this.
    pub(crate) fn take() -> io::Result<Screen> {
        give_back_on_panic();
        let mut screen = Screen { terminal: blank()? };
        screen.enter()?;
        Ok(screen)
    }

    /// Draws a frame, if the terminal was not given back meanwhile.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub(crate) fn draw(&mut self, view: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        let _whole_frame = io::stdout().lock();
        if !is_taken() {
            return Ok(());
        }
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        self.terminal.draw(view)?;
        queue!(self.terminal.backend_mut(), EndSynchronizedUpdate)?;
        Write::flush(self.terminal.backend_mut())
    }

    /// The next key, if one is pressed within this time; earlier with none when the size changes. Ctrl-Z lays the program
    /// aside and takes the terminal again when it goes on.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub(crate) fn key(&mut self, within: Duration) -> io::Result<Option<Key>> {
        if !event::poll(within)? {
            return Ok(None);
        }
        match event::read()? {
            Event::Key(pressed) if is_control(&pressed, 'z') => self.lay_aside().map(|()| None),
            Event::Key(pressed) if pressed.kind != KeyEventKind::Release => Ok(key(&pressed)),
            _ => Ok(None),
        }
    }

    fn enter(&mut self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::Release);
        queue!(out, EnterAlternateScreen, cursor::Hide).and_then(|()| out.flush()).inspect_err(|_| give_back())
    }

    fn lay_aside(&mut self) -> io::Result<()> {
        give_back();
        rustix::process::kill_current_process_group(rustix::process::Signal::TSTP)?;
        // Another thread may hear of it first: within this time all of them stand.
        std::thread::park_timeout(Duration::from_millis(50));
        self.enter()?;
        // Not cleared: that asks the terminal for its cursor, and waits for the answer.
        self.terminal = blank()?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Of a frame that was never ended its beginning waits to be written.
        let backend = self.terminal.backend_mut();
        let _ = queue!(backend, EndSynchronizedUpdate).and_then(|()| Write::flush(backend));
        give_back();
    }
}

/// What was drawn before is not there any more.
fn blank() -> io::Result<Terminal<CrosstermBackend<BufWriter<Stdout>>>> {
    Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(FRAME_BYTES, io::stdout())))
}

fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            before(panic);
        }));
    });
}

fn is_control(pressed: &KeyEvent, letter: char) -> bool {
    pressed.code == KeyCode::Char(letter) && pressed.modifiers.contains(KeyModifiers::CONTROL)
}

fn key(pressed: &KeyEvent) -> Option<Key> {
    if is_control(pressed, 'c') {
        return Some(Key::Leave);
    }
    if pressed.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
        return None;
    }
    Some(match pressed.code {
        KeyCode::Char('q') | KeyCode::Esc => Key::Leave,
        KeyCode::Char(letter) => Key::Char(letter),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_their_meaning() {
        let (none, control) = (KeyModifiers::NONE, KeyModifiers::CONTROL);
        let cases = [
            (KeyCode::Char('q'), none, Some(Key::Leave)),
            (KeyCode::Esc, none, Some(Key::Leave)),
            (KeyCode::Char('c'), control, Some(Key::Leave)),
            (KeyCode::Char('c'), none, Some(Key::Char('c'))),
            (KeyCode::Char('S'), KeyModifiers::SHIFT, Some(Key::Char('S'))),
            (KeyCode::Char('q'), KeyModifiers::ALT, None),
            (KeyCode::PageDown, none, Some(Key::PageDown)),
            (KeyCode::F(1), none, None),
        ];
        for (code, modifiers, meaning) in cases {
            assert_eq!(key(&KeyEvent::new(code, modifiers)), meaning, "{code:?} with {modifiers:?}");
        }
    }

    #[test]
    fn what_was_not_taken_is_not_given_back() {
        assert!(!is_taken());
        give_back();
        assert!(!is_taken());
    }
}
