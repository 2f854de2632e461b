//! Whether something is coloured: one answer for help, errors, logs, bars and live views.
//!
//! `--color` decides. Where it is `auto`, as it is unless given, the environment does, by the rules of clap's own printer (so
//! that help is no exception): `NO_COLOR`, then `CLICOLOR_FORCE`, `CLICOLOR=0`, a terminal whose `TERM` is not `dumb`.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, IsTerminal};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use clap::builder::Styles;

/// When output is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    Auto,
    Always,
    Never,
}

/// Takes `--color` from the command line before it is parsed: what the parser says is coloured, too.
pub fn choose(arguments: impl Iterator<Item = OsString>) {
    let choice = match wanted(arguments) {
        Colour::Auto => ColorChoice::Auto,
        Colour::Always => ColorChoice::Always,
        Colour::Never => ColorChoice::Never,
    };
    choice.write_global();
}

/// The last one that is given; what is none of the three is the parser's to refuse.
fn wanted(arguments: impl Iterator<Item = OsString>) -> Colour {
    let mut wanted = Colour::Auto;
    let mut is_next = false;
    for argument in arguments.skip(1) {
        let argument = argument.to_string_lossy();
        let value = if is_next { Some(argument.as_ref()) } else { argument.strip_prefix("--color=") };
        if let Some(colour) = value.and_then(|value| Colour::from_str(value, false).ok()) {
            wanted = colour;
        }
        is_next = argument == "--color";
        if argument == "--" {
            break;
        }
    }
    wanted
}

pub(crate) fn on_stdout() -> bool {
    AutoStream::choice(&io::stdout()) != ColorChoice::Never
}

pub(crate) fn on_stderr() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}

/// Whether a line on standard error can be drawn over.
pub(crate) fn can_redraw() -> bool {
    io::stderr().is_terminal() && can_move()
}

/// Whether the terminal, if there is one, can move its cursor.
pub(crate) fn can_move() -> bool {
    std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// Of help and of what the parser says.
pub(crate) fn styles() -> Styles {
    Styles::styled()
        .header(AnsiColor::Green.on_default().bold())
        .usage(AnsiColor::Green.on_default().bold())
        .literal(AnsiColor::Cyan.on_default().bold())
        .placeholder(AnsiColor::Cyan.on_default())
        .error(ERROR)
        .valid(AnsiColor::Green.on_default())
        .invalid(AnsiColor::Yellow.on_default())
}

/// Colours of lines that commands print. They only repeat what the words say, and are those of [`crate::terminal::Theme`],
/// which is for live views.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    colours: bool,
}

impl Paint {
    pub(crate) const PLAIN: Paint = Paint { colours: false };

    pub(crate) fn of_output() -> Paint {
        Paint { colours: on_stdout() }
    }

    pub(crate) fn of_errors() -> Paint {
        Paint { colours: on_stderr() }
    }

    /// A heading.
    pub(crate) fn strong(self, text: impl Display) -> String {
        self.styled(Style::new().bold(), text)
    }

    /// What matters less.
    pub(crate) fn dim(self, text: impl Display) -> String {
        self.styled(Style::new().dimmed(), text)
    }

    /// What leads the eye.
    pub(crate) fn accent(self, text: impl Display) -> String {
        self.styled(AnsiColor::Cyan.on_default(), text)
    }

    pub(crate) fn good(self, text: impl Display) -> String {
        self.styled(AnsiColor::Green.on_default(), text)
    }

    /// To be looked at.
    pub(crate) fn care(self, text: impl Display) -> String {
        self.styled(AnsiColor::Yellow.on_default(), text)
    }

    /// Somebody has to act.
    pub(crate) fn bad(self, text: impl Display) -> String {
        self.styled(ERROR, text)
    }

    pub(crate) fn hint(self, text: impl Display) -> String {
        self.styled(AnsiColor::Cyan.on_default().bold(), text)
    }

    fn styled(self, style: Style, text: impl Display) -> String {
        if self.colours { format!("{style}{text}{style:#}") } else { text.to_string() }
    }
}

const ERROR: Style = AnsiColor::Red.on_default().bold();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_painted_ends_plain_and_without_colours_is_the_text() {
        let paint = Paint { colours: true };
        assert_eq!(paint.good("ok"), "\x1b[32mok\x1b[0m");
        assert_eq!(paint.bad(1), "\x1b[1m\x1b[31m1\x1b[0m");
        assert_eq!(Paint::PLAIN.bad("no"), "no");
    }

    #[test]
    fn the_wish_is_found_wherever_it_stands() {
        for (line, colour) in [
            ("atalaia run -c a.toml", Colour::Auto),
            ("atalaia --color never run", Colour::Never),
            ("atalaia run --color=always", Colour::Always),
            ("atalaia run --color=always --color auto", Colour::Auto),
            ("atalaia run --color sometimes", Colour::Auto),
            ("atalaia run -- --color=always", Colour::Auto),
            ("--color=always", Colour::Auto),
        ] {
            assert_eq!(wanted(line.split(' ').map(Into::into)), colour, "{line}");
        }
    }
}
