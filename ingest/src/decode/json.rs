//! A strict JSON scanner over one record: tokens as spans into it, no tree, no allocation.
//!
//! It checks the grammar of RFC 8259 to the last byte and the limits on nesting and fields on its way. What a token means
//! is its callers' business; only escapes are resolved here, for the few texts that are wanted.

use std::fmt;

use super::number;

/// A part of the record, or of the scratch text. Records are shorter than 4 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Span {
    #[inline]
    pub(super) fn new(start: usize, end: usize) -> Self {
        debug_assert!(u32::try_from(end).is_ok(), "`record_bytes_max` is checked");
        Span { start: start as u32, end: end as u32 }
    }

    #[inline]
    pub(super) fn of(self, text: &str) -> &str {
        &text[self.start as usize..self.end as usize]
    }
}

/// A value: a scalar that was read whole, or the opening of a container whose content comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    Null,
    Bool,
    Number(Span),
    /// Between the quotes.
    Text {
        span: Span,
        escaped: bool,
    },
    Array,
    Object,
}

/// A field's name, between its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) span: Span,
    pub(super) escaped: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Syntax { at: usize, expected: &'static str },
    TooDeep { at: usize },
    TooManyFields { at: usize },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Syntax { at, expected } => write!(f, "expected {expected} at byte {at}"),
            Fault::TooDeep { at } => write!(f, "nested too deeply at byte {at}"),
            Fault::TooManyFields { at } => write!(f, "too many fields at byte {at}"),
        }
    }
}

#[derive(Debug)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    depth_max: usize,
    fields: usize,
    fields_max: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, depth_max: usize, fields_max: usize) -> Self {
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Scanner { text, at, depth: 0, depth_max, fields: 0, fields_max }
    }

    /// Counts fields anew: each element of an array of readings has its own allowance.
    pub(super) fn reset_fields(&mut self) {
        self.fields = 0;
    }

    /// Reads a scalar, or the opening bracket of a container.
    pub(super) fn value(&mut self) -> Result<Token, Fault> {
        self.skip_blanks();
        match self.peek() {
            Some(b'"') => {
                let Key { span, escaped } = self.text_token()?;
                Ok(Token::Text { span, escaped })
            }
            Some(b'-' | b'0'..=b'9') => {
                let start = self.at;
                self.at = number::json_end(self.text.as_bytes(), start).ok_or(self.expected("a number"))?;
                Ok(Token::Number(Span::new(start, self.at)))
            }
            Some(b'{') => self.open(Token::Object),
            Some(b'[') => self.open(Token::Array),
            Some(b'n') => self.word("null", Token::Null),
            Some(b't') => self.word("true", Token::Bool),
            Some(b'f') => self.word("false", Token::Bool),
            _ => Err(self.expected("a value")),
        }
    }

    /// Inside an object: the next field's name up to its colon, or none at the closing brace.
    pub(super) fn key(&mut self, first: bool) -> Result<Option<Key>, Fault> {
        if !self.another(first, b'}', "`,` or `}`")? {
            return Ok(None);
        }
        self.skip_blanks();
        if self.peek() != Some(b'"') {
            return Err(self.expected(if first { "a field's name or `}`" } else { "a field's name" }));
        }
        self.fields += 1;
        if self.fields > self.fields_max {
            return Err(Fault::TooManyFields { at: self.at });
        }
        let key = self.text_token()?;
        self.skip_blanks();
        if self.peek() != Some(b':') {
            return Err(self.expected("`:`"));
        }
        self.at += 1;
        Ok(Some(key))
    }

    /// Inside an array: whether an element comes next; false at the closing bracket.
    pub(super) fn element(&mut self, first: bool) -> Result<bool, Fault> {
        self.another(first, b']', "`,` or `]`")
    }

    /// Reads over what is left of a value: the content of a container that was just opened.
    pub(super) fn skip(&mut self, token: Token) -> Result<(), Fault> {
        // The recursion is bounded by `depth_max`.
        let mut first = true;
        match token {
            Token::Array => {
                while self.element(first)? {
                    first = false;
                    let inner = self.value()?;
                    self.skip(inner)?;
                }
            }
            Token::Object => {
                while self.key(first)?.is_some() {
                    first = false;
                    let inner = self.value()?;
                    self.skip(inner)?;
                }
            }
            Token::Null | Token::Bool | Token::Number(_) | Token::Text { .. } => {}
        }
        Ok(())
    }

    /// Nothing may follow the record's value.
    pub(super) fn end(&mut self) -> Result<(), Fault> {
        self.skip_blanks();
        if self.at == self.text.len() { Ok(()) } else { Err(self.expected("the end of the record")) }
    }

    fn another(&mut self, first: bool, close: u8, expected: &'static str) -> Result<bool, Fault> {
        self.skip_blanks();
        match self.peek() {
            Some(byte) if byte == close => {
                self.at += 1;
                self.depth -= 1;
                Ok(false)
            }
            Some(b',') if !first => {
                self.at += 1;
                Ok(true)
            }
            Some(_) if first => Ok(true),
            _ => Err(self.expected(expected)),
        }
    }

    fn open(&mut self, token: Token) -> Result<Token, Fault> {
        self.depth += 1;
        if self.depth > self.depth_max {
            return Err(Fault::TooDeep { at: self.at });
        }
        self.at += 1;
        Ok(token)
    }

    fn word(&mut self, word: &str, token: Token) -> Result<Token, Fault> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.expected("a value"));
        }
        self.at += word.len();
        Ok(token)
    }

    /// From the opening quote over the closing one.
    fn text_token(&mut self) -> Result<Key, Fault> {
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let mut escaped = false;
        self.at = start;
        loop {
            self.at = text_stop(bytes, self.at);
            match bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += match bytes.get(self.at + 1) {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
                        Some(b'u') if four_hex(bytes, self.at + 2).is_some() => 6,
                        _ => return Err(self.expected("an escape sequence")),
                    };
                }
                Some(_) => return Err(self.expected("no raw control character")),
                None => return Err(self.expected("`\"`")),
            }
        }
        let span = Span::new(start, self.at);
        self.at += 1;
        Ok(Key { span, escaped })
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn expected(&self, expected: &'static str) -> Fault {
        Fault::Syntax { at: self.at, expected }
    }
}

