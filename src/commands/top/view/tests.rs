//! What several services amount to, and what stays of one that is away.

use super::testing::{in_trouble, said, watched, well, well_from};
use super::*;

#[test]
fn rates_are_of_what_was_watched_and_before_that_of_the_last_step() {
    let mut view = View::of(&["u".to_owned()]);
    assert_eq!(view.rates(), Rates::default());
    view.take(0, 0.0, Ok(well("a", 0)));
    // 100,000 and 39² · 60 of ten seconds.
    assert_eq!(view.rates().records, Some(19_126.0));
    assert_eq!(view.rows()[0].rate, None);
    view.take(0, 2.0, Ok(well("a", 2)));
    assert_eq!(view.rates().records, Some(12_345.0));
    let rates: Vec<Option<f64>> = view.rows().iter().map(|row| row.rate).collect();
    assert_eq!(rates[..3], [Some(0.0), Some(500.0), Some(1000.0)]);
    // Another process at the same address.
    let mut restarted = well("a", 0);
    restarted.status.started_at = restarted.status.now;
    view.take(0, 3.0, Ok(restarted));
    assert_eq!((view.rates().records, view.rows()[1].rate), (Some(19_126.0), None));
}

#[test]
fn several_instances_are_summed_and_one_that_is_away_is_not_counted_on() {
    let mut view = View::of(&["first".to_owned(), "second".to_owned(), "third".to_owned()]);
    for second in [0, 2] {
        view.take(0, second as f64, Ok(well("a", second)));
        view.take(1, second as f64, Ok(well_from(6, "b", second)));
        view.take(2, second as f64, Err("connect: refused".into()));
    }
    assert_eq!(view.totals().records, 2 * (120_000 + 2 * 12_345));
    assert_eq!(view.rates().records, Some(24_690.0));
    assert_eq!(view.history(|said| &said.throughput.records)[0], 20_000.0);
    assert_eq!((view.rows().len(), view.findings().len()), (12, 60));
    assert_eq!(view.refused(), [("invalid_json".to_owned(), 10), ("future".to_owned(), 4)]);
    assert_eq!(view.instances[2].name(), "third");
    view.take(1, 3.0, Err("no answer in time".into()));
    assert!(!view.is_old());
    assert_eq!(view.totals().records, 2 * (120_000 + 2 * 12_345), "its last figures stay");
    assert_eq!(view.rates().records, Some(12_345.0));
    assert_eq!(view.rows().iter().filter(|row| row.is_old).count(), 6);
    view.take(0, 4.0, Ok(well_from(4, "a", 4)));
    let old: Vec<u32> = view.rows().iter().filter(|row| row.is_old).map(|row| row.partition.partition).collect();
    assert_eq!((view.rows().len(), old), (8, vec![10, 11]), "the others are of the first by now");
}

#[test]
fn series_of_different_lengths_end_at_the_same_time() {
    let mut view = View::of(&["first".to_owned(), "second".to_owned()]);
    view.take(0, 0.0, Ok(said(|all| all["throughput"]["rows"] = vec![10, 20, 30].into())));
    view.take(1, 0.0, Ok(said(|all| all["throughput"]["rows"] = vec![100].into())));
    assert_eq!(view.history(|said| &said.throughput.rows), [1.0, 2.0, 13.0]);
}

#[test]
fn keys_scroll_within_the_table() {
    let mut view = watched(|second| well("a", second));
    let mut scrolled = |key| {
        view.press(key);
        view.scrolled
    };
    assert_eq!([Key::Down, Key::Char('j'), Key::Up, Key::PageDown, Key::Down].map(&mut scrolled), [1, 2, 1, 5, 5]);
    assert_eq!([Key::Home, Key::Up, Key::End, Key::PageUp, Key::Char('x')].map(&mut scrolled), [0, 0, 5, 0, 0]);
    view.press(Key::Char('s'));
    view.press(Key::Char('r'));
    assert_eq!(view.sort.head(), ("phase", '▴'));
    let mut nothing = View::of(&["u".to_owned()]);
    nothing.press(Key::End);
    assert_eq!(nothing.scrolled, 0);
}

#[test]
fn what_is_wrong_is_said_once_and_the_worst_first() {
    use super::super::warnings::{Weight, warnings};

    let mut view = View::of(&["http://h:1".to_owned(), "http://h:2".to_owned()]);
    view.take(0, 0.0, Ok(well("a", 0)));
    assert_eq!(warnings(&view), []);
    view.take(0, 1.0, Ok(in_trouble()));
    view.take(
        1,
        1.0,
        Ok(said(|all| {
            all["status"]["ready"] = serde_json::json!({ "ok": false, "why": "2 of 6 partitions are taken over" });
            all["throughput"]["quarantined"] = vec![0].into();
            all["partitions"]["partitions"] = Vec::<u8>::new().into();
            all["models"]["skipped"] = 2.into();
        })),
    );
    let found: Vec<(Weight, String)> =
        warnings(&view).into_iter().map(|warning| (warning.weight, warning.what)).collect();
    let expected = [
        (Weight::Bad, "readings/3 is halted"),
        (Weight::Care, "records are refused, 7 of the last 120,000, mostly as invalid_json"),
        (Weight::Care, "host-1/4711 is not ready"),
        (Weight::Care, "2 model files are left out"),
    ];
    assert_eq!(found, expected.map(|(weight, what)| (weight, what.to_owned())));
    view.take(1, 2.0, Err("connect: Connection refused".into()));
    let last = warnings(&view);
    assert_eq!((last[1].what.as_str(), last[1].weight), ("http://h:2 does not answer", Weight::Bad));
}
