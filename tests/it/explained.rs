//! Explanations of whole devices name the sensor that is at fault, nearly always; the figures in docs/training.md are these.

use std::path::Path;

use serde_json::Value;

use crate::support::{Atalaia, Judge};

const CONFIG: &str = r#"
[ingest]
source = "files"
[ingest.decode]
format = "csv"
device = "device"
sensor = "sensor"
time = "ts"
value = "value"
[aggregate]
window = "5m"
[score]
key = "device"
missing_feature = "mean"
"#;

/// The fleet of the tutorial with a model for each device.
fn figures(judge: &Judge, folder: &Path, preparation: &str) -> Value {
    let (readings, truth, models) = (folder.join("readings.csv"), folder.join("truth.csv"), folder.join("models"));
    Atalaia::new("simulate")
        .args(["--devices", "8", "--interval", "1m", "--duration", "4d", "--clean-lead", "2d", "--out"])
        .arg(&readings)
        .arg("--truth")
        .arg(&truth)
        .run()
        .success();
    let command = |name| Atalaia::new(name).config(CONFIG).set("ingest.files.path", readings.display());
    let train = command("train").arg("--to").arg(&models).args(["--until", "2026-01-07T00:00:00Z"]);
    train.args(["--preparation", preparation]).run().success();
    let score = command("score").set("score.models", models.display()).set("sink.url", folder.display());
    score.run().success();
    let said = judge.run("judges/explained.py", [Path::new(env!("CARGO_BIN_EXE_atalaia")), folder]);
    serde_json::from_str(&said).expect("figures")
}

#[test]
fn the_sensor_at_fault_is_named_first() {
    let Some(judge) = Judge::for_test() else { return };
    for preparation in ["whiten", "scale"] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let found = figures(&judge, folder.path(), preparation);
        println!("--preparation {preparation}: {found}");
        let count = |name: &str| found[name].as_u64().expect("a count");
        assert!(count("windows") > 50, "{found}");
        assert!(count("by_sensor") * 10 >= count("windows") * 9, "{found}");
    }
}
