//! Models of whole devices, as a data scientist would make them: trained by scikit-learn on a data frame of windows, pickled,
//! and put where the service looks for them.

use crate::support::{Atalaia, Judge};

#[test]
fn rows_of_whole_devices_are_what_the_notebook_says() {
    let Some(judge) = Judge::for_test() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    judge.run("judges/devices.py", ["make".as_ref(), folder.path().as_os_str()]);
    let at = |name: &str| folder.path().join(name).display().to_string();
    let config = format!(
        r#"
        pipeline = "devices"
        [ingest]
        source = "files"
        files.path = "{}"
        decode = {{ format = "csv", time = "time" }}
        [aggregate]
        window = "60s"
        [score]
        models = "{}"
        template = "model_{{device}}"
        key = "device"
        missing_feature = "skip"
        features = ["temp.mean", "temp.std_pop", "flow.mean", "flow.max"]
        [score.feature_names]
        temp_mean = "temp.mean"
        temp_std_pop = "temp.std_pop"
        flow_mean = "flow.mean"
        flow_max = "flow.max"
        [sink]
        url = "{}"
        "#,
        at("readings.csv"),
        at("models"),
        at("out"),
    );
    std::fs::write(at("pipeline.toml"), config).expect("write the configuration");
    let scored = Atalaia::new("score").args(["-c", &at("pipeline.toml"), "--format", "json"]).run().success();
    assert_eq!(scored.json_lines()[0]["counts"]["late"], 0);
    println!("{}", judge.run("judges/devices.py", ["check", &at(""), &at("out/predictions")]));
    Atalaia::new("state").args(["audit", "-c", &at("pipeline.toml")]).run().success();
}
