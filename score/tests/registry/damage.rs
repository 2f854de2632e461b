//! Whatever is wrong with a new set: it is named, and what was in use stays good.

use score::ModelSet;
use score::registry::{self, Manifest};

use crate::stage::{Stage, model, note};

pub(crate) async fn is_found_and_keeps_the_old_set(stage: Stage) {
    let Stage { store, prefix, .. } = &stage;
    let models = [model("d", "s", 1.0), model("d", "t", 1.0)];
    let good = registry::publish(&models, store, prefix, &note(1)).await.expect("published").set;
    let mut place = stage.place();
    let in_use = place.newer(&ModelSet::empty(), None, &|_, _| {}).await.expect("loaded").expect("new");
    let file = stage.read(&format!("sets/{good}/models-00000.parquet")).await;
    let manifest: Manifest =
        serde_json::from_slice(&stage.read(&format!("sets/{good}/manifest.json")).await).expect("a manifest");

    let mut flipped = file.to_vec();
    flipped[file.len() / 3] ^= 1;
    let with = |change: &dyn Fn(&mut Manifest)| {
        let mut manifest = manifest.clone();
        change(&mut manifest);
        serde_json::to_vec(&manifest).expect("a manifest")
    };
    let same = serde_json::to_vec(&manifest).expect("a manifest");
    // The set's id, its file and manifest, what loading says, and what verifying says if it comes to that.
    type Case = (&'static str, Vec<u8>, Vec<u8>, &'static str, &'static str);
    let cases: [Case; 7] = [
        (
            "cut",
            file[..100].to_vec(),
            same.clone(),
            "cannot use the registry file",
            "it has 100 bytes, the manifest says",
        ),
        ("flipped", flipped, same.clone(), "cannot use the registry file", "its SHA-256 is"),
        (
            "fewer",
            file.to_vec(),
            with(&|m| m.models = Some(3)),
            "has 2 models, its manifest says 3",
            "2 usable models, it says 3",
        ),
        ("newer", file.to_vec(), with(&|m| m.schema_version = 2), "its schema version is 2, this program reads 1", ""),
        (
            "outside",
            file.to_vec(),
            with(&|m| m.files[0].name = "../x".into()),
            "`../x` is no name of a file beside it",
            "",
        ),
        (
            "twice",
            file.to_vec(),
            with(&|m| m.files.push(m.files[0].clone())),
            "it lists `models-00000.parquet` twice",
            "",
        ),
        ("text", file.to_vec(), b"no manifest".to_vec(), "the manifest", ""),
    ];
    for (number, (id, file, manifest, refusal, finding)) in cases.into_iter().enumerate() {
        stage.write(&format!("sets/{id}/models-00000.parquet"), file).await;
        stage.write(&format!("sets/{id}/manifest.json"), manifest).await;
        // As somebody would who does not check what he points to.
        let pointer = format!("current/{:020}", number + 2);
        stage.write(&pointer, format!("{{\"set\": \"{id}\"}}")).await;
        let error = place.newer(&in_use, None, &|_, _| {}).await.expect_err(id);
        let text =
            format!("{error}: {}", std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default());
        assert!(text.contains(refusal), "{id}: {text}");
        assert!(error.hint().is_some_and(|hint| !hint.is_empty()));
        let again = place.newer(&in_use, None, &|_, _| {}).await;
        assert!(!finding.is_empty() == matches!(again, Ok(None)), "{id}: what is known is not read again");
        match registry::verify(&stage.config(), store, prefix, None).await {
            Ok(found) => {
                let shown = format!("{:?}", found.problems);
                assert!(found.problems_total > 0 && shown.contains(finding) && !finding.is_empty(), "{id}: {shown}");
            }
            Err(error) => assert!(error.to_string().contains(refusal) && finding.is_empty(), "{id}: {error}"),
        }
    }
    let verified = registry::verify(&stage.config(), store, prefix, Some(&good)).await.expect("the first is as it was");
    assert_eq!((verified.problems_total, verified.models, verified.files), (0, 2, 1));
    stage.write(&format!("sets/{good}/more.parquet"), file).await;
    let verified = registry::verify(&stage.config(), store, prefix, Some(&good)).await.expect("there");
    assert_eq!(verified.problems[0].problem, "the manifest does not name it: it is not read");
}
