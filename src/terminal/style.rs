//! In which colours: the sixteen of the terminal, which its owner chose to be read on their background, light or dark. Black,
//! white and greys are left alone; what matters less is dim. No view needs the colours.

use ratatui::style::{Color, Modifier, Style};

use crate::paint;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Theme {
    colours: bool,
}

impl Theme {
    /// As `--color` and the environment wish.
    pub(crate) fn wanted() -> Theme {
        Theme { colours: paint::on_stdout() }
    }

    /// For frames that are printed as text.
    pub(crate) fn without_colours() -> Theme {
        Theme { colours: false }
    }

    #[cfg(test)]
    pub(crate) fn with_colours(colours: bool) -> Theme {
        Theme { colours }
    }

    pub(crate) fn plain(self) -> Style {
        Style::new()
    }

    /// A label, a line, a figure from earlier.
    pub(crate) fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(crate) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// A name or a bar that leads the eye.
    pub(crate) fn accent(self) -> Style {
        self.coloured(Color::Cyan)
    }

    pub(crate) fn good(self) -> Style {
        self.coloured(Color::Green)
    }

    /// To be looked at.
    pub(crate) fn care(self) -> Style {
        self.coloured(Color::Yellow)
    }

    /// Somebody has to act; where there are no colours, it stands out by its weight.
    pub(crate) fn bad(self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }

    fn coloured(self, colour: Color) -> Style {
        if self.colours { Style::new().fg(colour) } else { Style::new() }
    }
}
