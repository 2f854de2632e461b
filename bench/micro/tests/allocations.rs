//! Once all series and shapes of records are known, the hot path does not ask for memory: not for an event, hardly ever for a
//! window, and not for a scored row. The allocator counts what this thread asks of it.

#![allow(unsafe_code, reason = "an allocator cannot be written without; it hands everything on to the system's")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use aggregate::{Clock, TakeLimit, Windows};
use ingest::decode::{Config, Format, Shape};
use ingest::{RawRecord, Records};
use microbench::fleet::{Round, SECOND, START, json, settings, time_text, value};
use microbench::folding::Folder;
use microbench::scoring::{Judged, Scoring};
use types::{Micros, Reading, Span};

const SERIES: usize = 10_000;
/// 100,000 records in all.
const ROUNDS: i64 = 10;

#[test]
fn no_event_asks_for_memory_while_no_window_closes() {
    let csv = ["ts", "device", "sensor", "value"].map(str::to_owned).to_vec();
    let wide = Config { shape: Shape::Wide, ..Config::default() };
    check(&Config::default(), one_each(plain));
    check(&Config { format: Format::Csv, columns: csv, ..Config::default() }, one_each(row));
    check(&Config::default(), |round, time| batch(time, [array(round, time)].iter()));
    check(&wide, |_, time| batch(time, (0..SERIES / 10).map(|device| ten_sensors(device, time))));
    check(&Config { sensors: sensors(), ..wide }, |_, time| {
        batch(time, (0..SERIES / 10).map(|device| ten_sensors(device, time)))
    });
}

/// Records that no template fits teach the decoder something now and then. What it learns from one replaces what it learnt before,
/// memory and all.
#[test]
fn no_event_asks_for_memory_where_records_are_not_alike() {
    let every_third = |reading: &Reading<'_>, n| if n % 3 == 2 { unlike(reading, n) } else { plain(reading, n) };
    check(&Config::default(), one_each(escaped));
    check(&Config::default(), one_each(unlike));
    check(&Config::default(), one_each(every_third));
}

#[test]
fn closing_windows_asks_for_memory_only_while_buffers_grow() {
    for clock in [Clock::Device, Clock::Partition] {
        let mut folder = Folder::new(&Config::default(), Windows::new(settings(Span::from_secs(10), clock)));
        let round = Round::new(SERIES);
        let mut windows_closed = 0;
        let mut allocations = 0;
        for step in 0..ROUNDS + 2 {
            // Two readings a window, so that every other round closes those before.
            let time = START + step * 5 * SECOND;
            let records = round.records(time);
            let of_step = allocations_in(|| {
                folder.fold(&records, time + SECOND);
                folder.windows.settle();
                // As a commit does.
                let rows = folder.windows.take_closed(TakeLimit { rows: 500_000, dates: 32 });
                windows_closed += rows.len();
                folder.windows.recycle(rows);
            });
            // The first two rounds make the series known.
            allocations += if step < 2 { 0 } else { of_step };
        }
        allocations += allocations_in(|| folder.windows.tick(START + 600 * SECOND));
        windows_closed += folder.windows.closed().len();
        let tally = folder.windows.tally();
        assert!(tally.is_conserved() && tally.late == 0 && windows_closed == 6 * SERIES, "{tally:?}");
        println!("{clock:?}: {allocations} allocations for {windows_closed} windows");
        assert!(
            allocations * 100 < windows_closed,
            "{clock:?}: {allocations} allocations for {windows_closed} windows"
        );
    }
}

#[test]
fn no_scored_row_asks_for_memory() {
    for (models, judged) in [(1, Judged::Normal), (SERIES, Judged::Normal), (SERIES, Judged::Anomalous)] {
        // The first batch, which resolves the models, is scored on the way.
        let mut scoring = Scoring::new(models, 20, judged);
        let allocations = allocations_in(|| drop(scoring.score()));
        println!("{models} models: {allocations} allocations for a batch");
        // A column each, and a list of the batch's models that grows by doubling.
        assert!(allocations < 40, "{models} models: {allocations} allocations for a batch of 10,000 rows");
    }
}

// === Folding ===

fn check(config: &Config, records: impl Fn(&Round, Micros) -> Records) {
    assert_eq!(allocations_of_rounds(config, records), 0, "{config:?}");
}

/// How often 100,000 readings ask for memory, after as many readings of the same series and shapes as there are series.
fn allocations_of_rounds(config: &Config, records: impl Fn(&Round, Micros) -> Records) -> usize {
    let mut folder = Folder::new(config, Windows::new(settings(Span::from_secs(3600), Clock::Device)));
    let round = Round::new(SERIES);
    folder.fold(&records(&round, START), START + SECOND);
    (1..=ROUNDS)
        .map(|step| {
            let time = START + step * 5 * SECOND;
            let records = records(&round, time);
            let mut readings = 0;
            let allocations = allocations_in(|| readings = folder.fold(&records, time + SECOND));
            assert_eq!(readings, SERIES, "all count: {config:?}");
            allocations
        })
        .sum()
}

// === Records ===

fn one_each(text: impl Fn(&Reading<'_>, usize) -> String) -> impl Fn(&Round, Micros) -> Records {
    move |round, time| batch(time, round.readings(time).enumerate().map(|(n, reading)| text(&reading, n)))
}

fn batch(time: Micros, payloads: impl Iterator<Item = impl AsRef<str>>) -> Records {
    let mut records = Records::new(types::PartitionId { topic: "readings".into(), index: 0 });
    for (position, payload) in (0..).zip(payloads) {
        let payload = Some(payload.as_ref().as_bytes());
        records.push(RawRecord { position, broker_time: Some(time + SECOND / 10), key: b"", payload });
    }
    records
}

fn plain(reading: &Reading<'_>, _: usize) -> String {
    let mut text = String::new();
    json(reading, &mut text);
    text
}

fn row(reading: &Reading<'_>, _: usize) -> String {
    let Reading { device, sensor, value, .. } = reading;
    format!(r#"{},"{device}",{sensor},{value}"#, time_text(reading.time))
}

/// No template is made of a record whose texts have escapes.
fn escaped(reading: &Reading<'_>, n: usize) -> String {
    plain(reading, n).replace("dev-", r"d\u0065v-")
}

fn unlike(reading: &Reading<'_>, n: usize) -> String {
    let Reading { device, sensor, value, .. } = reading;
    let time = time_text(reading.time);
    format!(r#"{{"device":"{device}","f{n}":[{n}],"sensor":"{sensor}","ts":"{time}","value":{value}}}"#)
}

fn array(round: &Round, time: Micros) -> String {
    let elements: Vec<String> = round.readings(time).map(|reading| plain(&reading, 0)).collect();
    format!("[{}]", elements.join(","))
}

fn sensors() -> Vec<String> {
    (0..10).map(|n| format!("sensor-{n}")).collect()
}

fn ten_sensors(device: usize, time: Micros) -> String {
    let fields: String = sensors().iter().map(|name| format!(r#","{name}":{}"#, value(device as u64, time))).collect();
    format!(r#"{{"device":"dev-{device}","ts":"{}"{fields}}}"#, time_text(time))
}

// === Counting ===

/// How often this thread asks for memory meanwhile.
fn allocations_in(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

thread_local! {
    // Const and without a destructor, so that the first access asks for no memory itself.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: the system's allocator does all the work, on the very arguments that came in; the count touches no memory but
// its own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}
