//! skops files: a zip archive of arrays, and a schema in JSON that says what object they are the numbers of.
//!
//! The schema becomes the same inert values as a pickle. Its kinds of nodes are a fixed list, its classes are the list of
//! the pickles; what it calls a file is looked up in the archive and nowhere else.

mod npy;
mod zip;

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use super::globals::Global;
use super::heap::{Array, Dtype, Heap, Id, Value};
use super::refused::shown;
use super::{Imported, ONE, Refused, numpy, sklearn};
use crate::ModelKey;
use zip::Archive;

/// Some 40 KB are usual. What JSON becomes in memory is many times larger.
const SCHEMA_BYTES_MAX: usize = 4 << 20;

pub(super) fn read(bytes: &[u8], key: ModelKey) -> Result<Imported, Refused> {
    let archive = Archive::new(bytes)?;
    let schema = archive.read("schema.json", SCHEMA_BYTES_MAX)?;
    // It also refuses what is nested more than 128 deep: what follows may recurse.
    let mut schema: Json = serde_json::from_slice(&schema)
        .map_err(|_| Refused::Schema { problem: "is not JSON, or nested too deeply" })?;
    let mut members = HashMap::new();
    let mut bytes_left = ONE.bytes;
    prepare(&mut schema, &mut |name| {
        if !members.contains_key(name) {
            let content = archive.read(name, bytes_left)?;
            bytes_left -= content.len();
            members.insert(name.to_owned(), content);
        }
        Ok(())
    })?;
    let mut builder = Builder { heap: Heap::new(ONE), members: &members };
    let root = builder.node(&schema)?;
    sklearn::model(&builder.heap, root, key)
}

/// Decodes the JSON texts within the JSON in place, and lists the members that are named.
fn prepare(json: &mut Json, member: &mut dyn FnMut(&str) -> Result<(), Refused>) -> Result<(), Refused> {
    match json {
        Json::Array(items) => items.iter_mut().try_for_each(|item| prepare(item, member)),
        Json::Object(node) => {
            if node.get("__loader__").and_then(Json::as_str) == Some("JsonNode")
                && let Some(Json::String(text)) = node.get("content")
            {
                let parsed = number_beyond_json(text).map_or_else(|| serde_json::from_str(text), Ok);
                let parsed = parsed.map_err(|_| Refused::Schema { problem: "has a value that is not JSON" })?;
                node.insert("content".into(), parsed);
                return Ok(());
            }
            if let Some(Json::String(name)) = node.get("file") {
                member(name)?;
            }
            node.values_mut().try_for_each(|value| prepare(value, member))
        }
        _ => Ok(()),
    }
}

/// Python writes these as if they were JSON. No attribute that is used may be one; null is refused as well.
fn number_beyond_json(text: &str) -> Option<Json> {
    matches!(text, "NaN" | "Infinity" | "-Infinity").then_some(Json::Null)
}

struct Builder<'a> {
    heap: Heap<'a>,
    members: &'a HashMap<String, Cow<'a, [u8]>>,
}

// === impl Builder ===

impl<'a> Builder<'a> {
    fn node(&mut self, node: &'a Json) -> Result<Id, Refused> {
        let text = |name| node.get(name).and_then(Json::as_str);
        let (Some(kind), Some(module), Some(class)) = (text("__loader__"), text("__module__"), text("__class__"))
        else {
            return Err(Refused::Schema { problem: "has a node without a class" });
        };
        let content = node.get("content").unwrap_or(&Json::Null);
        match (kind, content) {
            ("ObjectNode", content) => self.object(module, class, content),
            ("DictNode", Json::Object(items)) => self.dict(items),
            ("ListNode", Json::Array(items)) => {
                let items = self.nodes(items)?;
                self.heap.add(Value::List(items))
            }
            ("TupleNode", Json::Array(items)) => {
                let items = self.nodes(items)?;
                self.heap.add(Value::Tuple(items.into()))
            }
            ("JsonNode", content) => self.primitive(content),
            ("NdArrayNode", content) if module == "numpy" => self.array(node, content),
            ("NdArrayNode", _) => Err(Refused::Global { name: format!("{}.{}", shown(module), shown(class)) }),
            ("DictNode" | "ListNode" | "TupleNode", _) => {
                Err(Refused::Schema { problem: "has a node without content" })
            }
            (kind, _) => Err(Refused::Node { kind: shown(kind) }),
        }
    }

    fn nodes(&mut self, nodes: &'a [Json]) -> Result<Vec<Id>, Refused> {
        nodes.iter().map(|node| self.node(node)).collect()
    }

