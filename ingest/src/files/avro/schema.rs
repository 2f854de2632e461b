//! A file's schema: what its values consist of. Names are resolved here, and what JSON has no word for gets its form.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// A type, by its place.
pub(super) type Id = usize;

#[derive(Debug)]
pub(super) enum Type {
    Null,
    Boolean,
    Int(Form),
    Long(Form),
    Float,
    Double,
    /// With a scale: a decimal number.
    Bytes(Option<u32>),
    String,
    Record(Vec<Field>),
    Enum(Vec<String>),
    Array(Id),
    Map(Id),
    Union(Vec<Id>),
    Fixed(u64, Fixed),
    /// A name whose definition is still being read.
    Unfinished,
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) id: Id,
}

/// What a number stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Number,
    Date,
    TimeOfDay {
        per_second: i64,
    },
    Timestamp {
        per_second: i64,
        /// Without a zone.
        is_local: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fixed {
    Bytes,
    Decimal(u32),
    Duration,
    Uuid,
}

#[derive(Debug)]
pub(super) struct Schema {
    types: Vec<Type>,
    root: Id,
}

impl Schema {
    pub(super) fn parse(text: &[u8]) -> Result<Schema, String> {
        let value: Value = serde_json::from_slice(text).map_err(|error| format!("its schema is not JSON: {error}"))?;
        let mut parser = Parser { types: Vec::new(), names: HashMap::new() };
        let root = parser.parse(&value, "").map_err(|problem| format!("its schema is none: {problem}"))?;
        Ok(Schema { types: parser.types, root })
    }

    pub(super) fn root(&self) -> Id {
        self.root
    }

    pub(super) fn get(&self, id: Id) -> &Type {
        &self.types[id]
    }
}

struct Parser {
    types: Vec<Type>,
    /// By full name.
    names: HashMap<String, Id>,
}

impl Parser {
    fn add(&mut self, of: Type) -> Id {
        self.types.push(of);
        self.types.len() - 1
    }

    fn parse(&mut self, value: &Value, namespace: &str) -> Result<Id, String> {
        match value {
            Value::String(name) => self.named(name, namespace),
            Value::Array(branches) => {
                let branches = branches.iter().map(|branch| self.parse(branch, namespace)).collect::<Result<_, _>>()?;
                Ok(self.add(Type::Union(branches)))
            }
            Value::Object(object) => match object.get("type") {
                Some(Value::String(name)) => self.object(object, name, namespace),
                Some(inner @ (Value::Object(_) | Value::Array(_))) => self.parse(inner, namespace),
                _ => Err("a type has no `type`".into()),
            },
            _ => Err("a type is neither a name, an object nor a list".into()),
        }
    }

    fn named(&mut self, name: &str, namespace: &str) -> Result<Id, String> {
        if let Some(primitive) = primitive(name, &Map::new()) {
            return Ok(self.add(primitive));
        }
        let full = full_name(name, namespace);
        let known = self.names.get(&full).or_else(|| self.names.get(name));
        known.copied().ok_or_else(|| format!("there is no type `{}`", shown(name)))
    }

    fn object(&mut self, object: &Map<String, Value>, kind: &str, namespace: &str) -> Result<Id, String> {
        let part = |key: &str| object.get(key).ok_or_else(|| format!("a type `{}` has no `{key}`", shown(kind)));
        match kind {
            "array" => {
                let items = self.parse(part("items")?, namespace)?;
                Ok(self.add(Type::Array(items)))
            }
            "map" => {
                let values = self.parse(part("values")?, namespace)?;
                Ok(self.add(Type::Map(values)))
            }
            "record" | "error" | "enum" | "fixed" => {
                let name = part("name")?.as_str().ok_or("a name is no text")?;
                let space = object.get("namespace").and_then(Value::as_str).unwrap_or(namespace);
                let full = full_name(name, space);
                // What is inside inherits the namespace, also the one within a dotted name.
                let inside = full.rsplit_once('.').map_or("", |(space, _)| space).to_owned();
                let id = self.add(Type::Unfinished);
                if self.names.insert(full, id).is_some() {
                    return Err(format!("there are two types `{}`", shown(name)));
                }
                self.types[id] = match kind {
                    "enum" => Type::Enum(symbols(part("symbols")?)?),
                    "fixed" => fixed(object, part("size")?)?,
                    _ => Type::Record(self.fields(part("fields")?, &inside)?),
                };
                Ok(id)
            }
            _ => match primitive(kind, object) {
                Some(primitive) => Ok(self.add(primitive)),
                None => self.named(kind, namespace),
            },
        }
    }

    fn fields(&mut self, fields: &Value, namespace: &str) -> Result<Vec<Field>, String> {
        let fields = fields.as_array().ok_or("`fields` is no list")?;
        let field = |field: &Value| {
            let name = field.get("name").and_then(Value::as_str).ok_or("a field has no name")?.to_owned();
            let of = field.get("type").ok_or_else(|| format!("the field `{}` has no type", shown(&name)))?;
            // A writer may put the logical type beside a plain one.
            let has_logical = of.is_string() && field.get("logicalType").is_some();
            Ok(Field { id: self.parse(if has_logical { field } else { of }, namespace)?, name })
        };
        fields.iter().map(field).collect()
    }
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() { name.to_owned() } else { format!("{namespace}.{name}") }
}

fn primitive(name: &str, object: &Map<String, Value>) -> Option<Type> {
    let logical = object.get("logicalType").and_then(Value::as_str).unwrap_or_default();
    Some(match name {
        "null" => Type::Null,
        "boolean" => Type::Boolean,
        "int" => Type::Int(match logical {
            "date" => Form::Date,
            "time-millis" => Form::TimeOfDay { per_second: 1_000 },
            _ => Form::Number,
        }),
        "long" => Type::Long(long_form(logical)),
        "float" => Type::Float,
        "double" => Type::Double,
        "bytes" => Type::Bytes((logical == "decimal").then(|| scale(object))),
        "string" => Type::String,
        _ => return None,
    })
}

fn long_form(logical: &str) -> Form {
    let per_second = |unit: &str| match unit {
        "millis" => Some(1_000),
        "micros" => Some(1_000_000),
        "nanos" => Some(1_000_000_000),
        _ => None,
    };
    let (unit, is_local) = match logical.strip_prefix("local-timestamp-") {
        Some(unit) => (Some(unit), true),
        None => (logical.strip_prefix("timestamp-"), false),
    };
    match (unit.and_then(per_second), logical) {
        (Some(per_second), _) => Form::Timestamp { per_second, is_local },
        (None, "time-micros") => Form::TimeOfDay { per_second: 1_000_000 },
        _ => Form::Number,
    }
}

fn scale(object: &Map<String, Value>) -> u32 {
    object.get("scale").and_then(Value::as_u64).and_then(|scale| u32::try_from(scale).ok()).unwrap_or(0)
}

fn fixed(object: &Map<String, Value>, size: &Value) -> Result<Type, String> {
    let size = size.as_u64().ok_or("`size` is no number of bytes")?;
    let fixed = match (object.get("logicalType").and_then(Value::as_str), size) {
        (Some("decimal"), _) => Fixed::Decimal(scale(object)),
        (Some("duration"), 12) => Fixed::Duration,
        (Some("uuid"), 16) => Fixed::Uuid,
        _ => Fixed::Bytes,
    };
    Ok(Type::Fixed(size, fixed))
}

fn symbols(symbols: &Value) -> Result<Vec<String>, String> {
    let symbol = |symbol: &Value| symbol.as_str().map(str::to_owned).ok_or("a symbol is no text");
    Ok(symbols.as_array().ok_or("`symbols` is no list")?.iter().map(symbol).collect::<Result<_, _>>()?)
}

fn shown(name: &str) -> String {
    name.chars().take(48).collect::<String>().escape_debug().to_string()
}
