//! Secrets by reference: the configuration says where a secret is, never what it is.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `env:NAME` or `file:path`. Reading it is asked for by name ([`Secret::reveal`]), and nothing prints what was read.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    reference: String,
}

impl Secret {
    /// # Errors
    /// If the text is not a reference: a secret written out is refused, and not repeated in the message.
    pub fn parse(reference: &str) -> Result<Self, String> {
        match reference.split_once(':') {
            Some(("env" | "file", place)) if !place.is_empty() => Ok(Secret { reference: reference.to_owned() }),
            _ => {
                Err("a secret is not written into the configuration: give its place, as `env:NAME` or `file:path`"
                    .into())
            }
        }
    }

    /// Reads the secret from its place; a file is read anew each time, so that a rotated one is seen.
    ///
    /// # Errors
    /// Names the place, never the content.
    pub fn reveal(&self) -> Result<String, String> {
        let (kind, place) = self.reference.split_once(':').expect("checked by parse");
        let text = match kind {
            "env" => std::env::var(place).map_err(|_| format!("environment variable `{place}` is not set"))?,
            _ => std::fs::read_to_string(place).map_err(|e| format!("cannot read the secret file `{place}`: {e}"))?,
        };
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// Where the secret is: safe to print.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.reference
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[redacted]")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.reference)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Secret::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "secret", "pattern": "^(env|file):.+$" })
    }
}