    fn object(&mut self, module: &str, class: &str, content: &'a Json) -> Result<Id, Refused> {
        let named = Global::named(module, class).filter(|global| global.is_estimator());
        let global = named.ok_or_else(|| Refused::Global { name: format!("{}.{}", shown(module), shown(class)) })?;
        let state = match content {
            Json::Null => None,
            content => Some(self.node(content)?),
        };
        self.heap.add(Value::Object { class: global, state })
    }

    fn dict(&mut self, items: &'a Map<String, Json>) -> Result<Id, Refused> {
        let mut pairs = Vec::with_capacity(items.len());
        for (key, node) in items {
            let key = self.heap.add(Value::Text(key))?;
            pairs.push((key, self.node(node)?));
        }
        self.heap.add(Value::Dict(pairs))
    }

    fn primitive(&mut self, content: &'a Json) -> Result<Id, Refused> {
        let value = match content {
            Json::Null => Value::None,
            Json::Bool(truth) => Value::Bool(*truth),
            Json::String(text) => Value::Text(text),
            Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(int), ..) => Value::Int(int),
                (None, Some(_), _) => Value::Huge,
                (None, None, Some(float)) => Value::Float(float),
                (None, None, None) => Value::Huge,
            },
            Json::Array(_) | Json::Object(_) => return Err(Refused::Schema { problem: "has a value of another kind" }),
        };
        self.heap.add(value)
    }

    /// An array of numbers is a member of the archive, one of objects stands in the schema; numpy's numbers are arrays without sides.
    fn array(&mut self, node: &'a Json, content: &'a Json) -> Result<Id, Refused> {
        match (node.get("type").and_then(Json::as_str), node.get("file").and_then(Json::as_str), content) {
            (Some("numpy"), Some(name), _) => self.npy(name),
            (Some("json"), _, Json::Array(items)) => {
                let items = self.nodes(items)?;
                let side = self.heap.add(Value::Int(items.len() as i64))?;
                let data = self.heap.add(Value::List(items))?;
                self.add_array(vec![side], Dtype { kind: b'O', size: 8, is_big_endian: false }, false, data)
            }
            _ => Err(Refused::Schema { problem: "has an array without numbers" }),
        }
    }

    fn npy(&mut self, name: &str) -> Result<Id, Refused> {
        let broken = |problem| Refused::Npy { name: shown(name), problem };
        let bytes = self.members.get(name).ok_or(broken("is missing"))?;
        let npy = npy::parse(bytes).ok_or(broken("is not a numpy array that is read"))?;
        let dtype = dtype(npy.descr).ok_or(broken("is not an array of numbers"))?;
        let data = self.heap.add(Value::Bytes(npy.data))?;
        if npy.shape.is_empty() {
            let dtype = self.heap.add(Value::Dtype(dtype))?;
            return match numpy::is_whole_number(&self.heap, dtype, data) {
                true => self.heap.add(Value::Scalar { dtype, data }),
                false => Err(broken("has not as many bytes as its shape says")),
            };
        }
        let shape = npy.shape.iter().map(|&side| self.heap.add(Value::Int(side))).collect::<Result<_, _>>()?;
        let id = self.add_array(shape, dtype, npy.is_fortran, data)?;
        match self.heap.get(id) {
            Value::Array(Some(array)) if numpy::is_whole(&self.heap, array) => Ok(id),
            _ => Err(broken("has not as many bytes as its shape says")),
        }
    }

    fn add_array(&mut self, shape: Vec<Id>, dtype: Dtype, is_fortran: bool, data: Id) -> Result<Id, Refused> {
        let shape = self.heap.add(Value::Tuple(shape.into()))?;
        let dtype = self.heap.add(Value::Dtype(dtype))?;
        self.heap.add(Value::Array(Some(Array { shape, dtype, is_fortran, data })))
    }
}

/// `<f8`, `|b1`: byte order, letter, bytes of an element. Objects would be a pickle within.
fn dtype(descr: &str) -> Option<Dtype> {
    let (order, rest) = descr.split_at_checked(1)?;
    let (kind, size) = rest.split_at_checked(1)?;
    let is_big_endian = match order {
        "<" | "|" | "=" => false,
        ">" => true,
        _ => return None,
    };
    let kind = kind.bytes().next().filter(|kind| b"fiub".contains(kind))?;
    Some(Dtype { kind, size: size.parse().ok().filter(|&size: &usize| size <= 16)?, is_big_endian })
}
