//! The ways that `docs/models.md` and `docs/training.md` describe: from a notebook to the service, from no models at all, and the loop of retraining.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{Atalaia, Judge};

const PIPELINE: &str = r#"
pipeline = "plant"
[ingest]
source = "files"
files.path = "{folder}/readings.csv"
decode = { format = "csv" }
[aggregate]
window = "10m"
[score]
models = "{folder}/registry"
[sink]
url = "{folder}/scored"
"#;

/// A folder with readings of a simulated fleet, and a configuration.
struct Place(tempfile::TempDir);

impl Place {
    fn new(simulated: &[&str]) -> Place {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = Place(folder);
        let readings = place.at("readings.csv");
        Atalaia::new("simulate").args(["--out", readings.as_str()]).args(simulated).run().success();
        let text = PIPELINE.replace("{folder}/", &place.at(""));
        std::fs::write(place.at("pipeline.toml"), text).expect("write the configuration");
        place
    }

    fn at(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn models(&self, action: &str) -> Vec<Value> {
        let command = Atalaia::new("models").args([action, "-c", &self.at("pipeline.toml"), "--format", "json"]);
        command.run().success().json_lines()
    }
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

#[test]
fn from_a_notebook_to_the_service() {
    let Some(judge) = Judge::for_test() else { return };
    let place = Place::new(&["--devices", "3", "--sensors", "temp,flow", "--duration", "1d"]);
    let notebook = example("train_models.ipynb").display().to_string();
    judge.run("judges/notebook.py", ["run", &notebook, &place.at("")]);
    let features = "score.features=mean,std_pop,min,max";
    let publish =
        Atalaia::new("models").args(["publish", "--from", &place.at("models"), "--to", &place.at("registry")]);
    publish.args(["--set", features]).run().success();
    Atalaia::new("validate").args(["-c", &place.at("pipeline.toml")]).run().success();
    Atalaia::new("score").args(["-c", &place.at("pipeline.toml")]).run().success();
    println!(
        "{}",
        judge.run("judges/notebook.py", ["check", &notebook, &place.at(""), &place.at("scored/predictions")])
    );
}

const FLEET: [&str; 10] =
    ["--devices", "6", "--sensors", "temp,flow", "--duration", "4d", "--clean-lead", "3d", "--faulty", "0.6"];
const FAULTY_FROM: &str = "2026-01-08T00:00:00Z";

fn retrain(place: &Place, min_f1: &str) -> Output {
    retrain_by(place, min_f1, &[])
}

fn retrain_by(place: &Place, min_f1: &str, environment: &[(&str, &str)]) -> Output {
    Command::new("sh")
        .arg(example("retrain.sh"))
        .args([place.at("pipeline.toml"), place.at("labelled.toml"), place.at("work")])
        .env("ATALAIA", env!("CARGO_BIN_EXE_atalaia"))
        .env("TRAIN", format!("--until {FAULTY_FROM}"))
        .env("EVAL", format!("--from {FAULTY_FROM}"))
        .env("LABELS", place.at("truth.csv"))
        .env("MIN_F1", min_f1)
        .env("MAX_MAR", "60%")
        .envs(environment.iter().copied())
        .output()
        .expect("a shell")
}

/// From no models at all to models that are judged, in use, replaced, and back.
#[test]
fn models_are_retrained_if_they_are_good_enough() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let truth = folder.path().join("truth.csv").display().to_string();
    let place = Place::new(&[&FLEET[..], &["--truth", &truth]].concat());
    std::fs::copy(&truth, place.at("truth.csv")).expect("ours");
    let by_device = std::fs::read_to_string(place.at("pipeline.toml"))
        .expect("ours")
        .replace("[score]", "[score]\nkey = \"device\"");
    std::fs::write(place.at("pipeline.toml"), &by_device).expect("ours");
    std::fs::write(place.at("labelled.toml"), by_device.replace("\"plant\"", "\"labelled\"")).expect("ours");

    let said = |output: &Output| {
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    };
    let first = retrain(&place, "0.5");
    assert_eq!(first.status.code(), Some(0), "{}", said(&first));
    Atalaia::new("score").args(["-c", &place.at("pipeline.toml")]).run().success();

    let unlabelled = retrain_by(&place, "0.5", &[("LABELS", "/nowhere/labels.csv")]);
    assert_eq!(unlabelled.status.code(), Some(1), "{}", said(&unlabelled));
    assert!(said(&unlabelled).contains("cannot be read") && !said(&unlabelled).contains("training"), "found out first");
    let fresh = retrain_by(&place, "0.5", &[("TRAIN", &format!("--until {FAULTY_FROM} --only stale"))]);
    assert_eq!(fresh.status.code(), Some(0), "{}", said(&fresh));
    assert!(said(&fresh).contains("nothing to train: no key is new or stale"), "{}", said(&fresh));
    assert!(said(&fresh).contains("nothing to do"), "{}", said(&fresh));
    let unjudged = retrain_by(&place, "0.5", &[("EVAL", "--since 2030-01-01T00:00:00Z")]);
    assert_eq!(unjudged.status.code(), Some(1), "{}", said(&unjudged));

    let hopeless = retrain(&place, "0.999");
    assert_eq!(hopeless.status.code(), Some(2), "{}", said(&hopeless));
    assert!(said(&hopeless).contains("not good enough"), "{}", said(&hopeless));
    assert_eq!(place.models("history").len(), 1, "what is not good enough is not published");

    let second = retrain(&place, "0.5");
    assert_eq!(second.status.code(), Some(0), "{}", said(&second));
    let back = place.models("rollback");
    let history: Vec<Value> = place.models("history").iter().map(|entry| entry["set"].clone()).collect();
    assert_eq!((history.len(), &history[2], &history[2]), (3, &history[0], &back[0]["set"]));
}
