//! Colours of what commands print: on a terminal whose owner did not say `NO_COLOR`, and nowhere else. Colours only repeat
//! what the words say. The words for them are those of [`crate::terminal::Theme`], which is for live views.

use std::fmt::Display;
use std::io;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    colours: bool,
}

impl Paint {
    pub(crate) const PLAIN: Paint = Paint { colours: false };

    /// For standard output.
    pub(crate) fn of_output() -> Paint {
        Paint { colours: AutoStream::choice(&io::stdout()) != ColorChoice::Never }
    }

    /// A heading.
    pub(crate) fn strong(self, text: impl Display) -> String {
        self.styled(Style::new().bold(), text)
    }

    /// What matters less.
    pub(crate) fn dim(self, text: impl Display) -> String {
        self.styled(Style::new().dimmed(), text)
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
        self.styled(AnsiColor::Red.on_default().bold(), text)
    }

    fn styled(self, style: Style, text: impl Display) -> String {
        if self.colours { format!("{style}{text}{style:#}") } else { text.to_string() }
    }
}

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
}
