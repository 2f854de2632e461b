//! A simulated fleet (skeleton).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A simulated fleet of devices, for trying things out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The same seed gives the same fleet, byte for byte.
    pub seed: u64,
    /// Number of devices.
    pub devices: u32,
}

impl Default for Config {
    fn default() -> Self {
        Config { seed: 1, devices: 20 }
    }
}
