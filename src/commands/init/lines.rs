//! TOML for people: settings with a word on each, comments below each other.
//!
//! A document is written, not serialized: what matters is what stands beside a value. Texts of users' data are quoted so that they stay
//! texts, whatever they hold.

use std::fmt::Write;

use crate::commands::markup::is_unseen;

/// Where comments begin, if the setting leaves room.
const COMMENT_COLUMN: usize = 36;
const WIDTH: usize = 140;
/// A list that is longer is written over several lines.
const LIST_WIDTH: usize = 100;

/// A document under construction.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    text: String,
}

/// A setting, and a word on it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    key: String,
    value: String,
    why: String,
}

impl Entry {
    /// `value` is TOML already.
    pub(crate) fn new(key: &str, value: String) -> Self {
        Entry { key: key.to_owned(), value, why: String::new() }
    }

    pub(crate) fn text(key: &str, value: &str) -> Self {
        Entry::new(key, quoted(value))
    }

    pub(crate) fn why(self, why: &str) -> Self {
        Entry { why: why.to_owned(), ..self }
    }
}

impl Lines {
    pub(crate) fn blank(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    pub(crate) fn table(&mut self, name: &str) {
        self.blank();
        let _ = writeln!(self.text, "[{name}]");
    }

    /// One that was written elsewhere.
    pub(crate) fn section(&mut self, text: &str) {
        self.blank();
        self.text.push_str(text);
    }

    /// A comment, cut into lines.
    pub(crate) fn comment(&mut self, text: &str) {
        let mut line = String::from("#");
        for word in text.split_whitespace() {
            if line.chars().count() + 1 + word.chars().count() > WIDTH && line.len() > 1 {
                self.text.push_str(&line);
                self.text.push('\n');
                line = String::from("#");
            }
            line.push(' ');
            line.push_str(word);
        }
        self.text.push_str(&line);
        self.text.push('\n');
    }

    pub(crate) fn entry(&mut self, entry: Entry) {
        let setting = format!("{} = {}", entry.key, entry.value);
        let fits = !setting.contains('\n')
            && setting.chars().count().max(COMMENT_COLUMN) + entry.why.chars().count() + 3 <= WIDTH;
        if !fits && !entry.why.is_empty() {
            self.comment(&entry.why);
        }
        self.setting(&setting, if fits { &entry.why } else { "" });
    }

    /// A setting that is not in force.
    pub(crate) fn remark_setting(&mut self, setting: &str, why: &str) {
        // A list may take several lines; a comment is one.
        let setting: Vec<&str> = setting.lines().map(str::trim).collect();
        self.setting(&format!("#{}", setting.join(" ")), why);
    }

    fn setting(&mut self, setting: &str, why: &str) {
        // A comment ends with its line, whatever it quotes.
        let why = why.replace(['\n', '\r'], " ");
        let _ = match why.as_str() {
            "" => writeln!(self.text, "{setting}"),
            why => {
                writeln!(self.text, "{setting:<width$}# {why}", width = COMMENT_COLUMN.max(setting.chars().count() + 1))
            }
        };
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }
}

/// A text in TOML, on one line, whatever it holds.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            // Control characters, as TOML wants it, and what hides or turns text around on a terminal.
            other if is_unseen(other) => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(other));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// A list of texts.
pub(crate) fn list(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
    let line = format!("[{}]", items.join(", "));
    if line.chars().count() <= LIST_WIDTH {
        return line;
    }
    let mut text = String::from("[\n");
    let mut line = String::new();
    for item in items {
        if line.chars().count() + item.chars().count() > LIST_WIDTH && !line.is_empty() {
            let _ = writeln!(text, "   {line}");
            line.clear();
        }
        let _ = write!(line, " {item},");
    }
    let _ = write!(text, "   {line}\n]");
    text
}

/// A key of a table, as it is or quoted.
pub(crate) fn key(text: &str) -> String {
    let bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if bare { text.to_owned() } else { quoted(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_comes_back_and_stays_on_its_line() {
        let nasty = [
            "",
            "a\"b\\c",
            "two\nlines\r\n",
            "\u{0}\u{7f}\u{1b}[31m",
            "\u{202e}right\u{feff}",
            "ä # = [x]",
            "'''",
            "\"\"\"",
            "\t",
        ];
        let many = (0..40).map(|n| format!("sensor {n}"));
        let items: Vec<String> = nasty.iter().map(|text| (*text).to_owned()).chain(many).collect();
        let mut lines = Lines::default();
        lines.comment("it's\nseveral lines");
        lines.entry(Entry::new("list", list(&items)).why("all of them"));
        lines.remark_setting(&format!("other = {}", list(&items)), "or\nso");
        lines.entry(Entry::new(&key("a.b \"c\""), "1".into()));
        let text = lines.finish();
        let read: toml::Table = toml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let found: Vec<&str> =
            read["list"].as_array().expect("a list").iter().filter_map(toml::Value::as_str).collect();
        assert_eq!(found, items);
        assert_eq!(read.len(), 2, "{text}");
        for text in nasty {
            assert!(!quoted(text).chars().any(char::is_control), "{text:?}");
        }
    }
}
