//! The merged document against the schema: every unknown key and every value of a wrong type, all in one go.
//!
//! The types' own deserialization comes afterwards and has the last word; it stops at its first complaint and does not know where a
//! value came from, which is why it does not come first.

use serde_json::Value;
use types::{Secret, Span};

use crate::schema::{Kind, Node, any_of};
use crate::suggest::{nearest, unknown};
use crate::tree::{Path, Tree};
use crate::{Origin, Problem};

/// Finds what is wrong, and turns plain values in maps of text into text.
pub(crate) fn check(tree: &mut Tree, schema: Node<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut value = std::mem::take(&mut tree.value);
    Checker { schema, tree, problems: &mut problems }.visit(schema, &Path::default(), &mut value);
    tree.value = value;
    problems
}

/// The sentence about a value that does not fit its setting.
pub(crate) fn misfit(path: &Path, origin: Option<&Origin>, what: &str) -> Problem {
    let place = origin.map(|origin| format!(" in {origin}")).unwrap_or_default();
    Problem { setting: path.to_string(), origin: origin.cloned(), message: format!("`{path}`{place}: {what}") }
}

struct Checker<'s, 't> {
    schema: Node<'s>,
    tree: &'t Tree,
    problems: &'t mut Vec<Problem>,
}

impl Checker<'_, '_> {
    fn visit(&mut self, node: Node<'_>, path: &Path, value: &mut Value) {
        if value.is_null() && node.is_optional() {
            return;
        }
        let kind = node.kind();
        match (&kind, &mut *value) {
            (Kind::Section, Value::Object(table)) => {
                for (key, value) in table {
                    let path = path.child(key);
                    match node.property(key) {
                        Some(child) => self.visit(child, &path, value),
                        None => self.problems.push(unknown(self.schema, &path, self.tree.origin(&path))),
                    }
                }
            }
            (Kind::Map(item), Value::Object(table)) => {
                let text = matches!(item.kind(), Kind::Text);
                for (key, value) in table {
                    // `"session.timeout.ms" = 6000` is clear enough.
                    if text && (value.is_number() || value.is_boolean()) {
                        *value = Value::String(value.to_string());
                    }
                    self.visit(*item, &path.child(key), value);
                }
            }
            (Kind::List(item), Value::Array(items)) => {
                for value in items {
                    self.visit(*item, path, value);
                }
            }
            (Kind::TextOrList, Value::String(_)) => {}
            (Kind::TextOrList, Value::Array(items)) if items.iter().all(Value::is_string) => {}
            (Kind::Choice(words), Value::String(word)) => {
                if !words.contains(&word.as_str()) {
                    let near = nearest(word, words.iter().copied());
                    let near = near.map(|near| format!(": did you mean `{near}`?")).unwrap_or_default();
                    self.wrong(path, &format!("`{}` is not {}{near}", short(word), any_of(words)));
                }
            }
            (Kind::Span, Value::String(text)) => {
                if let Err(why) = text.parse::<Span>() {
                    self.wrong(path, &why);
                }
            }
            (Kind::Secret, Value::String(text)) => {
                if let Err(why) = Secret::parse(text) {
                    self.wrong(path, &why);
                }
            }
            (Kind::Text, Value::String(_)) | (Kind::Number, Value::Number(_)) | (Kind::Flag, Value::Bool(_)) => {}
            (Kind::Whole { minimum, maximum }, Value::Number(number)) if number.is_i64() || number.is_u64() => {
                let number = number.as_i64().unwrap_or(i64::MAX);
                if let Some(minimum) = minimum.filter(|minimum| number < *minimum) {
                    self.wrong(path, &format!("{number} is below {minimum}"));
                }
                if let Some(maximum) = maximum.filter(|maximum| number > *maximum) {
                    self.wrong(path, &format!("{number} is above {maximum}"));
                }
            }
            (Kind::Secret, _) => self.wrong(path, &format!("expected {}", kind.expected())),
            (kind, value) => {
                let quotes = if kind.is_text() && value.is_number() { "; put it in quotes" } else { "" };
                self.wrong(path, &format!("expected {}, found {}{quotes}", kind.expected(), found(value)));
            }
        }
    }

    fn wrong(&mut self, path: &Path, what: &str) {
        self.problems.push(misfit(path, self.tree.origin(path), what));
    }
}

fn found(value: &Value) -> String {
    match value {
        Value::Null => "nothing".into(),
        Value::Bool(flag) => format!("`{flag}`"),
        Value::Number(number) => format!("the number `{number}`"),
        Value::String(text) => format!("the text `{}`", short(text)),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "a table".into(),
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
