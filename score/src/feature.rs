//! What the numbers of a feature vector are: a statistic of a window, of the series itself or of a named sensor of the device.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use types::WindowRows;

/// One number of a feature vector. Written `mean`, or `temp.mean` where a model takes a whole device.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Feature {
    /// None: the series that the model belongs to.
    pub sensor: Option<Arc<str>>,
    pub statistic: Statistic,
}

/// A statistic of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    Count,
    Sum,
    Mean,
    Min,
    Max,
    First,
    Last,
    Std,
    StdPop,
    Delta,
}

impl Statistic {
    pub const ALL: [Statistic; 10] = [
        Statistic::Count,
        Statistic::Sum,
        Statistic::Mean,
        Statistic::Min,
        Statistic::Max,
        Statistic::First,
        Statistic::Last,
        Statistic::Std,
        Statistic::StdPop,
        Statistic::Delta,
    ];

    /// The word used in the configuration, in model files and in output rows.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Statistic::Count => "count",
            Statistic::Sum => "sum",
            Statistic::Mean => "mean",
            Statistic::Min => "min",
            Statistic::Max => "max",
            Statistic::First => "first",
            Statistic::Last => "last",
            Statistic::Std => "std",
            Statistic::StdPop => "std_pop",
            Statistic::Delta => "delta",
        }
    }

    /// Its value in a closed window; none for the `std` of one reading and the `delta` after a gap.
    #[inline(always)]
    #[must_use]
    pub fn of(self, rows: &WindowRows, row: usize) -> Option<f64> {
        Some(match self {
            Statistic::Count => rows.count[row] as f64,
            Statistic::Sum => rows.sum[row],
            Statistic::Mean => rows.mean[row],
            Statistic::Min => rows.min[row],
            Statistic::Max => rows.max[row],
            Statistic::First => rows.first[row],
            Statistic::Last => rows.last[row],
            Statistic::Std => return rows.std(row),
            Statistic::StdPop => rows.std_pop(row),
            Statistic::Delta => return rows.delta[row],
        })
    }

    /// The statistic of that name, if there is one.
    #[must_use]
    pub(crate) fn named(name: &str) -> Option<Statistic> {
        Statistic::ALL.into_iter().find(|statistic| statistic.as_str() == name)
    }
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl Feature ===

impl Feature {
    /// A statistic of one sensor of a device.
    #[must_use]
    pub fn of_sensor(sensor: &str, statistic: Statistic) -> Feature {
        Feature { sensor: Some(Arc::from(sensor)), statistic }
    }
}

impl From<Statistic> for Feature {
    fn from(statistic: Statistic) -> Feature {
        Feature { sensor: None, statistic }
    }
}

impl FromStr for Feature {
    type Err = String;

    /// A sensor's name may hold dots: what follows the last one is the statistic.
    fn from_str(text: &str) -> Result<Feature, String> {
        let (sensor, name) = match text.rsplit_once('.') {
            Some((sensor, name)) => (Some(sensor), name),
            None => (None, text),
        };
        let shown: String = text.chars().take(80).flat_map(char::escape_debug).collect();
        match Statistic::named(name) {
            Some(_) if sensor == Some("") => Err(format!("`{shown}` has no sensor before the dot")),
            Some(statistic) => Ok(Feature { sensor: sensor.map(Arc::from), statistic }),
            None => {
                let known = Statistic::ALL.map(Statistic::as_str).join(", ");
                Err(format!("`{shown}` is no feature: write a statistic ({known}), or `sensor.statistic`"))
            }
        }
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.sensor {
            Some(sensor) => write!(f, "{sensor}.{}", self.statistic),
            None => self.statistic.fmt(f),
        }
    }
}

impl Serialize for Feature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Feature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Feature {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Feature".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "feature", "examples": ["mean", "std_pop", "temp.mean"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_read_and_print_alike() {
        for (text, sensor, statistic) in [
            ("mean", None, Statistic::Mean),
            ("std_pop", None, Statistic::StdPop),
            ("temp.mean", Some("temp"), Statistic::Mean),
            ("a.b.max", Some("a.b"), Statistic::Max),
        ] {
            let feature: Feature = text.parse().expect(text);
            assert_eq!((feature.sensor.as_deref(), feature.statistic), (sensor, statistic), "{text}");
            assert_eq!(feature.to_string(), text);
        }
        for text in ["", "median", ".mean", "temp.", "mean.temp"] {
            assert!(text.parse::<Feature>().is_err(), "{text}");
        }
    }
}
