//! What is drawn is well-formed, complete, and in its place.

use super::*;
use crate::commands::eval::judge::{Causal, Part, Rules};
use crate::commands::eval::windows::{Judge, Score};

fn shown(tracks: Vec<Track>) -> Shown {
    let judge = Judge { score: Score::Excess, threshold: None };
    Shown { tracks, rules: Rules { causal: Causal::Strict, part: Part::default(), judge }, are_rows: true }
}

fn track(name: &str, rows: i64, score: impl Fn(i64) -> f64) -> Track {
    let judged = (0..rows).map(|n| Judged {
        start: n * 10,
        end: n * 10 + 10,
        known: n * 10 + 10,
        is_positive: n >= rows / 2,
        alarm: score(n) > 0.0,
        score: Some(score(n)),
    });
    Track { name: name.into(), judged: judged.collect(), intervals: vec![(rows * 5, rows * 10)], span: rows * 10 }
}

/// Every element is closed, in order.
fn check_nesting(text: &str) {
    let mut open = Vec::new();
    for tag in text.split('<').skip(1) {
        let (tag, rest) = tag.split_once('>').expect("tags are closed");
        assert!(!rest.contains('>'), "a bare > behind <{tag}>");
        let name = tag.split_whitespace().next().unwrap_or_default();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None if tag.ends_with('/') || name == "!doctype" || name == "meta" => {}
            None => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

fn points(picture: &str, nth: usize) -> Vec<(f64, f64)> {
    let lists = picture.split("points=\"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default());
    let point = |pair: &str| pair.split_once(',').map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap())).unwrap();
    lists.map(|list| list.split_whitespace().map(point).collect()).nth(nth).expect("a line")
}

#[test]
fn pictures_and_pages_are_well_formed_whatever_the_names() {
    let shown =
        shown(vec![track("a<b>&\"\u{7}\"", 20, |n| n as f64 - 10.5), track("flat", 3, |_| 1.0), Track::default()]);
    let picture = picture(&shown);
    check_nesting(&picture);
    assert!(picture.contains("a&lt;b&gt;&amp;&quot;\\u{7}&quot;"));
    let page = page(&shown);
    check_nesting(&page);
    assert!(!page.contains("src=") && !page.contains("href="), "it refers to nothing outside");
    assert!(page.contains("<th>F1</th>"));
}

#[test]
fn scores_labels_and_alarms_are_where_they_belong() {
    let picture = picture(&shown(vec![track("t", 20, |n| n as f64 - 10.5)]));
    let line = points(&picture, 0);
    assert_eq!(line.len(), 20);
    assert!(line.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 > pair[1].1), "rising scores rise");
    // The second half is labelled; alarms begin with row 11 of 20.
    let middle = LEFT + (WIDTH - LEFT - RIGHT) / 2.0;
    assert!(picture.contains(&format!("<rect class=\"label\" x=\"{middle:.1}\"")), "{picture}");
    let alarm = LEFT + (WIDTH - LEFT - RIGHT) * 11.0 / 20.0;
    assert!(picture.contains(&format!("<rect class=\"alarm\" x=\"{alarm:.1}\"")), "{picture}");
    // The curve ends at full recall.
    let curve = points(&picture, 1);
    assert!((curve.last().unwrap().0 - (LEFT + CURVE - 58.0)).abs() < 0.11, "{curve:?}");
}

#[test]
fn many_windows_are_thinned_without_losing_a_peak() {
    let peak = |n: i64| if n == 33_333 { 0.004 } else { -((n % 7) as f64) / 1e4 };
    let picture = picture(&shown(vec![track("t", 100_000, peak)]));
    let line = points(&picture, 0);
    assert!(line.len() <= 2 * (COLUMNS + 1), "{}", line.len());
    let highest = line.iter().map(|point| point.1).fold(f64::INFINITY, f64::min);
    assert_eq!(line.iter().filter(|point| point.1 == highest).count(), 1, "the one peak is there");
    assert!(picture.len() < 100_000);
    let many = shown((0..50).map(|n| track(&n.to_string(), 5, |n| n as f64)).collect());
    assert!(super::picture(&many).contains("10 more are not shown"));
}