/// The first byte from `at` on that a plain text cannot hold: a quote, a backslash, a control character, or the end.
#[inline]
pub(super) fn text_stop(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    // Eight bytes at a time; the lowest set bit is exact, those above it need not be.
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let zero_in = |word: u64| word.wrapping_sub(ONES) & !word;
        let stops = zero_in(word ^ (ONES * u64::from(b'"')))
            | zero_in(word ^ (ONES * u64::from(b'\\')))
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let stops = stops & HIGH;
        if stops != 0 {
            return at + (stops.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(byte) = bytes.get(at) {
        if matches!(byte, b'"' | b'\\' | 0..0x20) {
            break;
        }
        at += 1;
    }
    at
}

/// Appends the text with its escapes resolved; false for half of a surrogate pair, which no text can hold.
pub(super) fn unescape(escaped: &str, out: &mut String) -> bool {
    let mut rest = escaped;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let bytes = rest.as_bytes();
        let (character, length) = match bytes.get(at + 1) {
            Some(b'b') => (Some('\u{8}'), 2),
            Some(b'f') => (Some('\u{c}'), 2),
            Some(b'n') => (Some('\n'), 2),
            Some(b'r') => (Some('\r'), 2),
            Some(b't') => (Some('\t'), 2),
            Some(b'u') => match four_hex(bytes, at + 2) {
                Some(high @ 0xd800..0xdc00) => {
                    let low = (bytes.get(at + 6..at + 8) == Some(b"\\u")).then(|| four_hex(bytes, at + 8)).flatten();
                    let pair = low.and_then(|low| char::decode_utf16([high, low]).next()).and_then(Result::ok);
                    (pair, 12)
                }
                unit => (unit.and_then(|unit| char::from_u32(u32::from(unit))), 6),
            },
            other => (other.copied().map(char::from), 2),
        };
        let Some(character) = character else { return false };
        out.push(character);
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    true
}

fn four_hex(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 4)?.iter().try_fold(0, |unit, byte| {
        let digit = char::from(*byte).to_digit(16)?;
        Some(unit << 4 | digit as u16)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str) -> Result<(), Fault> {
        let mut scanner = Scanner::new(text, 64, 1000);
        let token = scanner.value()?;
        scanner.skip(token)?;
        scanner.end()
    }

    #[test]
    fn limits_and_positions() {
        assert_eq!(check("{\"a\" 1}"), Err(Fault::Syntax { at: 5, expected: "`:`" }));
        assert_eq!(check("[1,]"), Err(Fault::Syntax { at: 3, expected: "a value" }));
        assert_eq!(check("{} x"), Err(Fault::Syntax { at: 3, expected: "the end of the record" }));
        assert_eq!(check(&"[".repeat(65)), Err(Fault::TooDeep { at: 64 }));
        assert_eq!(check(&format!("{}1{}", "[".repeat(64), "]".repeat(64))), Ok(()));
    }

    #[test]
    fn half_a_surrogate_pair_is_no_text() {
        let mut out = String::new();
        assert!(unescape(r#"a\ud83c\udf21\u00e9\/\"\\\n"#, &mut out));
        assert_eq!(out, "a🌡é/\"\\\n");
        for text in [r"\ud83c", r"\ud83cx", r"\udf21", r"\ud83c\u0041", r"\ud83c\n"] {
            assert!(!unescape(text, &mut out), "{text}");
        }
    }

    proptest! {
        /// Texts close to JSON: made of its own pieces.
        #[test]
        fn accepts_what_serde_json_accepts(pieces in prop::collection::vec(
            prop::sample::select(vec!["{", "}", "[", "]", ",", ":", "\"a\"", "\"\\n\"", "\"\\x\"", "\"", "1", "-0.5e3", "01", "true", "nul", "null", " ", "\n", "é", "\u{1}"]), 0..12)) {
            let text = pieces.concat();
            let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            prop_assert_eq!(check(&text).is_ok(), theirs, "{}", text);
        }

        #[test]
        fn any_text_goes_through_escapes(text: String) {
            let json = serde_json::to_string(&text).expect("a string");
            let inner = &json[1..json.len() - 1];
            prop_assert_eq!(check(&json), Ok(()));
            let mut out = String::new();
            prop_assert!(unescape(inner, &mut out));
            prop_assert_eq!(out, text);
        }

        #[test]
        fn text_stops_where_a_plain_loop_does(bytes in prop::collection::vec(any::<u8>(), 0..40), at in 0_usize..8) {
            let at = at.min(bytes.len());
            let plain = bytes[at..].iter().position(|b| matches!(b, b'"' | b'\\' | 0..0x20)).map_or(bytes.len(), |n| at + n);
            prop_assert_eq!(text_stop(&bytes, at), plain);
        }
    }
}
