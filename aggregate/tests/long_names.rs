//! Names as long as the decoder lets them be: `series_max` bounds their bytes as well, so that whoever invents devices cannot
//! take more memory than the operator has set aside.

use aggregate::{Arrival, Config, NAME_BYTES_MEAN, Refusal, Settings, Windows};
use types::{Micros, Reading, Reason};

const SERIES_MAX: u32 = 100;
const NOON: Micros = 20_000 * 86_400_000_000 + 43_200_000_000;

fn settings() -> Settings {
    Config { series_max: SERIES_MAX, ..Config::default() }.settings(false, false).expect("usable")
}

/// Whether the device's reading counts.
fn is_taken(windows: &mut Windows, position: i64, device: &str) -> bool {
    let arrival = Arrival { position, broker_time: Some(NOON), wall: Some(NOON) };
    let mut refused = Vec::new();
    windows.observe(arrival, [Reading { device, sensor: "s", time: NOON, value: 1.0 }].into_iter(), &mut refused);
    assert!(refused.iter().all(|refused| refused.what == Refusal::Rejected(Reason::SeriesLimit)), "{refused:?}");
    refused.is_empty()
}

#[test]
fn names_of_the_usual_length_are_bounded_by_their_number() {
    let mut windows = Windows::new(settings());
    let taken = (0..200).filter(|&n| is_taken(&mut windows, n, &format!("{n:0>120}"))).count();
    assert_eq!(taken, SERIES_MAX as usize);
}

#[test]
fn longer_ones_by_their_bytes_and_short_ones_still_fit_after_them() {
    let mut windows = Windows::new(settings());
    let long = |n: i64| format!("{n:0>1023}");
    let taken = (0..200).filter(|&n| is_taken(&mut windows, n, &long(n))).count();
    assert_eq!(taken, SERIES_MAX as usize * NAME_BYTES_MEAN / 1024);
    // Known ones go on to count, and a state that is read again decides alike.
    let mut bytes = Vec::new();
    windows.snapshot(&mut bytes);
    let mut restored = Windows::restore(settings(), &bytes).expect("restores");
    for windows in [&mut windows, &mut restored] {
        assert!(is_taken(windows, 200, &long(0)));
        assert!(!is_taken(windows, 201, &long(300)));
        let short = (0..200).filter(|n| is_taken(windows, 202 + n, &n.to_string())).count();
        assert_eq!(short, SERIES_MAX as usize - taken);
    }
}
