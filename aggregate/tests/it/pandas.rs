//! The aggregates against pandas' `resample().agg()`; `pandas.py` beside this file made the figures and names the version.

use aggregate::{Arrival, Close, Config, Windows};
use serde::Deserialize;
use types::{Reading, Span};

use crate::support;

#[derive(Deserialize)]
struct Made {
    pandas: String,
    window: i64,
    readings: Vec<(String, String, i64, f64)>,
    rows: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    device: String,
    sensor: String,
    start: i64,
    count: u64,
    sum: f64,
    mean: f64,
    std: Option<f64>,
    std_pop: f64,
    min: f64,
    max: f64,
    first: f64,
    last: f64,
}

#[test]
fn aggregates_are_those_of_pandas() {
    let made: Made = serde_json::from_str(include_str!("../../testdata/pandas.json")).expect("pandas.json");
    let window = Span::from_millis(made.window as u64 / 1000);
    let settings = Config { window, ..Config::default() }.settings(true, false).expect("consistent");
    let mut windows = Windows::new(settings);
    for (position, (device, sensor, time, value)) in made.readings.iter().enumerate() {
        let arrival = Arrival { position: position as i64, ..Arrival::default() };
        let reading = Reading { device, sensor, time: *time, value: *value };
        windows.observe(arrival, std::iter::once(reading), &mut Vec::new());
    }
    windows.end(Close::All);
    let mut rows = Vec::new();
    support::drain(&mut windows, &mut rows);
    rows.sort_by(|a, b| (&a.device, &a.sensor, a.start).cmp(&(&b.device, &b.sensor, b.start)));

    assert_eq!(rows.len(), made.rows.len(), "windows, by pandas {}", made.pandas);
    for (got, want) in rows.iter().zip(&made.rows) {
        let window = (&want.device, &want.sensor, want.start);
        assert_eq!((&got.device, &got.sensor, got.start, got.count), (window.0, window.1, window.2, want.count));
        let exact = [(got.min, want.min), (got.max, want.max), (got.first, want.first), (got.last, want.last)];
        assert!(exact.iter().all(|(got, want)| got == want), "{window:?}: {exact:?}");
        // A sum that cancels is as exact as its terms, whatever remains of it.
        let want_size = want.max.abs().max(want.min.abs());
        let terms = want.count as f64 * want_size;
        assert!((got.sum - want.sum).abs() <= 1e-12 * want.sum.abs().max(terms), "{window:?}: sum");
        assert!((got.mean - want.mean).abs() <= 1e-12 * want.mean.abs().max(want_size), "{window:?}: mean");
        assert_eq!(got.std.is_some(), want.std.is_some(), "{window:?}: std of one reading is null");
        let deviations = [(got.std.unwrap_or(0.0), want.std.unwrap_or(0.0)), (got.std_pop, want.std_pop)];
        for (got, want) in deviations {
            // Readings that differ by little beside their size (rpm) leave both sides the rounding error of one reading.
            let rounding = f64::EPSILON * want_size;
            assert!((got - want).abs() <= 1e-12 * want.abs() + rounding, "{window:?}: {got} against {want}");
        }
    }
}
