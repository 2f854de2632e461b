//! A configuration file -> the tree it says, with the line of each setting where the format tells it.
//!
//! What the parsers say about a file is passed on without the file's text: a line that does not parse may hold a secret.

use std::fs::File;
use std::io::Read;
use std::path::Path as FilePath;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::tree::{Path, Tree};
use crate::{Error, Origin};

/// Large enough for any configuration, small enough to refuse a file of readings at once.
const FILE_BYTES_MAX: u64 = 1 << 20;

pub(crate) fn read(path: &FilePath) -> Result<Tree, Error> {
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => missing(path),
        _ => Error::Read { path: path.to_owned(), source },
    };
    let mut text = String::new();
    File::open(path).map_err(failed)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(Error::TooLarge { path: path.to_owned(), max: FILE_BYTES_MAX });
    }
    let text = text.trim_start_matches('\u{feff}');
    let named_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    if named_json || text.trim_start().starts_with('{') { json(path, text) } else { toml(path, text) }
}

/// Of the setting in this line, if quotes around its text would make it one. The text may be a secret, and is not repeated.
fn quoted(text: &str, line: usize) -> Option<String> {
    let (key, value) = text.lines().nth(line.checked_sub(1)?)?.split_once('=')?;
    let value = value.split_once(" #").map_or(value, |(value, _)| value).trim();
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '"');
    let key = key.trim();
    let reads = |value: &str| format!("x = {value}").parse::<toml::Table>().is_ok();
    if value.is_empty() || value.contains(['"', '\'']) || !key.chars().all(is_key) || reads(value) {
        return None;
    }
    match value.strip_prefix('[') {
        Some(list) => list.ends_with(']').then(|| format!("{key} = [\"…\", \"…\"]")),
        None => reads(&format!("\"{value}\"")).then(|| format!("{key} = \"…\"")),
    }
}

/// With the configurations that lie where it was looked for.
fn missing(path: &FilePath) -> Error {
    const LOOKED_AT_MAX: usize = 200;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(FilePath::new("."));
    let wanted = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let mut there: Vec<(usize, String)> = Vec::new();
    // Neither folders nor pipes, which nobody may write to.
    let is_named = |entry: &std::fs::DirEntry| {
        entry.path().extension().is_some_and(|end| end == "toml" || end == "json")
            && entry.path().metadata().is_ok_and(|metadata| metadata.is_file())
    };
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten().filter(is_named).take(LOOKED_AT_MAX) {
        let found = entry.path();
        if is_configuration(&found) {
            let name = entry.file_name().to_string_lossy().to_lowercase();
            let shown = if path.parent().is_some_and(|parent| parent.as_os_str().is_empty()) {
                FilePath::new(&entry.file_name()).display().to_string()
            } else {
                found.display().to_string()
            };
            there.push((strsim::damerau_levenshtein(&wanted, &name), shown.escape_debug().to_string()));
        }
    }
    there.sort();
    // A third of the letters before the dot may be wrong.
    let stem = wanted.rsplit_once('.').map_or(wanted.as_str(), |(stem, _)| stem).chars().count();
    let is_near = there.first().is_some_and(|(distance, _)| *distance <= (stem / 3).clamp(1, 3));
    Error::Missing { path: path.to_owned(), there: there.into_iter().map(|(_, name)| name).collect(), is_near }
}

/// Whether a file has our sections, by its beginning.
fn is_configuration(path: &FilePath) -> bool {
    const LOOKED_AT_BYTES: u64 = 64 * 1024;
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LOOKED_AT_BYTES).read_to_end(&mut text));
    let text = String::from_utf8_lossy(&text);
    read.is_ok()
        && ["[ingest", "[aggregate", "[sink", "\"ingest\"", "\"sink\""].iter().any(|section| text.contains(section))
}

fn json(path: &FilePath, text: &str) -> Result<Tree, Error> {
    let syntax = |line, column, message| Error::Syntax {
        path: path.to_owned(),
        format: "JSON",
        line,
        column,
        message,
        quoted: None,
    };
    let value: Value = serde_json::from_str(text).map_err(|e| syntax(e.line(), e.column(), json_message(&e)))?;
    if !value.is_object() {
        return Err(syntax(1, 1, "expected an object of sections".into()));
    }
    let mut tree = Tree::new();
    tree.set(&Path::default(), value, Origin::File { path: path.to_owned(), line: None });
    Ok(tree)
}

/// Without the place, which is told apart from it.
fn json_message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(message, _)| message.to_owned())
}

fn toml(path: &FilePath, text: &str) -> Result<Tree, Error> {
    let syntax = |error: &toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start);
        let (line, column) = line_and_column(text, at);
        Error::Syntax {
            path: path.to_owned(),
            format: "TOML",
            line,
            column,
            message: error.message().replace('\n', ", "),
            quoted: quoted(text, line),
        }
    };
    let values: toml::Table = toml::from_str(text).map_err(|e| syntax(&e))?;
    let places = DeTable::parse(text).map_err(|e| syntax(&e))?;
    let value = from_toml(toml::Value::Table(values)).map_err(|message| Error::Syntax {
        path: path.to_owned(),
        format: "TOML",
        line: 1,
        column: 1,
        message,
        quoted: None,
    })?;

    let mut tree = Tree::new();
    tree.set(&Path::default(), value, Origin::File { path: path.to_owned(), line: None });
    note_lines(places.get_ref(), text, path, &Path::default(), &mut tree);
    Ok(tree)
}

fn note_lines(table: &DeTable<'_>, text: &str, file: &FilePath, at: &Path, tree: &mut Tree) {
    for (key, value) in table {
        let path = at.child(key.get_ref());
        let line = Some(line_and_column(text, key.span().start).0);
        tree.note(&path, Origin::File { path: file.to_owned(), line });
        note_below(value, text, file, &path, tree);
    }
}

fn note_below(value: &Spanned<DeValue<'_>>, text: &str, file: &FilePath, path: &Path, tree: &mut Tree) {
    if let DeValue::Table(table) = value.get_ref() {
        note_lines(table, text, file, path, tree);
    }
}

fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// The document's model is JSON's; TOML's times become text, which is what our settings of time read.
pub(crate) fn from_toml(value: toml::Value) -> Result<Value, String> {
    Ok(match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => {
            serde_json::Number::from_f64(number).map(Value::Number).ok_or("a number must be finite")?
        }
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(items) => Value::Array(items.into_iter().map(from_toml).collect::<Result<_, _>>()?),
        toml::Value::Table(table) => Value::Object(
            table
                .into_iter()
                .map(|(key, value)| Ok((key, from_toml(value)?)))
                .collect::<Result<Map<_, _>, String>>()?,
        ),
    })
}
