//! JSON as fields in their order: `serde_json`'s own tree sorts them, and a suggestion should name them as they stand.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::fields::{Cell, Fields};

/// Deeper objects hold no parts of readings.
const DEPTH_MAX: usize = 6;

#[derive(Debug, Clone)]
pub(super) enum Json {
    Null,
    Bool,
    Number(f64),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// The objects that would be rows: the record itself, or the elements of an array.
    pub(super) fn rows(&self) -> &[Json] {
        match self {
            Json::Array(elements) => elements,
            one => std::slice::from_ref(one),
        }
    }

    /// Adds a row's fields up.
    pub(super) fn note_in(&self, fields: &mut Fields) {
        let Json::Object(_) = self else { return };
        fields.rows += 1;
        self.walk(&mut Vec::new(), fields);
    }

    fn walk(&self, path: &mut Vec<String>, fields: &mut Fields) {
        let cell = match self {
            Json::Object(entries) if path.len() < DEPTH_MAX => {
                for (at, (key, value)) in entries.iter().enumerate() {
                    // The last one of a name counts.
                    if entries[at + 1..].iter().take(64).all(|(later, _)| later != key) {
                        path.push(key.clone());
                        value.walk(path, fields);
                        path.pop();
                    }
                }
                return;
            }
            Json::Object(_) => return,
            Json::Array(elements) => Cell::Array { of_readings: elements.iter().take(8).any(Json::holds_a_number) },
            Json::Null => Cell::Null,
            Json::Bool => Cell::Bool,
            Json::Number(number) => Cell::Number(*number),
            Json::Text(text) => Cell::Text(text.clone()),
        };
        fields.see(path, &cell);
    }

    fn holds_a_number(&self) -> bool {
        matches!(self, Json::Object(entries) if entries.iter().any(|(_, value)| matches!(value, Json::Number(_))))
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Bool)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(Json::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = access.next_element()? {
            elements.push(element);
        }
        Ok(Json::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Json::Object(entries))
    }
}
