//! Estimates held against figures that were measured or can be counted by hand, and against laws that any estimate keeps.

use std::path::Path;

use clap::Parser;
use config::Config;
use serde_json::Value;

use super::requests::Requests;
use super::volumes::model_bytes;
use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn outlook(line: &str) -> Outlook {
    let Line { args } = Line::parse_from(std::iter::once("estimate").chain(line.split_whitespace()));
    let config = args.config.read().expect("a configuration");
    Outlook::of(Load::new(&args.fleet, &config).expect("a fleet"))
}

/// Within so many percent.
fn near(what: &str, found: f64, expected: f64, percent: f64) {
    assert!(
        (found - expected).abs() <= expected * percent / 100.0,
        "{what}: {found}, not {expected} within {percent} %"
    );
}

/// The example of docs/performance.md, counted by hand.
#[test]
fn a_million_sensors_on_paper() {
    let found = outlook("--devices 200000 --sensors 5 --per-minute 1 --partitions 32 --features 4");
    near("readings a second", found.readings_a_second, 1e6 / 60.0, 0.1);
    near("rows", found.commits.rows, 24e6, 0.1);
    // A reading a minute: the rows of an hour come within one, and wait for five more or for 10,000 others.
    assert!((24.0..=96.0).contains(&(found.commits.with_rows / 32.0)), "{:?}", found.commits);
    near("commits", found.commits.all, 1440.0 * 32.0, 5.0);
    near("state of a partition", found.stored.state, 1e6 / 32.0 * 39.0, 0.1);
    near("cores", found.processor.cores, 0.03, 100.0);
    near("models", found.memory.models, 2_697.9 * 1_048_576.0, 5.0);
}

/// Peaks that `make bench WHAT=scale` and `WHAT=speed` found (docs/performance.md), with as many rows in a burst.
#[test]
fn memory_is_near_what_was_measured() {
    for (line, mib) in [
        ("--devices 1000000 --support-vectors 10 --features 4 --cores 1", 1457.0),
        ("--devices 1000000 --support-vectors 10 --features 4 --cores 2", 1505.0),
        ("--devices 100000 --support-vectors 10 --features 4 --cores 1", 234.0),
        ("--devices 10000 --support-vectors 10 --features 4 --cores 1", 125.0),
        ("--devices 2000 --sensors 5 --support-vectors 60 --features 4 --cores 1", 156.0),
        ("--devices 2000 --sensors 5 --support-vectors 60 --features 4 --cores 2", 183.0),
    ] {
        let found = outlook(&format!("{line} --partitions 8 --set aggregate.window=1h --per-minute 0.1667"));
        near(line, found.memory.expected, mib * 1_048_576.0, 30.0);
        assert!(found.memory.worst > found.memory.expected && found.memory.memory_bytes_max > found.memory.expected);
    }
}

/// Sets of models as `make bench WHAT=scoring` and `WHAT=models` found them: MiB of so many models.
#[test]
fn models_take_what_sets_took() {
    for (models, vectors, mib) in [(1e6, 60.0, 2697.9), (1e5, 60.0, 269.8), (1e6, 15.0, 897.0)] {
        near("models", models * model_bytes(vectors, 4.0), mib * 1_048_576.0, 5.0);
    }
}

/// The run that the figures of requests were counted in: 4 partitions for 124 s.
#[test]
fn requests_are_those_that_were_counted() {
    let set = "--set sink.commit_interval=5s --set sink.max_delay=10s --set aggregate.window=20s";
    let found = outlook(&format!("--devices 200 --sensors 5 --per-minute 30 --partitions 4 --models 0 {set}"));
    let seconds = 124.0 / 86_400.0;
    near("commits with rows", found.commits.with_rows * seconds, 24.0, 10.0);
    near("commits", found.commits.all * seconds, 106.0, 10.0);
    near("rows", found.commits.rows * seconds, 6_000.0, 10.0);
    near("looking", found.requests.idle.gets * seconds, 50.0, 5.0);
    let counted = Requests { puts: 106.0 + 48.0 + 24.0, gets: 0.0, lists: 110.0, deletes: 0.0 };
    near("puts", found.requests.commits.puts * seconds, counted.puts, 10.0);
    near("lists", found.requests.commits.lists * seconds, counted.lists, 12.0);
}

#[test]
fn cadence_decides_how_many_commits_there_are() {
    let a_day = |set: &str| outlook(&format!("--devices 1000 --per-minute 60 --partitions 1 {set}")).commits;
    // Rows come once an hour, and a commit a minute is due.
    let default = a_day("");
    assert_eq!((default.with_rows, default.all), (24.0, 1440.0));
    let rare = a_day("--set sink.commit_interval=10m");
    assert_eq!((rare.with_rows, rare.all), (24.0, 144.0));
    // Six ends of windows fit between two files.
    let short = a_day("--set aggregate.window=1m");
    assert_eq!((short.with_rows, short.all), (240.0, 1440.0));
    // 10,000 rows do not wait for five minutes.
    let many = outlook("--devices 100000 --per-minute 60 --partitions 1 --window 1m --set sink.min_rows=10000").commits;
    assert!(many.with_rows > short.with_rows, "{many:?}");
    // Where nothing was read, nothing is committed.
    let quiet = outlook("--devices 1 --per-minute 0.01 --partitions 1").commits;
    assert!(quiet.all <= 2.0 * 14.4, "{quiet:?}");
    assert_eq!(quiet.rows.round(), 14.0, "a window without a reading has no row");
}

