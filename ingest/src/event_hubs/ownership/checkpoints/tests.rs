//! Checkpoints over a store in memory; what is written there is read back with the store's own client.

use std::sync::atomic::{AtomicU32, Ordering};

use object_store::{ObjectStoreExt, PutOptions, PutPayload};
use tokio::runtime::Runtime;

use super::*;
use crate::event_hubs::ownership::Group;

fn store() -> CheckpointStore {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let url = format!("memory://checkpoints-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let group = Group { namespace: "Plant.example".into(), hub: "Hub".into(), consumer_group: "$Default".into() };
    CheckpointStore::open(&url, &store::Config::default(), &group).unwrap()
}

fn run<T>(test: impl Future<Output = T>) -> T {
    Runtime::new().unwrap().block_on(test)
}

fn checkpoint(sequence_number: i64, offset: Option<&str>) -> Checkpoint {
    Checkpoint { sequence_number, offset: offset.map(str::to_owned) }
}

/// What another program wrote.
async fn foreign(store: &CheckpointStore, folder: &str, partition: u32, metadata: &[(&'static str, &str)]) {
    let attributes = layout::metadata(metadata.iter().copied());
    let options = PutOptions { attributes, ..PutOptions::default() };
    let path = store.location.path(&format!("{folder}/checkpoint/{partition}"));
    store.location.store.put_opts(&path, PutPayload::default(), options).await.unwrap();
}

#[test]
fn a_checkpoint_moves_forward_only_whoever_writes() {
    run(async {
        let store = store();
        let (mut ours, mut zombie) = (None, None);
        assert!(store.advance(3, &checkpoint(10, Some("4711")), &mut ours).await.unwrap());
        assert!(store.advance(3, &checkpoint(10, None), &mut zombie).await.unwrap());
        assert!(store.advance(3, &checkpoint(30, Some("x-9")), &mut ours).await.unwrap());
        // The zombie's picture is the one of before.
        assert!(store.advance(3, &checkpoint(20, Some("5000")), &mut zombie).await.unwrap());
        assert!(store.advance(3, &checkpoint(9, None), &mut ours).await.unwrap());
        assert_eq!(store.checkpoints().await.unwrap(), [(3, checkpoint(30, Some("x-9")))].into());
        // And it may be right again.
        assert!(store.advance(3, &checkpoint(40, None), &mut zombie).await.unwrap());
        assert!(store.advance(3, &checkpoint(50, None), &mut ours).await.unwrap());
        assert_eq!(store.checkpoints().await.unwrap()[&3], checkpoint(50, None));

        let path = store.location.path("plant.example/hub/$default/checkpoint/3");
        let found = store.location.store.get(&path).await.unwrap();
        assert_eq!(found.meta.size, 0);
        assert_eq!(layout::value(&found.attributes, "sequencenumber"), Some("50"));
        assert_eq!(layout::value(&found.attributes, "offset"), None);
    });
}

#[test]
fn what_cannot_be_read_is_no_checkpoint_and_is_replaced() {
    run(async {
        let store = store();
        for (partition, metadata) in [
            (0, vec![]),
            (1, vec![("sequencenumber", "many"), ("offset", "1")]),
            (2, vec![("SequenceNumber", " 7 "), ("Offset", "no offset")]),
            (3, vec![("Sequencenumber", "8"), ("Offset", "geo:1:2")]),
        ] {
            foreign(&store, "plant.example/hub/$default", partition, &metadata).await;
        }
        let read = store.checkpoints().await.unwrap();
        assert_eq!(read, [(2, checkpoint(7, None)), (3, checkpoint(8, Some("geo:1:2")))].into());
        assert!(store.advance(1, &checkpoint(5, Some("bad\nheader")), &mut None).await.unwrap());
        assert_eq!(store.checkpoints().await.unwrap()[&1], checkpoint(5, None));
    });
}

#[test]
fn of_two_spellings_the_larger_counts_and_a_fork_of_two_others_is_refused() {
    run(async {
        let (agreed, verbatim) = ("plant.example/hub/$default", "Plant.example/Hub/$Default");
        for (left, right, expected) in [
            (None, Some("90000"), Some(90_000)),
            (Some("90000"), None, Some(90_000)),
            (Some("10"), Some("10010"), Some(10_010)),
            (Some("10010"), Some("10"), Some(10_010)),
            (Some("10"), Some("10011"), None),
            (Some("10011"), Some("10"), None),
        ] {
            let store = store();
            for (folder, number) in [(agreed, left), (verbatim, right)] {
                if let Some(number) = number {
                    foreign(&store, folder, 5, &[("sequencenumber", number)]).await;
                }
            }
            match (store.checkpoints().await, expected) {
                (Ok(found), Some(expected)) => assert_eq!(found[&5].sequence_number, expected),
                (Err(error @ Error::Forked { .. }), None) => {
                    let text = error.to_string();
                    let named =
                        [agreed, verbatim].iter().all(|folder| text.contains(&format!("{folder}/checkpoint/5")));
                    assert!(named && text.contains("10011"), "{text}");
                    assert!(error.hint().is_some());
                }
                (other, _) => panic!("{left:?} {right:?}: {other:?}"),
            }
        }
        // What we wrote follows from the commit log, however old the other is: a start is not refused again and again.
        let store = store();
        foreign(&store, verbatim, 0, &[("sequencenumber", "90000")]).await;
        store.advance(0, &checkpoint(4, None), &mut None).await.unwrap();
        assert_eq!(store.checkpoints().await.unwrap()[&0].sequence_number, 90_000);
    });
}
