//! Laws of a registry, on every store: a set is seen whole or not at all, publishers do not overwrite one another, and going
//! back is going forward.

#![allow(clippy::print_stderr, reason = "a skip must be seen")]

mod damage;
mod files;
mod stage;

use object_store::ObjectStoreExt;
use object_store::path::Path;
use score::registry::{self, History};
use score::{Error, ModelSet};
use stage::{Stage, each_store, model, note};

each_store!(
    publish_and_go_back,
    publishers_get_numbers_of_their_own,
    what_was_put_to_use_meanwhile_is_not_undone,
    after_the_last_number_nothing_is_published,
    what_no_pointer_names_is_not_seen,
    a_newer_set_is_seen_once,
    damage::is_found_and_keeps_the_old_set,
    files::that_changed_are_read_again,
);

async fn publish_and_go_back(stage: Stage) {
    let Stage { store, prefix, .. } = &stage;
    let mut sets = Vec::new();
    for (number, value) in [(1, 0.5), (2, 0.25), (3, 0.125)] {
        let models = [model("d", "s", value), model("d", "t", 1.0)];
        let published = registry::publish(&models, store, prefix, &note(number)).await.expect("published");
        assert_eq!((published.number, published.models, published.parent), (number, 2, sets.last().cloned()));
        sets.push(published.set);
        assert_eq!(stage.load().await.expect("loaded").id(), sets.last().expect("one"));
    }
    let history = registry::history(store, prefix).await.expect("history");
    let shown: Vec<_> = history.iter().map(|History { number, pointer }| (*number, pointer.set.clone())).collect();
    assert_eq!(shown, [(3, sets[2].clone()), (2, sets[1].clone()), (1, sets[0].clone())]);
    assert_eq!(history[2].pointer.note, "note 1");

    // Each step back is a step further, though the history only grows.
    for (expected, number) in [(1, 4), (0, 5)] {
        let previous = registry::previous(store, prefix).await.expect("there is one before");
        assert_eq!(previous, sets[expected]);
        assert_eq!(registry::point(&previous, store, prefix, &note(9)).await.expect("pointed"), number);
        assert_eq!(stage.load().await.expect("loaded").id(), previous);
    }
    let nothing = registry::previous(store, prefix).await.expect_err("the first");
    assert!(matches!(nothing, Error::NothingBefore { .. }), "{nothing}");
    let unknown = registry::point("none", store, prefix, &note(9)).await.expect_err("no such set");
    assert_eq!(unknown.to_string(), format!("`{prefix}` holds no set `none`"));
    let outside = registry::point("../x", store, prefix, &note(9)).await.expect_err("no id");
    assert_eq!(outside.to_string(), "`../x` is no id of a set");

    let mut thinner = vec![model("d", "s", 0.125), model("e", "s", 1.0)];
    thinner[0].version = "another".into();
    let last = registry::publish(&thinner, store, prefix, &note(6)).await.expect("published");
    let difference = registry::diff(&stage.config(), store, prefix, &sets[2], &last.set).await.expect("both are there");
    let names = |keys: &[score::ModelKey]| keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let shown = (names(&difference.added), names(&difference.removed), difference.changed.len(), difference.unchanged);
    assert_eq!(shown, ("e/s".into(), "d/t".into(), 0, 1), "another version alone is no change");
    let difference = registry::diff(&stage.config(), store, prefix, &sets[1], &sets[2]).await.expect("both are there");
    assert_eq!((names(&difference.changed), difference.unchanged), ("d/s".into(), 1));
}

async fn publishers_get_numbers_of_their_own(stage: Stage) {
    let racers: Vec<_> = (0..8)
        .map(|racer| {
            let store = stage.slow_to_write();
            let prefix = stage.prefix.clone();
            tokio::spawn(async move {
                let models = [model("d", "s", 1.0 + f64::from(racer))];
                registry::publish(&models, &store, &prefix, &note(1)).await.expect("published")
            })
        })
        .collect();
    let mut published = Vec::new();
    for racer in racers {
        published.push(racer.await.expect("no panic"));
    }
    published.sort_by_key(|published| published.number);
    assert_eq!(published.iter().map(|published| published.number).collect::<Vec<_>>(), (1..=8).collect::<Vec<_>>());
    let history = registry::history(&stage.store, &stage.prefix).await.expect("history");
    let newest_first: Vec<_> = published.iter().rev().map(|published| published.set.as_str()).collect();
    assert_eq!(history.iter().map(|entry| entry.pointer.set.as_str()).collect::<Vec<_>>(), newest_first);
    assert_eq!(stage.load().await.expect("loaded").id(), newest_first[0]);
}

