//! The reference documentation, made from the doc comments of the settings.
//!
//! The schema has the words and the types, the default configuration the values and the order: both come from the code, so the
//! page cannot say anything that the program does not do.

use std::fmt::Write;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::Config;
use crate::schema::{Kind, Node, any_of, schema};
use crate::tree::Path;

const INTRODUCTION: &str = include_str!("reference.md");

/// The page `docs/configuration.md`.
#[must_use]
pub(crate) fn reference_markdown() -> String {
    let schema = schema();
    let root = Node::root(&schema);
    let text = serde_json::to_string(&Config::default()).expect("settings are plain data");
    let defaults: Ordered = serde_json::from_str(&text).expect("it was just written");

    let mut page = Page { text: INTRODUCTION.to_owned(), homes: Vec::new() };
    find_homes(root, &Path::default(), &defaults, &mut page.homes);
    page.section(root, &Path::default(), &defaults);
    page.text
}

struct Page<'a> {
    text: String,
    /// A type that stands in several places is described at the first where it is not left out by default.
    homes: Vec<(Node<'a>, Path)>,
}

fn find_homes<'a>(node: Node<'a>, path: &Path, defaults: &Ordered, homes: &mut Vec<(Node<'a>, Path)>) {
    if !homes.iter().any(|(other, _)| node.same_type(*other)) {
        homes.push((node, path.clone()));
    }
    for (key, default) in defaults.entries().iter().filter(|(_, default)| !matches!(default, Ordered::Null)) {
        if let Some(child) = node.property(key).filter(|child| matches!(child.kind(), Kind::Section)) {
            find_homes(child, &path.child(key), default, homes);
        }
    }
}

impl<'a> Page<'a> {
    fn section(&mut self, node: Node<'a>, path: &Path, defaults: &Ordered) {
        let entries = defaults.entries();
        for (key, default) in entries {
            if let Some(child) = node.property(key).filter(|child| !matches!(child.kind(), Kind::Section)) {
                self.setting(child, key, default);
            }
        }
        for (key, default) in entries {
            if let Some(child) = node.property(key).filter(|child| matches!(child.kind(), Kind::Section)) {
                self.subsection(child, &path.child(key), default);
            }
        }
    }

    fn subsection(&mut self, node: Node<'a>, path: &Path, defaults: &Ordered) {
        let level = "#".repeat(path.keys().len() + 1);
        let _ = writeln!(self.text, "\n{level} `[{path}]`\n");
        if let Some(description) = node.description().or_else(|| node.type_description()) {
            let _ = writeln!(self.text, "{}\n", sentences(description, ""));
        }
        let home = self.homes.iter().find(|(other, _)| node.same_type(*other)).map(|(_, path)| path.clone());
        match home.filter(|home| home != path) {
            Some(home) => {
                let _ = writeln!(self.text, "The same settings as [`[{home}]`](#{}).", anchor(&home));
            }
            None => self.section(node, path, defaults),
        }
    }

    fn setting(&mut self, node: Node<'_>, key: &str, default: &Ordered) {
        let kind = node.kind();
        let default = match default {
            Ordered::Null => "optional".to_owned(),
            value => format!("default `{}`", value.as_toml()),
        };
        let _ = writeln!(self.text, "- **`{key}`**: {}, {default}", type_words(&kind));
        if let Some(description) = node.description() {
            let _ = writeln!(self.text, "\n  {}", sentences(description, "  "));
        }
        for (word, meaning) in node.choices() {
            if let Some(meaning) = meaning {
                let _ = writeln!(self.text, "  - `{word}`: {}", meaning.replace('\n', " "));
            }
        }
    }
}

fn type_words(kind: &Kind<'_>) -> String {
    match kind {
        Kind::Section => "section".into(),
        Kind::Map(item) => format!("table of {}", plural(&item.kind())),
        Kind::List(item) => format!("list of {}", plural(&item.kind())),
        Kind::Choice(words) => any_of(words),
        Kind::Span => "span of time".into(),
        Kind::Secret => "secret (`env:NAME` or `file:path`)".into(),
        Kind::Text => "text".into(),
        Kind::TextOrList => "text or list of texts".into(),
        Kind::Whole { .. } => "whole number".into(),
        Kind::Number => "number".into(),
        Kind::Flag => "`true` or `false`".into(),
    }
}

fn plural(kind: &Kind<'_>) -> String {
    match kind {
        Kind::Choice(words) => any_of(words),
        Kind::Secret => "secrets (`env:NAME` or `file:path`)".into(),
        Kind::Text => "texts".into(),
        Kind::Whole { .. } => "whole numbers".into(),
        Kind::Number => "numbers".into(),
        other => type_words(other),
    }
}

/// One sentence per line: a changed sentence is then a changed line.
fn sentences(description: &str, indent: &str) -> String {
    let text = description.replace("\n\n", "\u{0}").replace('\n', " ").replace('\u{0}', "\n\n");
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(end) = rest.find(". ") {
        let (sentence, next) = rest.split_at(end + 2);
        let begins = next.starts_with(|c: char| c.is_uppercase() || c == '`');
        out.push_str(if begins { sentence.trim_end() } else { sentence });
        if begins {
            let _ = write!(out, "\n{indent}");
        }
        rest = next;
    }
    out.push_str(rest);
    out
}

/// As hosting sites make it from a heading.
fn anchor(path: &Path) -> String {
    path.keys().concat()
}

/// A document that keeps the order in which it was written, which is that of the settings' structs.
#[derive(Debug)]
enum Ordered {
    Null,
    Plain(Value),
    List(Vec<Ordered>),
    Table(Vec<(String, Ordered)>),
}

impl Ordered {
    fn entries(&self) -> &[(String, Ordered)] {
        match self {
            Ordered::Table(entries) => entries,
            _ => &[],
        }
    }

    fn as_toml(&self) -> String {
        match self {
            Ordered::Null => String::new(),
            Ordered::Plain(value) => value.to_string(),
            Ordered::List(items) => {
                let items: Vec<String> = items.iter().map(Ordered::as_toml).collect();
                format!("[{}]", items.join(", "))
            }
            Ordered::Table(entries) => {
                let entries: Vec<String> = entries.iter().map(|(key, v)| format!("{key} = {}", v.as_toml())).collect();
                if entries.is_empty() { "{}".into() } else { format!("{{ {} }}", entries.join(", ")) }
            }
        }
    }
}

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OrderedVisitor;

        impl<'de> Visitor<'de> for OrderedVisitor {
            type Value = Ordered;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a document")
            }

            fn visit_unit<E>(self) -> Result<Ordered, E> {
                Ok(Ordered::Null)
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Ordered, E> {
                Ok(Ordered::Plain(flag.into()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Ordered, E> {
                Ok(Ordered::Plain(number.into()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Ordered, E> {
                Ok(Ordered::Plain(number.into()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Ordered, E> {
                Ok(Ordered::Plain(number.into()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Ordered, E> {
                Ok(Ordered::Plain(text.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Ordered, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Ordered::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Ordered::Table(entries))
            }
        }

        deserializer.deserialize_any(OrderedVisitor)
    }
}
