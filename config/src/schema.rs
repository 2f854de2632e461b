//! The schema of the whole document, and a reader's view of it.
//!
//! The loader asks it what a setting is (text, a list, a map…), the checker which keys exist, the reference what to print. It is made from
//! the configuration's own types, so that none of the three can disagree with the code.

use schemars::schema_for;
use serde_json::{Map, Value};

use crate::Config;

/// The JSON Schema of a configuration document.
#[must_use]
pub(crate) fn schema() -> Value {
    let mut schema = schema_for!(Config);
    schema.insert("title".into(), "Atalaia pipeline".into());
    schema.to_value()
}

/// A place in the schema.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node<'a> {
    root: &'a Value,
    /// As written: a property's own description and default stand beside its `$ref`.
    at: &'a Value,
}

/// What may be written at a place.
#[derive(Debug, Clone)]
pub(crate) enum Kind<'a> {
    /// A table with known keys.
    Section,
    /// A table with free keys.
    Map(Node<'a>),
    List(Node<'a>),
    /// One of these words.
    Choice(Vec<&'a str>),
    Span,
    Secret,
    Text,
    /// Text, or a list of texts.
    TextOrList,
    Whole {
        minimum: Option<i64>,
        maximum: Option<i64>,
    },
    Number,
    Flag,
}

impl Kind<'_> {
    /// Whether an override is taken letter by letter.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self, Kind::Choice(_) | Kind::Span | Kind::Secret | Kind::Text | Kind::TextOrList)
    }

    /// After "expected …".
    pub(crate) fn expected(&self) -> String {
        match self {
            Kind::Section => "a section".into(),
            Kind::Map(_) => "a table".into(),
            Kind::List(item) => match item.kind() {
                Kind::Choice(words) => format!("a list of {}", any_of(&words)),
                item if item.is_text() => "a list of texts".into(),
                _ => "a list".into(),
            },
            Kind::Choice(words) => any_of(words),
            Kind::Span => "a span of time like `500ms`, `30s`, `5m`, `1h` or `7d`".into(),
            Kind::Secret => "the place of a secret, `env:NAME` or `file:path`".into(),
            Kind::Text => "text".into(),
            Kind::TextOrList => "text or a list of texts".into(),
            Kind::Whole { .. } => "a whole number".into(),
            Kind::Number => "a number".into(),
            Kind::Flag => "`true` or `false`".into(),
        }
    }
}

/// What the reference asks besides, which a test writes.
#[cfg(test)]
impl<'a> Node<'a> {
    pub(crate) fn description(self) -> Option<&'a str> {
        let own = self.at.get("description");
        own.or_else(|| self.target().get("description")).and_then(Value::as_str)
    }

    /// The description of the type, where the property has one of its own.
    pub(crate) fn type_description(self) -> Option<&'a str> {
        self.target().get("description").and_then(Value::as_str)
    }

    /// Two places of one type have the same target.
    pub(crate) fn same_type(self, other: Node<'_>) -> bool {
        std::ptr::eq(self.target(), other.target())
    }
}

impl<'a> Node<'a> {
    pub(crate) fn root(schema: &'a Value) -> Self {
        Node { root: schema, at: schema }
    }

    pub(crate) fn is_optional(self) -> bool {
        self.at.get("anyOf").is_some_and(|any| any.as_array().is_some_and(|any| any.iter().any(is_null)))
            || type_words(self.at).any(|word| word == "null")
    }

    pub(crate) fn property(self, key: &str) -> Option<Node<'a>> {
        self.properties().and_then(|all| all.get(key)).map(|at| Node { root: self.root, at })
    }

    pub(crate) fn keys(self) -> impl Iterator<Item = &'a str> {
        self.properties().into_iter().flat_map(|all| all.keys().map(String::as_str))
    }

    fn properties(self) -> Option<&'a Map<String, Value>> {
        self.target().get("properties").and_then(Value::as_object)
    }

    /// The words of a choice with what each means, where that is said.
    pub(crate) fn choices(self) -> Vec<(&'a str, Option<&'a str>)> {
        let target = self.target();
        if let Some(words) = target.get("enum").and_then(Value::as_array) {
            return words.iter().filter_map(Value::as_str).map(|word| (word, None)).collect();
        }
        let branches = target.get("oneOf").and_then(Value::as_array).into_iter().flatten();
        let mut choices = Vec::new();
        for branch in branches {
            let description = branch.get("description").and_then(Value::as_str);
            if let Some(word) = branch.get("const").and_then(Value::as_str) {
                choices.push((word, description));
            }
            let words = branch.get("enum").and_then(Value::as_array).into_iter().flatten();
            choices.extend(words.filter_map(Value::as_str).map(|word| (word, description)));
        }
        choices
    }

    pub(crate) fn kind(self) -> Kind<'a> {
        let target = self.target();
        let choices = self.choices();
        if !choices.is_empty() {
            return Kind::Choice(choices.into_iter().map(|(word, _)| word).collect());
        }
        match target.get("format").and_then(Value::as_str) {
            Some("span") => return Kind::Span,
            Some("secret") => return Kind::Secret,
            _ => {}
        }
        if target.get("properties").is_some() {
            return Kind::Section;
        }
        let child = |key: &str| target.get(key).filter(|at| at.is_object()).map(|at| Node { root: self.root, at });
        if let Some(branches) = target.get("anyOf").and_then(Value::as_array) {
            // The one untagged form in use: text, or a list of texts.
            let list = branches.iter().any(|branch| type_words(branch).any(|word| word == "array"));
            return if list { Kind::TextOrList } else { Kind::Text };
        }
        match type_words(target).find(|word| *word != "null") {
            Some("object") => child("additionalProperties").map_or(Kind::Section, Kind::Map),
            Some("array") => child("items").map_or(Kind::TextOrList, Kind::List),
            Some("integer") => {
                let limit = |key: &str| target.get(key).and_then(Value::as_i64);
                Kind::Whole { minimum: limit("minimum"), maximum: limit("maximum") }
            }
            Some("number") => Kind::Number,
            Some("boolean") => Kind::Flag,
            _ => Kind::Text,
        }
    }

    /// Follows references and looks through "or null".
    fn target(self) -> &'a Value {
        let mut at = self.at;
        // A bound, because a schema could refer to itself; ours has two steps.
        for _ in 0..8 {
            if let Some(pointer) = at.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix('#')) {
                match self.root.pointer(pointer) {
                    Some(next) => at = next,
                    None => return at,
                }
                continue;
            }
            let branches = at.get("anyOf").and_then(Value::as_array);
            let some: Vec<&Value> = branches.into_iter().flatten().filter(|branch| !is_null(branch)).collect();
            match some.as_slice() {
                [one] => at = one,
                _ => return at,
            }
        }
        at
    }
}

fn is_null(branch: &Value) -> bool {
    branch.get("type").and_then(Value::as_str) == Some("null")
}

fn type_words(at: &Value) -> impl Iterator<Item = &str> {
    let (one, many) = match at.get("type") {
        Some(Value::String(word)) => (Some(word.as_str()), None),
        Some(Value::Array(words)) => (None, Some(words)),
        _ => (None, None),
    };
    one.into_iter().chain(many.into_iter().flatten().filter_map(Value::as_str))
}

/// `a`, `b` or `c`.
pub(crate) fn any_of(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => format!("`{one}`"),
        [most @ .., last] => {
            let most: Vec<String> = most.iter().map(|word| format!("`{word}`")).collect();
            format!("{} or `{last}`", most.join(", "))
        }
    }
}