async fn what_was_put_to_use_meanwhile_is_not_undone(stage: Stage) {
    let Stage { store, prefix, .. } = &stage;
    let with = |value| [model("d", "s", value)];
    assert_eq!(registry::highest(store, prefix).await.expect("listed"), None);
    let after = async |base, value, number| {
        registry::publish_after(base, &with(value), store, prefix, &note(number))
            .await
            .map(|published| published.number)
    };
    assert_eq!(after(0, 1.0, 1).await.expect("the first"), 1);
    assert_eq!(after(1, 2.0, 2).await.expect("the second"), 2);
    // Somebody goes back while a third set is made from the second.
    let previous = registry::previous(store, prefix).await.expect("there is one before");
    registry::point(&previous, store, prefix, &note(3)).await.expect("pointed");
    let overtaken = after(2, 3.0, 4).await.expect_err("not upon what is in use");
    assert!(matches!(overtaken, Error::Overtaken { base: 2, newest: 3, .. }), "{overtaken}");
    assert_eq!(stage.load().await.expect("loaded").id(), previous);
    assert_eq!(after(3, 3.0, 4).await.expect("upon what is in use"), 4);

    // Of several at the same time one wins.
    let racers: Vec<_> = (0..4)
        .map(|racer| {
            let (store, prefix) = (stage.slow_to_write(), stage.prefix.clone());
            let models = with(4.0 + f64::from(racer));
            tokio::spawn(async move { registry::publish_after(4, &models, &store, &prefix, &note(5)).await })
        })
        .collect();
    let mut won = Vec::new();
    for racer in racers {
        match racer.await.expect("no panic") {
            Ok(published) => won.push(published),
            Err(error) => assert!(matches!(error, Error::Overtaken { base: 4, newest: 5, .. }), "{error}"),
        }
    }
    assert_eq!(won.iter().map(|published| published.number).collect::<Vec<_>>(), [5]);
    assert_eq!(stage.load().await.expect("loaded").id(), won[0].set);
}

async fn after_the_last_number_nothing_is_published(stage: Stage) {
    let Stage { store, prefix, .. } = &stage;
    let models = [model("d", "s", 1.0)];
    let first = registry::publish(&models, store, prefix, &note(1)).await.expect("published");
    let stray = format!("{prefix}/current/{}", u64::MAX);
    let text = format!(r#"{{"set": "{}"}}"#, first.set);
    store.put(&Path::from(stray.as_str()), text.into()).await.expect("written");
    let refused = registry::publish(&models, store, prefix, &note(2)).await.expect_err("no number is left");
    let problem = "cannot be used: no number comes after it: remove it by hand";
    assert_eq!(refused.to_string(), format!("the pointer `{stray}` {problem}"));
}

async fn what_no_pointer_names_is_not_seen(stage: Stage) {
    let Stage { store, prefix, .. } = &stage;
    // What a publisher leaves who dies before the pointer; before the manifest it is less.
    let torn = registry::publish(&[model("d", "s", 1.0)], store, prefix, &note(1)).await.expect("published");
    stage.remove("current/00000000000000000001").await;
    let error = stage.load().await.expect_err("nothing is published");
    assert!(matches!(error, Error::NotPublished { .. }), "{error}");
    stage.remove(&format!("sets/{}/manifest.json", torn.set)).await;
    let error = stage.load().await.expect_err("nothing is published");
    assert!(matches!(error, Error::NotPublished { .. }), "{error}");
    let unfinished = registry::point(&torn.set, store, prefix, &note(1)).await.expect_err("no manifest");
    assert!(matches!(unfinished, Error::NoSet { .. }), "{unfinished}");

    let whole = registry::publish(&[model("e", "s", 2.0)], store, prefix, &note(2)).await.expect("published");
    let set = stage.load().await.expect("loaded");
    assert_eq!((set.id(), set.len(), set.get(Some("d"), Some("s"))), (whole.set.as_str(), 1, None));
}

async fn a_newer_set_is_seen_once(stage: Stage) {
    let Stage { store, prefix, .. } = &stage;
    let mut place = stage.place();
    let publish = |value, number| async move {
        registry::publish(&[model("d", "s", value)], store, prefix, &note(number)).await.expect("published").set
    };
    let first = publish(1.0, 1).await;
    let set = place.newer(&ModelSet::empty(), None, &|_, _| {}).await.expect("loaded").expect("new");
    assert_eq!((set.id(), set.published_at()), (first.as_str(), Some(1_767_225_601_000_000)));
    assert!(place.newer(&set, None, &|_, _| {}).await.expect("looked").is_none(), "nothing new");
    let second = publish(2.0, 2).await;
    // Too large: refused with figures, and tried again, since there may be room later.
    let error = place.newer(&set, Some(10), &|_, _| {}).await.expect_err("no room");
    assert!(error.to_string().starts_with("the models do not fit into memory: 1 MiB were taken by"), "{error}");
    place.newer(&set, Some(10), &|_, _| {}).await.expect_err("still no room");
    // Back to what is in use is nothing to load.
    registry::point(&first, store, prefix, &note(3)).await.expect("pointed");
    assert!(place.newer(&set, None, &|_, _| {}).await.expect("looked").is_none(), "in use already");
    registry::point(&second, store, prefix, &note(4)).await.expect("pointed");
    let newer = place.newer(&set, None, &|_, _| {}).await.expect("loaded").expect("new");
    assert_eq!(newer.id(), second);
}
