//! scikit-learn files where they are: what changed is read again, and nothing else.

use std::fs;
use std::sync::Mutex;

use bytes::Bytes;
use score::{Config, Error, Key, ModelSet, Place};

use crate::stage::Stage;

fn reference(name: &str) -> Bytes {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/reference/models");
    fs::read(folder.join(name)).expect("a model of the reference").into()
}

fn keys(set: &ModelSet) -> Vec<String> {
    set.iter().map(|model| format!("{}/{}", model.device.unwrap_or("*"), model.sensor.unwrap_or("*"))).collect()
}

/// What is newer, and how many files were read for it.
async fn newer(place: &mut Place, older: &ModelSet) -> (Result<Option<std::sync::Arc<ModelSet>>, Error>, usize) {
    let most = Mutex::new(0);
    let newer = place.newer(older, None, &|done, _| *most.lock().expect("no panic") = done).await;
    (newer, most.into_inner().expect("no panic"))
}

pub(crate) async fn that_changed_are_read_again(stage: Stage) {
    for name in ["model_1_1", "model_1_2", "model_1_3"] {
        stage.write(name, reference(name)).await;
    }
    let mut place = stage.place();
    let (first, read) = newer(&mut place, &ModelSet::empty()).await;
    let first = first.expect("loaded").expect("new");
    assert_eq!((keys(&first), read), (vec!["1/1".into(), "1/2".into(), "1/3".into()], 3));
    assert!(matches!(newer(&mut place, &first).await, (Ok(None), 0)), "nothing changed");

    // One changed, one new, one gone; another is no model and stays out of it.
    stage.write("model_1_2", reference("model_2_2")).await;
    stage.write("model_7_7", reference("model_3_1")).await;
    stage.remove("model_1_3").await;
    let (second, read) = newer(&mut place, &first).await;
    let second = second.expect("loaded").expect("new");
    assert_eq!((keys(&second), read), (vec!["1/1".into(), "1/2".into(), "7/7".into()], 2));
    let fresh = stage.load().await.expect("loaded");
    assert_eq!(fresh.id(), second.id(), "as if all were read anew");
    assert_eq!(fresh.iter().collect::<Vec<_>>(), second.iter().collect::<Vec<_>>());

    // A bad file: what is in use stays, and the file is tried again once it changed.
    stage.write("model_1_1", "half a pickle").await;
    let (refused, _) = newer(&mut place, &second).await;
    let error = refused.expect_err("no model").to_string();
    assert!(error.contains("cannot use the model file") && error.contains("model_1_1"), "{error}");
    assert!(matches!(newer(&mut place, &second).await, (Ok(None), 0)), "known to be bad");
    stage.write("model_1_1", reference("model_1_1")).await;
    let (third, _) = newer(&mut place, &second).await;
    // A store may give the same content its old ETag; then nothing is new.
    let third = third.expect("good again").unwrap_or(second);
    assert_eq!(third.id(), fresh.id());

    // Only gone.
    stage.remove("model_7_7").await;
    let (fourth, read) = newer(&mut place, &third).await;
    assert_eq!((keys(&fourth.expect("loaded").expect("new")), read), (vec!["1/1".into(), "1/2".into()], 0));

    stage.write("model_1_1.pkl", reference("model_1_1")).await;
    let error = stage.load().await.expect_err("two files of one model").to_string();
    assert!(error.starts_with("1 models have more than one file: `") && error.ends_with("are all of `1/1`"), "{error}");

    mapping(&stage).await;
}

async fn mapping(stage: &Stage) {
    let text = "device,sensor,file\na_b,c,model_1_1\na,b_c,model_1_2\n,c,sub/x.pkl\n,,model_1_1.pkl\n";
    stage.write("mapping.csv", text).await;
    stage.write("sub/x.pkl", reference("model_3_1")).await;
    let config = Config { mapping: "mapping.csv".into(), ..stage.config() };
    let mut place = Place::new(config.clone(), stage.store.clone(), stage.prefix.clone());
    let set = newer(&mut place, &ModelSet::empty()).await.0.expect("loaded").expect("new");
    assert_eq!(keys(&set), ["*/*", "*/c", "a/b_c", "a_b/c"]);
    assert!(newer(&mut place, &set).await.0.expect("looked").is_none());
    // Another mapping of the same files.
    stage.write("mapping.csv", text.replace("a_b,c", "a_b,d")).await;
    let (set, read) = newer(&mut place, &set).await;
    assert_eq!(
        (keys(&set.expect("loaded").expect("new")), read),
        (vec!["*/*".into(), "*/c".into(), "a/b_c".into(), "a_b/d".into()], 4)
    );

    stage.write("model_9.pkl", reference("model_3_2")).await;
    let features = vec!["temp.mean".parse().expect("a feature")];
    let config = Config { key: Key::Device, features, template: "model_{device}.pkl".into(), ..stage.config() };
    let mut place = Place::new(config, stage.store.clone(), stage.prefix.clone());
    let set = newer(&mut place, &ModelSet::empty()).await.0.expect("loaded").expect("new");
    assert_eq!(keys(&set), ["1_1/*", "9/*"]);
}
