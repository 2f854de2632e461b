//! Models of whole devices, as a data scientist would make them: trained by scikit-learn on a data frame of windows, pickled,
//! and put where the service looks for them.

use crate::support::{Atalaia, Judge};

#[test]
fn rows_of_whole_devices_are_what_the_notebook_says() {
    let Some(judge) = Judge::for_test() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    judge.run("judges/devices.py", ["make".as_ref(), folder.path().as_os_str()]);
    let scored = Atalaia::new("score")
        .args(["--format", "json"])
        .set("pipeline", "devices")
        .set("ingest.source", "files")
        .set("ingest.files.path", folder.path().join("readings.csv").display())
        .set("ingest.decode.format", "csv")
        .set("ingest.decode.time", "time")
        .set("aggregate.window", "60s")
        .set("score.models", folder.path().join("models").display())
        .set("score.template", "model_{device}")
        .set("score.key", "device")
        .set("score.features", "temp.mean,temp.std_pop,flow.mean,flow.max")
        .set("score.feature_names.temp_mean", "temp.mean")
        .set("score.feature_names.temp_std_pop", "temp.std_pop")
        .set("score.feature_names.flow_mean", "flow.mean")
        .set("score.feature_names.flow_max", "flow.max")
        .set("sink.url", folder.path().join("out").display())
        .run()
        .success();
    assert_eq!(scored.json_lines()[0]["counts"]["late"], 0);
    let predictions = folder.path().join("out/predictions");
    let args = ["check".as_ref(), folder.path().as_os_str(), predictions.as_os_str()];
    println!("{}", judge.run("judges/devices.py", args));

    let audit = Atalaia::new("state")
        .args(["audit"])
        .set("pipeline", "devices")
        .set("sink.url", folder.path().join("out").display());
    audit
        .set("ingest.source", "files")
        .set("ingest.files.path", folder.path().join("readings.csv").display())
        .run()
        .success();
}
