//! Text from elsewhere on its way into HTML and SVG: nothing of it is markup, and nothing of it turns its surroundings around.

use std::fmt;

/// Escaped for text and for attributes in quotes of either kind; characters that XML does not know, or that change the
/// direction of what follows, are shown as escapes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Safe<'a>(pub(crate) &'a str);

impl fmt::Display for Safe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c if is_unseen(c) => write!(f, "{}", c.escape_default())?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Control characters, those that are none, and those that say from where to where text is read.
pub(crate) fn is_unseen(c: char) -> bool {
    let turns = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    c.is_control() || turns || matches!(c, '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_markup() {
        for (text, expected) in [
            ("pump-7 °C", "pump-7 °C"),
            ("</script><b a=\"1\" c='2'>&lt;", "&lt;/script&gt;&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;lt;"),
            ("a\u{202e}b\u{2066}\n\0\u{ffff}", "a\\u{202e}b\\u{2066}\\n\\u{0}\\u{ffff}"),
        ] {
            assert_eq!(Safe(text).to_string(), expected);
        }
    }
}
