//! The merged document before it is typed: values by path, and where each came from.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use crate::Origin;

/// The keys that lead to a setting. Only keys of a map hold dots; they are printed in quotes.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Path(Vec<String>);

impl Path {
    pub(crate) fn child(&self, key: &str) -> Path {
        let mut keys = self.0.clone();
        keys.push(key.to_owned());
        Path(keys)
    }

    pub(crate) fn keys(&self) -> &[String] {
        &self.0
    }

    pub(crate) fn parent(&self) -> Path {
        let keys = self.0.split_last().map_or(&[][..], |(_, rest)| rest);
        Path(keys.to_vec())
    }
}

impl<S: Into<String>> FromIterator<S> for Path {
    fn from_iter<T: IntoIterator<Item = S>>(keys: T) -> Self {
        Path(keys.into_iter().map(Into::into).collect())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, key) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
            if bare { f.write_str(key)? } else { write!(f, "\"{key}\"")? }
        }
        Ok(())
    }
}

/// A document and its history.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) value: Value,
    origins: BTreeMap<Path, Origin>,
}

impl Tree {
    pub(crate) fn new() -> Self {
        Tree { value: Value::Object(Map::new()), origins: BTreeMap::new() }
    }

    /// A later value wins over an earlier one.
    pub(crate) fn set(&mut self, path: &Path, value: Value, origin: Origin) {
        let mut at = &mut self.value;
        for key in path.keys() {
            if !at.is_object() {
                *at = Value::Object(Map::new());
            }
            let Value::Object(table) = at else { return };
            at = table.entry(key.clone()).or_insert(Value::Null);
        }
        *at = value;
        // What the replaced value said below this path is gone, and so is its origin.
        self.origins.retain(|other, _| other == path || !other.keys().starts_with(path.keys()));
        self.origins.insert(path.clone(), origin);
    }

    /// Tells where a value that is there already came from.
    pub(crate) fn note(&mut self, path: &Path, origin: Origin) {
        self.origins.insert(path.clone(), origin);
    }

    /// Where a value was given: its own origin, or that of the table it came with.
    pub(crate) fn origin(&self, path: &Path) -> Option<&Origin> {
        let mut at = path.clone();
        loop {
            if let Some(origin) = self.origins.get(&at) {
                return Some(origin);
            }
            if at.keys().is_empty() {
                return None;
            }
            at = at.parent();
        }
    }

    /// Takes values away; what is then not given has its default.
    pub(crate) fn leave_out(&mut self, is_out: &dyn Fn(&Path) -> bool) {
        fn visit(value: &mut Value, at: &Path, is_out: &dyn Fn(&Path) -> bool) {
            let Value::Object(table) = value else { return };
            table.retain(|key, _| !is_out(&at.child(key)));
            for (key, value) in table {
                visit(value, &at.child(key), is_out);
            }
        }
        visit(&mut self.value, &Path::default(), is_out);
    }

    pub(crate) fn into_origins(self) -> BTreeMap<Path, Origin> {
        self.origins
    }
}
