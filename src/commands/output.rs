//! Standard output: data for people or scripts. Whoever reads it may stop early; that is not an error. That it cannot be
//! written (a full disk) is one: half a result must not look like a whole one.

use std::io::{self, Write};

use anyhow::Context;

use super::markup::is_unseen;

/// Writes lines to standard output until nobody reads them any more. To be ended with [`Output::finish`].
pub(crate) struct Output<W: Write = io::StdoutLock<'static>> {
    out: io::BufWriter<W>,
    /// Why nothing is written any more.
    failure: Option<io::Error>,
}

impl Output {
    pub(crate) fn new() -> Self {
        Output::to(io::stdout().lock())
    }
}

impl<W: Write> Output<W> {
    pub(crate) fn to(out: W) -> Self {
        Output { out: io::BufWriter::new(out), failure: None }
    }

    /// Returns whether going on makes sense: somebody still reads.
    pub(crate) fn line(&mut self, line: impl std::fmt::Display) -> bool {
        if self.failure.is_none() {
            self.failure = writeln!(self.out, "{line}").err();
        }
        self.failure.is_none()
    }

    /// Two columns, the left one as wide as its widest entry.
    pub(crate) fn table(&mut self, rows: &[(&str, String)]) {
        let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, value) in rows {
            self.line(format_args!("  {name:<width$}  {value}"));
        }
    }

    /// Shows what was written so far. Returns whether going on makes sense.
    pub(crate) fn flush(&mut self) -> bool {
        if self.failure.is_none() {
            self.failure = self.out.flush().err();
        }
        self.failure.is_none()
    }

    /// Ends the output.
    ///
    /// # Errors
    /// If something could not be written, though somebody reads.
    pub(crate) fn finish(mut self) -> anyhow::Result<()> {
        self.flush();
        match self.failure {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("write to standard output"),
            _ => Ok(()),
        }
    }
}

/// A text of others (ids, names of files) for a terminal: what would move its cursor, or turn the direction of what follows, is shown
/// as an escape.
pub(crate) fn escaped(text: &str) -> String {
    text.chars().map(|c| if is_unseen(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// A text as one word for a shell.
pub(crate) fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:,@%+=".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
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
    use std::io;

    use super::Output;

    struct Failing(io::ErrorKind);

    impl io::Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn only_a_reader_that_left_is_no_failure() {
        for (kind, fails) in [(io::ErrorKind::BrokenPipe, false), (io::ErrorKind::StorageFull, true)] {
            // In the buffer until the end, or found out on the way.
            for lines in [1, 10_000] {
                let mut out = Output::to(Failing(kind));
                let reads = (0..lines).all(|line| out.line(format_args!("line {line}")));
                assert_eq!(reads, lines == 1, "{kind:?}");
                assert_eq!(out.finish().is_err(), fails, "{kind:?} after {lines} lines");
            }
        }
        let mut bytes = Vec::new();
        let mut out = Output::to(&mut bytes);
        assert!(out.line("a") && out.flush() && out.line("b"));
        out.finish().expect("memory");
        assert_eq!(bytes, b"a\nb\n");
    }

    #[test]
    fn digits_are_grouped_by_three() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(super::grouped(number), text);
        }
    }
}
