//! Model files through the program: what it says of rows is what scikit-learn said, whatever the format.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::Atalaia;

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("score/testdata")
}

fn expected(kind: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(testdata().join(kind).join("expected.json")).expect("expected.json");
    let mut json: Value = serde_json::from_str(&text).expect("json");
    std::mem::take(json["files"].as_array_mut().expect("files"))
}

fn score(model: &Path, rows: &Path) -> Atalaia {
    Atalaia::new("models").arg("score").arg(model).arg("--input").arg(rows).args(["--format", "json"])
}

fn csv(header: &str, rows: &Value, column: impl Fn(&[Value]) -> Vec<Value>) -> String {
    let line =
        |row: &Value| column(row.as_array().expect("row")).iter().map(Value::to_string).collect::<Vec<_>>().join(",");
    let rows = rows.as_array().expect("rows").iter().map(line);
    [header.to_owned()].into_iter().filter(|line| !line.is_empty()).chain(rows).collect::<Vec<_>>().join("\n")
}

fn check(found: &[Value], file: &Value) {
    let name = &file["file"];
    let number = |list: &str, row: usize| file[list][row].as_f64().expect("number");
    assert_eq!(found.len(), file["decision_function"].as_array().expect("list").len(), "{name}");
    for (row, found) in found.iter().enumerate() {
        assert_eq!(found["row"], row, "{name}");
        let decision = found["decision"].as_f64().expect("number");
        let difference = (decision - number("decision_function", row)).abs();
        assert!(difference <= number_of(&file["tolerance"]) * number("magnitude", row), "{name} {row}: {decision}");
        let is_fragile = file["fragile_rows"].as_array().expect("rows").contains(&row.into());
        assert!(is_fragile || (found["prediction"] == 1) == (file["predict"][row] == -1), "{name} {row}: {found}");
    }
}

fn number_of(json: &Value) -> f64 {
    json.as_f64().expect("number")
}

/// One of each format and compression, and of each version.
#[test]
fn rows_are_scored_as_scikit_learn_does() {
    let folder = tempfile::tempdir().expect("folder");
    let rows = folder.path().join("rows.csv");
    let mut seen = BTreeSet::new();
    for file in expected("models") {
        let kind = ["format", "compression", "sklearn"].map(|what| file[what].to_string());
        if file["verdict"] == "must_refuse" || !seen.insert(kind) {
            continue;
        }
        std::fs::write(&rows, csv("", &file["inputs"], <[Value]>::to_vec)).expect("rows");
        let model = testdata().join("models").join(file["file"].as_str().expect("name"));
        check(&score(&model, &rows).run().success().json_lines(), &file);
    }
    assert!(seen.len() > 20, "{seen:?}");
}

#[test]
fn columns_are_taken_by_name() {
    let folder = tempfile::tempdir().expect("folder");
    let rows = folder.path().join("rows.csv");
    let files = expected("models");
    let file = files.iter().find(|file| file["file"] == "s19-dataframe-joblib.joblib").expect("file");
    let model = testdata().join("models/s19-dataframe-joblib.joblib");
    let swapped = |row: &[Value]| vec![row[2].clone(), 0.into(), row[0].clone(), row[1].clone()];
    std::fs::write(&rows, csv("pressure,note,temp_mean,temp_std", &file["inputs"], swapped)).expect("rows");
    check(&score(&model, &rows).run().success().json_lines(), file);
    std::fs::write(&rows, "pressure,temp_mean\n1,2\n").expect("rows");
    let outcome = score(&model, &rows).run().status_is(1);
    assert!(outcome.stderr.contains("the header has no column `temp_std`"), "{}", outcome.stderr);
    std::fs::write(&rows, "1,2\n").expect("rows");
    let outcome = score(&model, &rows).run().status_is(1);
    assert!(outcome.stderr.contains("a line has 2 fields, the model takes 3 features"), "{}", outcome.stderr);
}

#[test]
fn refusals_are_short_and_name_what_is_wrong() {
    let folder = tempfile::tempdir().expect("folder");
    let rows = folder.path().join("rows.csv");
    std::fs::write(&rows, "1,2,3\n").expect("rows");
    for (kind, every) in [("models", 1), ("hostile_models", 12)] {
        let refused = expected(kind).into_iter().filter(|file| file["verdict"] == "must_refuse");
        for file in refused.step_by(every) {
            let name = file["file"].as_str().expect("name");
            let outcome = score(&testdata().join(kind).join(name), &rows).current_dir(folder.path()).run().status_is(1);
            assert!(outcome.stdout.is_empty() && outcome.stderr.len() < 1_000, "{name}: {}", outcome.stderr);
            assert!(outcome.stderr.starts_with("error: cannot use the model file"), "{name}: {}", outcome.stderr);
        }
    }
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).expect("folder").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["rows.csv"], "a reader made something");
}

#[test]
fn a_file_of_many_models_becomes_a_registry() {
    let folder = tempfile::tempdir().expect("folder");
    let registry = folder.path().join("registry");
    let import = |from: &str| {
        let from = testdata().join("many").join(from);
        Atalaia::new("models").arg("import").arg("--from").arg(from).arg("--to").arg(&registry)
    };
    let outcome = import("not-fitted.pkl").run().status_is(1);
    assert!(outcome.stderr.contains("cannot use the model of `c/d`"), "{}", outcome.stderr);
    assert!(!registry.exists() || std::fs::read_dir(&registry).expect("folder").next().is_none());
    let empty = folder.path().join("empty.pkl");
    std::fs::write(&empty, b"\x80\x02}.").expect("ours");
    let outcome = Atalaia::new("models").arg("import").arg("--from").arg(&empty).arg("--to").arg(&registry).run();
    let outcome = outcome.status_is(1);
    assert!(outcome.stderr.contains("a set of no models"), "{}", outcome.stderr);
    let missing = folder.path().join("missing");
    let outcome = Atalaia::new("models").arg("import").arg("--from").arg(&missing).arg("--to").arg(&registry).run();
    let outcome = outcome.status_is(1);
    assert!(outcome.stderr.contains("missing") && outcome.stderr.contains("does not exist"), "{}", outcome.stderr);
    import("texts.joblib.z").run().success();
    let listed = Atalaia::new("models").arg("list").arg("--from").arg(&registry).args(["--format", "json"]);
    let models = listed.run().success().json_lines();
    let keys: Vec<_> = models.iter().map(|model| (model["device"].as_str(), model["sensor"].as_str())).collect();
    assert_eq!(keys, [(Some("pump-1"), Some("7")), (Some("pump-1"), Some("temp")), (Some("pumpe ä"), Some("-3"))]);

    // Published as it is, too.
    let many = testdata().join("many/texts.joblib.z");
    let published = Atalaia::new("models").arg("publish").arg("--from").arg(&many).arg("--to");
    let published = published.arg(folder.path().join("sets")).args(["--format", "json"]).run().success().json_lines();
    assert_eq!(published[0]["models"], 3);
    let one = testdata().join("models/s19-p4-bare.pkl");
    let outcome = Atalaia::new("models").arg("publish").arg("--from").arg(&one).arg("--to");
    let outcome = outcome.arg(folder.path().join("sets")).run().status_is(1);
    assert!(outcome.stderr.contains("naming the folder that it is in"), "{}", outcome.stderr);
    let outcome = Atalaia::new("models").arg("publish").arg("--from").arg(&many).run().status_is(1);
    assert!(outcome.stderr.contains("give their place with `--to`"), "{}", outcome.stderr);
}
