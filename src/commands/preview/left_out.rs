//! Cells and fields that become no reading and are not refused either: which, and why.

use std::collections::{BTreeMap, BTreeSet};

use ingest::decode::{Config, Ignored, Path, Shape};
use serde_json::{Map, Value, json};

use super::remedy::fields;
use crate::commands::output::{escaped, grouped};

/// Names kept of one kind, and shown.
const NAMES_MAX: usize = 1000;
const SHOWN_MAX: usize = 8;
/// Records of which all fields are looked at.
const RECORDS_MAX: u64 = 200;

#[derive(Default)]
pub(super) struct LeftOut {
    /// Of wide records: cells by why and by name.
    cells: BTreeMap<Ignored, BTreeMap<String, u64>>,
    /// Of others: fields that no setting names.
    unread: BTreeSet<String>,
    looked: u64,
}

impl LeftOut {
    pub(super) fn cell(&mut self, name: &str, why: Ignored) {
        let names = self.cells.entry(why).or_default();
        let is_full = names.len() >= NAMES_MAX;
        match names.get_mut(name) {
            Some(count) => *count += 1,
            // Beyond the bound they are counted as one.
            None if is_full => *names.entry(String::new()).or_default() += 1,
            None => _ = names.insert(name.to_owned(), 1),
        }
    }

    /// The fields of a record whose readings are named by other fields; `columns` if it is a row.
    pub(super) fn record(&mut self, payload: &[u8], columns: Option<&[String]>, decode: &Config) {
        if decode.shape == Shape::Wide || self.looked >= RECORDS_MAX {
            return;
        }
        self.looked += 1;
        let of_json = || fields(payload).map(|fields| fields.keys().cloned().collect::<Vec<_>>());
        let Some(names) = columns.map(<[String]>::to_vec).or_else(of_json) else { return };
        let wanted = [&decode.device, &decode.sensor, &decode.time, &decode.value].map(|path| match path {
            Path::Dotted(text) => text.clone(),
            Path::Keys(keys) => keys.join("."),
        });
        let is_read = |name: &String| {
            wanted.iter().any(|path| {
                let (short, long) = if path.len() < name.len() { (path, name) } else { (name, path) };
                long.strip_prefix(short.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
        };
        self.unread.extend(names.into_iter().filter(|name| !is_read(name)).take(NAMES_MAX));
    }

    /// A sentence for each why.
    pub(super) fn said(&self) -> Vec<String> {
        let mut said = Vec::new();
        for (why, names) in &self.cells {
            let cells = names.values().sum::<u64>();
            let cells = format!("{} {}", grouped(cells), if cells == 1 { "cell" } else { "cells" });
            let names = list(names.keys());
            said.push(match why {
                Ignored::Empty => format!("{cells} of sensors with nothing in it: {names}"),
                Ignored::Named => format!("{cells} of columns that `ignore` names: {names}"),
                Ignored::Unlisted => format!("{cells} of columns that are not in `sensors`: {names}"),
                Ignored::Nameless => format!("{cells} of columns without a name"),
                Ignored::Repeated => format!("{cells} with another one of the same name behind, which counts: {names}"),
                Ignored::Nested => format!("{cells} beside device or time in an inner object: {names}"),
            });
        }
        if !self.unread.is_empty() {
            said.push(format!("fields that no setting names: {}", list(self.unread.iter())));
        }
        said
    }

    pub(super) fn json(&self) -> Value {
        let cells = self.cells.iter().map(|(why, names)| (why.as_str().to_owned(), json!(names)));
        json!({ "cells": cells.collect::<Map<_, _>>(), "unread": self.unread })
    }
}

fn list<'a>(names: impl ExactSizeIterator<Item = &'a String>) -> String {
    let more = names.len().saturating_sub(SHOWN_MAX);
    let shown: Vec<String> = names.take(SHOWN_MAX).map(|name| format!("`{}`", escaped(name))).collect();
    if more > 0 { format!("{} and {more} others", shown.join(", ")) } else { shown.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_told_by_why() {
        let mut left = LeftOut::default();
        for (name, why) in [
            ("status", Ignored::Unlisted),
            ("flow", Ignored::Empty),
            ("status", Ignored::Unlisted),
            ("a\x1b", Ignored::Unlisted),
        ] {
            left.cell(name, why);
        }
        assert_eq!(
            left.said(),
            [
                "1 cell of sensors with nothing in it: `flow`",
                "3 cells of columns that are not in `sensors`: `a\\u{1b}`, `status`"
            ]
        );
        let decode = Config { device: "dev.id".into(), ..Config::default() };
        let mut long = LeftOut::default();
        long.record(br#"{"dev":{"id":"d","kind":"x"},"sensor":"s","ts":1,"value":2,"unit":"C"}"#, None, &decode);
        long.record(b"1,2", Some(&["device".to_owned(), "ts".to_owned()]), &Config::default());
        assert_eq!(long.said(), ["fields that no setting names: `dev.kind`, `unit`"]);
        long.record(b"1,2", None, &Config { shape: Shape::Wide, ..decode });
        assert_eq!(long.json()["unread"], json!(["dev.kind", "unit"]));
    }
}
