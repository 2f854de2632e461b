//! Standard output: data for people or scripts. Whoever reads it may stop early; that is not an error.

use std::io::{self, Write};

/// Writes lines to standard output until nobody reads them any more.
pub(crate) struct Output {
    out: io::BufWriter<io::StdoutLock<'static>>,
}

impl Output {
    pub(crate) fn new() -> Self {
        Output { out: io::BufWriter::new(io::stdout().lock()) }
    }

    /// Returns whether somebody still reads.
    pub(crate) fn line(&mut self, line: impl std::fmt::Display) -> bool {
        writeln!(self.out, "{line}").is_ok()
    }

    /// Two columns, the left one as wide as its widest entry.
    pub(crate) fn table(&mut self, rows: &[(&str, String)]) {
        let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, value) in rows {
            self.line(format_args!("  {name:<width$}  {value}"));
        }
    }

    pub(crate) fn flush(&mut self) {
        // Nobody is left to tell.
        let _ = self.out.flush();
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.flush();
    }
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn digits_are_grouped_by_three() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(super::grouped(number), text);
        }
    }
}
