//! `ATALAIA__SECTION__KEY` and `--set section.key=value`: settings without a file.
//!
//! What the text after the `=` means is decided by the setting it goes to: letters for texts, TOML for everything else. So
//! `--set ingest.kafka.topic=5` names the topic `5`, and nobody has to quote twice through a shell.

use serde_json::Value;

use crate::file::from_toml;
use crate::schema::{Kind, Node};
use crate::suggest::unknown;
use crate::tree::{Path, Tree};
use crate::{Origin, Problem};

const PREFIX: &str = "ATALAIA__";

/// Environment variables, in the order of their names: a table comes before its entries.
pub(crate) fn apply_env(tree: &mut Tree, schema: Node<'_>, env: &[(String, String)], problems: &mut Vec<Problem>) {
    let mut ours: Vec<(String, &str, &str)> = env
        .iter()
        .filter(|(name, _)| name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX)))
        .map(|(name, value)| (name[PREFIX.len()..].to_ascii_lowercase(), name.as_str(), value.as_str()))
        .collect();
    ours.sort_unstable();
    for (keys, name, text) in ours {
        let origin = Origin::Env { name: name.to_owned() };
        let place = env_place(schema, &keys);
        apply(tree, schema, place, text, origin, problems);
    }
}

/// `--set` arguments, in the order given: the last one wins.
pub(crate) fn apply_set(tree: &mut Tree, schema: Node<'_>, set: &[String], problems: &mut Vec<Problem>) {
    for argument in set {
        match argument.split_once('=') {
            Some((keys, text)) if !keys.trim().is_empty() => {
                apply(tree, schema, set_place(schema, keys.trim()), text, Origin::Set, problems);
            }
            _ => {
                // Only the part that can be a name is repeated: the rest may be a secret.
                let name: String = argument
                    .chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
                    .collect();
                problems.push(Problem {
                    setting: name.clone(),
                    origin: Some(Origin::Set),
                    message: format!("`--set {name}` has no value: write `--set section.key=value`"),
                });
            }
        }
    }
}

/// A path and, unless it leads nowhere, what stands there.
type Place<'a> = (Path, Option<Node<'a>>);

fn set_place<'a>(schema: Node<'a>, keys: &str) -> Place<'a> {
    let mut path = Path::default();
    let mut at = schema;
    let mut rest = keys;
    loop {
        if let Kind::Map(item) = at.kind() {
            // The names below belong to somebody else and may hold dots.
            let key = rest.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(rest);
            return (path.child(key), Some(item));
        }
        let (key, below) = rest.split_once('.').map_or((rest, None), |(key, below)| (key, Some(below)));
        path = path.child(key);
        match (at.property(key), below) {
            (Some(next), Some(below)) => (at, rest) = (next, below),
            (Some(next), None) => return (path, Some(next)),
            (None, below) => return (below.into_iter().flat_map(|b| b.split('.')).fold(path, |p, k| p.child(k)), None),
        }
    }
}

fn env_place<'a>(schema: Node<'a>, keys: &str) -> Place<'a> {
    let mut path = Path::default();
    let mut at = schema;
    let mut rest = keys;
    loop {
        if let Kind::Map(item) = at.kind() {
            // Shells allow no dots in names, and the client's properties have no underscores.
            return (path.child(&rest.replace("__", ".").replace('_', ".")), Some(item));
        }
        let (key, below) = rest.split_once("__").map_or((rest, None), |(key, below)| (key, Some(below)));
        path = path.child(key);
        match (at.property(key), below) {
            (Some(next), Some(below)) => (at, rest) = (next, below),
            (Some(next), None) => return (path, Some(next)),
            (None, below) => {
                return (below.into_iter().flat_map(|b| b.split("__")).fold(path, |p, k| p.child(k)), None);
            }
        }
    }
}

fn apply(
    tree: &mut Tree,
    schema: Node<'_>,
    (path, place): Place<'_>,
    text: &str,
    origin: Origin,
    problems: &mut Vec<Problem>,
) {
    let Some(node) = place else {
        problems.push(unknown(schema, &path, Some(&origin)));
        return;
    };
    match parse(node, text) {
        Ok(value) => tree.set(&path, value, origin),
        Err(expected) => problems.push(Problem {
            setting: path.to_string(),
            message: format!("`{path}` in {origin}: expected {expected}"),
            origin: Some(origin),
        }),
    }
}

/// The value that a text means to this setting, or what was expected. The text itself is not repeated: it may be a secret
/// that went to the wrong place.
fn parse(node: Node<'_>, text: &str) -> Result<Value, String> {
    let kind = node.kind();
    let trimmed = text.trim();
    match &kind {
        Kind::TextOrList if trimmed.starts_with('[') => toml_value(trimmed),
        text_kind if text_kind.is_text() => Ok(Value::String(unquoted(text))),
        Kind::List(_) if trimmed.starts_with('[') => toml_value(trimmed),
        Kind::List(item) if item.kind().is_text() => {
            let items = trimmed.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(items.map(|item| Value::String(unquoted(item))).collect())
        }
        Kind::List(_) => toml_value(&format!("[{trimmed}]")),
        Kind::Map(_) | Kind::Section => {
            toml_value(trimmed).or_else(|_| serde_json::from_str(trimmed).map_err(|e| e.to_string()))
        }
        Kind::Flag => toml_value(&trimmed.to_ascii_lowercase()),
        _ => toml_value(trimmed),
    }
    .map_err(|_| match &kind {
        Kind::Map(_) | Kind::Section => "a table, like `{ \"key\" = \"value\" }`".to_owned(),
        Kind::List(_) => format!("{}, like `[\"a\", \"b\"]` or `a,b`", kind.expected()),
        kind => kind.expected(),
    })
}

/// Whoever writes the quotes of a file around a text means the text.
fn unquoted(text: &str) -> String {
    let quoted = text.len() >= 2 && text.starts_with('"') && text.ends_with('"');
    match quoted.then(|| toml_value(text)) {
        Some(Ok(Value::String(inner))) => inner,
        _ => text.to_owned(),
    }
}

fn toml_value(text: &str) -> Result<Value, String> {
    let table: toml::Table = toml::from_str(&format!("value = {text}")).map_err(|e| e.message().to_owned())?;
    // A line break in the text could smuggle in a second key.
    match (table.len(), table.into_iter().next()) {
        (1, Some((_, value))) => from_toml(value),
        _ => Err("more than one value".into()),
    }
}
