//! An estimate as people read it, and as scripts do.

use super::Outlook;
use super::prices::{Bill, Line};
use super::requests::Requests;
use crate::commands::output::{Output, grouped};

pub(super) fn json(outlook: &Outlook) -> anyhow::Result<()> {
    let mut out = Output::new();
    out.line(serde_json::to_string(outlook)?);
    out.finish()
}

pub(super) fn text(outlook: &Outlook) -> anyhow::Result<()> {
    let mut out = Output::new();
    for (title, rows) in sections(outlook) {
        out.line(title);
        let rows: Vec<(&str, String)> = rows;
        out.table(&rows);
        out.line("");
    }
    if let Some(bill) = &outlook.month {
        show_bill(bill, &mut out);
    } else {
        out.line("Give --prices FILE for a month in money; `atalaia estimate --help` shows the form.");
    }
    out.finish()
}

fn sections(outlook: &Outlook) -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    vec![
        ("What arrives", arrival(outlook)),
        ("What it becomes, a day", results(outlook)),
        ("Requests to the stores, a day", requests(outlook)),
        ("An instance", instance(outlook)),
        ("Running all the time, or scaled to zero between windows", sleep(outlook)),
    ]
}

fn arrival(outlook: &Outlook) -> Vec<(&'static str, String)> {
    let load = &outlook.load;
    let lag = outlook.processor.seconds_to_read_an_hour.map_or_else(
        || "never read: more arrives than the workers can take".to_owned(),
        |seconds| format!("read again in {}, while more arrives", span(seconds)),
    );
    vec![
        ("series", format!("{} ({} devices of {})", count(outlook.series), count(load.devices), count(load.sensors))),
        ("records", format!("{} a second", figure(outlook.records_a_second))),
        ("readings", format!("{} a second", figure(outlook.readings_a_second))),
        (
            "a lag of 1,000",
            format!(
                "records is {} of arrivals in one partition",
                span(1000.0 / outlook.records_a_second * load.partitions)
            ),
        ),
        ("an hour's outage", lag),
    ]
}

fn results(outlook: &Outlook) -> Vec<(&'static str, String)> {
    let (commits, files, stored) = (&outlook.commits, &outlook.files, &outlook.stored);
    vec![
        ("windows", format!("{} of each series", count(outlook.windows_a_day))),
        ("rows", format!("{}, {} of them anomalies", count(commits.rows), count(outlook.anomalies_a_day))),
        ("commits", format!("{}, {} of them with rows", count(commits.all), count(commits.with_rows))),
        (
            "files",
            format!(
                "{}: predictions {}, late {}, quarantine {}, runs {}",
                count(files.all()),
                count(files.predictions),
                count(files.late),
                count(files.quarantine),
                count(files.runs)
            ),
        ),
        (
            "Parquet",
            format!(
                "{}: predictions {}, late {}, quarantine {}, runs {}",
                bytes(stored.all),
                bytes(stored.predictions),
                bytes(stored.late),
                bytes(stored.quarantine),
                bytes(stored.runs)
            ),
        ),
        (
            "state",
            format!("{} a partition, packed; a record up to {} of 256 MiB", bytes(stored.state), bytes(stored.record)),
        ),
        ("logs", format!("hold {}, written are {}", bytes(stored.logs), bytes(stored.logs_written))),
    ]
}

fn requests(outlook: &Outlook) -> Vec<(&'static str, String)> {
    let daily = &outlook.requests;
    vec![
        ("commits", kinds(daily.commits)),
        ("sweeps", kinds(daily.sweeps)),
        ("looking", kinds(daily.idle)),
        ("all", kinds(daily.all)),
        ("each start", kinds(daily.start)),
    ]
}