/// More of anything never makes anything less.
#[test]
fn more_never_costs_less() {
    let base = "--devices 300 --sensors 3 --per-minute 2 --partitions 4";
    let less = outlook(base);
    for more in ["--late 0.1", "--refused 0.1", "--support-vectors 200", "--features 9", "--instances 2"] {
        let more = outlook(&format!("{base} {more}"));
        for (less, more) in [
            (less.stored.all, more.stored.all),
            (less.requests.all.puts, more.requests.all.puts),
            (less.requests.all.gets, more.requests.all.gets),
            (less.memory.models, more.memory.models),
            (less.sleep.hours_always, more.sleep.hours_always),
        ] {
            assert!(more >= less, "{more} < {less}");
        }
    }
    let by_device = outlook(&format!("{base} --set score.key=device"));
    assert_eq!(by_device.commits.rows * 3.0, less.commits.rows);
    let wide = outlook(&format!("{base} --set ingest.decode.shape=wide"));
    assert_eq!(wide.records_a_second * 3.0, less.records_a_second);
}

#[test]
fn stopping_saves_where_windows_are_long() {
    let long = outlook("--devices 500 --window 6h").sleep;
    assert!(long.saves() && long.hours < 0.5, "{long:?}");
    let short = outlook("--devices 500 --window 1m").sleep;
    assert!(!short.saves(), "{short:?}");
    assert!(long.requests.gets < long.requests_always.gets);
}

#[test]
fn a_fleet_must_be_named_and_make_sense() {
    let refused = |line: &str| {
        let Line { args } = Line::parse_from(std::iter::once("estimate").chain(line.split_whitespace()));
        Load::new(&args.fleet, &args.config.read().expect("settings")).expect_err("nonsense").to_string()
    };
    assert!(refused("").contains("--devices"));
    assert!(refused("--devices 0").contains("--devices is 0"));
    assert!(refused("--devices 1 --per-minute=-1").contains("--per-minute is -1"));
    assert!(refused("--devices 1 --window 0").contains("--window is 0"));
    assert!(refused("--devices 1 --cores 0").contains("--cores is 0"));
    let simulated = outlook("--set ingest.source=simulated --set ingest.simulated.partitions=6");
    let fleet = Config::default().ingest.simulated;
    assert_eq!(simulated.series, f64::from(fleet.devices) * fleet.sensors.len() as f64);
    assert_eq!((simulated.load.partitions, simulated.load.per_minute), (6.0, 2.0));
}

fn priced(table: &str) -> Result<Bill, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("prices.toml");
    std::fs::write(&path, table).expect("ours");
    let prices = Prices::read(&path).map_err(|error| error.to_string())?;
    Ok(Bill::of(&outlook("--devices 1000 --partitions 4"), &prices))
}

/// With made-up prices, of which only the sums count.
#[test]
fn a_month_is_quantities_times_prices() {
    let none = priced("currency = \"X\"").expect("a table");
    assert_eq!((none.total, none.unpriced, none.lines.len()), (0.0, 7, 7));
    let two = priced("currency = \"X\"\nputs_per_10000 = 2.0\ncore_hour = 1").expect("a table");
    assert_eq!(two.unpriced, 5);
    let line = |what: &str| two.lines.iter().find(|line| line.what == what).expect("there").clone();
    let (puts, cores) = (line("puts"), line("cores"));
    assert_eq!(puts.quantity, outlook("--devices 1000 --partitions 4").requests.all.puts * 30.0 / 10_000.0);
    assert_eq!(cores.quantity, 24.0 * 30.0 * 0.1, "a tenth of a core at least");
    assert_eq!(two.total, puts.quantity * 2.0 + cores.quantity);
    assert!(two.total_asleep < two.total);

    assert!(priced("puts_per_10000 = -1").expect_err("negative").contains("0 or more"));
    assert!(priced("puts_per_1000 = 1").expect_err("unknown").contains("puts_per_1000"));
    assert!(Prices::read(Path::new("/nowhere/prices.toml")).expect_err("none").to_string().contains("/nowhere"));
}

#[test]
fn figures_are_written_for_people() {
    use super::show::{bytes, figure, span};
    for (found, text) in [
        (bytes(0.0), "0 B"),
        (bytes(1536.0), "1.5 KiB"),
        (bytes(300.0 * 1_048_576.0), "300 MiB"),
        (span(0.25), "250 ms"),
        (span(90.04), "90 s"),
        (span(600.0), "10 min"),
        (span(7200.0), "2 h"),
        (figure(0.027), "0.0270"),
        (figure(16_666.7), "16,667"),
    ] {
        assert_eq!(found, text);
    }
    let json: Value = serde_json::to_value(outlook("--devices 10")).expect("JSON");
    assert!(json["requests"]["all"]["puts"].is_number() && json["month"].is_null());
}