fn instance(outlook: &Outlook) -> Vec<(&'static str, String)> {
    let (memory, processor, load) = (&outlook.memory, &outlook.processor, &outlook.load);
    vec![
        (
            "memory",
            format!(
                "{}: process and {} workers {}, series {}, models {}, rows {}; at worst {}",
                bytes(memory.expected),
                count(load.workers),
                bytes(memory.process),
                bytes(memory.series),
                bytes(memory.models),
                bytes(memory.rows),
                bytes(memory.worst)
            ),
        ),
        ("run.memory_bytes_max", format!("{} ({})", memory.memory_bytes_max.ceil(), bytes(memory.memory_bytes_max))),
        ("limit of container", bytes(memory.container)),
        ("aggregate.series_max", format!("{} a partition: twice what is expected", memory.series_max)),
        (
            "processor",
            format!(
                "{} cores on average, planned at {} readings a second and core",
                figure(processor.cores_an_instance),
                count(processor.readings_a_second_a_core)
            ),
        ),
        (
            "instances",
            format!("{} of {} at most, one a partition", count(load.instances), count(processor.instances_max)),
        ),
    ]
}

fn sleep(outlook: &Outlook) -> Vec<(&'static str, String)> {
    let sleep = &outlook.sleep;
    let verdict = if sleep.saves() {
        format!("saves {} % of the hours", ((1.0 - sleep.hours / sleep.hours_always) * 100.0).round())
    } else {
        "saves nothing: the next window comes before the last one has cooled down".to_owned()
    };
    vec![
        (
            "always",
            format!("{} hours of instances a day; {}", figure(sleep.hours_always), kinds(sleep.requests_always)),
        ),
        ("scaled to zero", format!("{} hours of instances a day; {}", figure(sleep.hours), kinds(sleep.requests))),
        (
            "each wake",
            format!(
                "{} to the first commit, {} to read, {} until it is taken away; {} wakes a day",
                span(sleep.start_seconds),
                span(sleep.read_seconds),
                span(sleep.cooldown_seconds),
                count(sleep.wakes_a_day)
            ),
        ),
        ("verdict", verdict),
    ]
}

fn show_bill(bill: &Bill, out: &mut Output) {
    let as_of = if bill.as_of.is_empty() { "of an unknown day" } else { &bill.as_of };
    out.line(format_args!("A month of 30 days, by your prices ({as_of})"));
    let rows: Vec<(&str, String)> = bill.lines.iter().map(|line| (line.what, price(line, &bill.currency))).collect();
    out.table(&rows);
    let currency = &bill.currency;
    out.line(format_args!("  in all {:.2} {currency}; scaled to zero {:.2} {currency}", bill.total, bill.total_asleep));
    if bill.unpriced > 0 {
        out.line(format_args!("  {} quantities have no price in your table, and are not in the sums", bill.unpriced));
    }
}

fn price(line: &Line, currency: &str) -> String {
    let quantity = format!("{} {}", figure(line.quantity), line.unit);
    match line.cost {
        Some(cost) => format!("{cost:.2} {currency}  ({quantity})"),
        None => format!("no price  ({quantity})"),
    }
}

// === how figures are written ===

fn kinds(requests: Requests) -> String {
    let Requests { puts, gets, lists, deletes } = requests;
    format!("{} puts, {} gets, {} lists, {} deletes", count(puts), count(gets), count(lists), count(deletes))
}

/// A whole number.
fn count(number: f64) -> String {
    // Beyond any count that means something.
    grouped(number.round().clamp(0.0, 1e18) as u64)
}

/// To three digits.
pub(super) fn figure(number: f64) -> String {
    match number {
        number if number >= 100.0 => count(number),
        number if number >= 10.0 => format!("{number:.1}"),
        number if number >= 0.1 || number == 0.0 => format!("{number:.2}"),
        number => format!("{number:.4}"),
    }
}

pub(super) fn bytes(bytes: f64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut scaled = bytes;
    let mut unit = 0;
    while scaled >= 1024.0 && unit + 1 < units.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && scaled < 100.0);
    format!("{scaled:.digits$} {}", units[unit])
}

pub(super) fn span(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 1.0 => format!("{} ms", (seconds * 1000.0).round()),
        seconds if seconds < 120.0 => format!("{} s", (seconds * 10.0).round() / 10.0),
        seconds if seconds < 7200.0 => format!("{} min", (seconds / 6.0).round() / 10.0),
        seconds => format!("{} h", (seconds / 360.0).round() / 10.0),
    }
}
