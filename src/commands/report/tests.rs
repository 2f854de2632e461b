//! Whole reports of datasets that were made by hand, held against counts that were made another way.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use parquet::arrow::ArrowWriter;

use super::bins::Axis;
use super::*;

const MINUTE: Micros = 60_000_000;

/// A row of predictions: windows of five minutes, a threshold of 1.
#[derive(Debug, Clone)]
struct Given {
    device: String,
    sensor: Option<String>,
    /// In windows.
    at: i64,
    severity: Option<f64>,
    status: &'static str,
}

impl Given {
    fn new(device: &str, sensor: &str, at: i64, severity: f64) -> Given {
        let sensor = Some(sensor.to_owned());
        Given { device: device.to_owned(), sensor, at, severity: Some(severity), status: "scored" }
    }

    fn is_anomaly(&self) -> bool {
        self.severity.is_some_and(|severity| severity > 1.0)
    }
}

fn put_file(folder: &Path, name: &str, columns: Vec<(&str, ArrayRef)>) {
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)));
    let batch = batch.expect("columns of one length");
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let mut writer =
        ArrowWriter::try_new(fs::File::create(path).expect("a file"), batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("rows");
    writer.close().expect("a footer");
}

fn times(times: impl Iterator<Item = Micros>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
}

fn texts<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(texts.collect::<StringArray>())
}

fn doubles(numbers: impl Iterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(numbers.collect::<Float64Array>())
}

fn predictions(folder: &Path, name: &str, rows: &[Given]) {
    let all = || rows.iter();
    let has_sensor = |row: &Given| row.sensor.is_some();
    let mean = |row: &Given| has_sensor(row).then(|| 20.0 + row.severity.unwrap_or_default());
    put_file(
        folder,
        &format!("predictions/date=1970-01-01/{name}.parquet"),
        vec![
            ("device", texts(all().map(|row| Some(row.device.as_str())))),
            ("sensor", texts(all().map(|row| row.sensor.as_deref()))),
            ("window_start", times(all().map(|row| row.at * 5 * MINUTE))),
            ("window_end", times(all().map(|row| (row.at + 1) * 5 * MINUTE))),
            ("value_count", Arc::new(Int64Array::from_iter_values(all().map(|_| 30)))),
            ("value_mean", doubles(all().map(mean))),
            ("value_min", doubles(all().map(|row| mean(row).map(|mean| mean - 1.0)))),
            ("value_max", doubles(all().map(|row| mean(row).map(|mean| mean + 1.0)))),
            ("decision", doubles(all().map(|row| row.severity.map(|severity| 1.0 - severity)))),
            ("severity", doubles(all().map(|row| row.severity))),
            ("threshold", doubles(all().map(|row| row.severity.map(|_| 1.0)))),
            ("is_anomaly", Arc::new(all().map(|row| Some(row.is_anomaly())).collect::<BooleanArray>())),
            ("status", texts(all().map(|row| Some(row.status)))),
            ("top_feature", texts(all().map(|row| row.is_anomaly().then_some("std_pop")))),
            ("model_key", texts(all().map(|row| row.severity.map(|_| "k")))),
        ],
    );
}

fn late(folder: &Path, rows: &[(&str, i64, &str)]) {
    let all = || rows.iter();
    let numbers = |numbers: Vec<i64>| Arc::new(Int64Array::from(numbers)) as ArrayRef;
    put_file(
        folder,
        "late/date=1970-01-01/a.parquet",
        vec![
            ("device", texts(all().map(|row| Some(row.0)))),
            ("sensor", texts(all().map(|_| Some("s")))),
            ("event_time", times(all().map(|row| row.1 * MINUTE))),
            ("value", doubles(all().map(|_| Some(1.5)))),
            ("window_start", times(all().map(|row| row.1 * MINUTE))),
            ("late_by", numbers(all().map(|row| row.1 * MINUTE).collect())),
            ("closed_by", texts(all().map(|row| Some(row.2)))),
            ("partition", Arc::new(Int32Array::from_iter_values(all().map(|_| 3)))),
            ("position", numbers(all().map(|row| row.1 + 100).collect())),
        ],
    );
}

fn quarantine(folder: &Path, rows: &[(&str, i64, Option<&str>, Option<Micros>)]) {
    let all = || rows.iter();
    put_file(
        folder,
        "quarantine/date=1970-01-01/a.parquet",
        vec![
            ("reason", texts(all().map(|row| Some(row.0)))),
            ("first_position", Arc::new(Int64Array::from_iter_values(all().map(|_| 7)))),
            ("count", Arc::new(Int64Array::from_iter_values(all().map(|row| row.1)))),
            (
                "broker_time",
                Arc::new(all().map(|row| row.3).collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
            ),
            ("detail", texts(all().map(|_| Some("`value` is <absent>")))),
            ("sample", texts(all().map(|row| row.2))),
            ("partition", Arc::new(Int32Array::from_iter_values(all().map(|_| 0)))),
        ],
    );
}

struct Asked<'a> {
    labels: &'a [String],
    since: Option<Micros>,
    until: Option<Micros>,
    url: Option<String>,
}

fn report(folder: &Path, asked: &Asked<'_>) -> anyhow::Result<(serde_json::Value, String)> {
    let file = folder.join("a report.html");
    let url = asked.url.clone().unwrap_or_else(|| folder.display().to_string());
    let order = Order {
        url: Some(&url),
        output: &file,
        labels: asked.labels,
        since: asked.since,
        until: asked.until,
        command: "atalaia report".into(),
    };
    let written = write(&order, &Config::default(), &Runtime::new()?)?;
    assert!(written.url.ends_with("/a%20report.html") && written.url.starts_with("file:///"), "{}", written.url);
    let page = fs::read_to_string(&file)?;
    check_nesting(&page);
    Ok((written.json(), page))
}

const EVERYTHING: Asked<'_> = Asked { labels: &[], since: None, until: None, url: None };

/// Every element is closed, in order, and only ours are there.
fn check_nesting(page: &str) {
    let mut rest = page.to_owned();
    for name in ["style", "script"] {
        let (from, to) = (rest.find(&format!("<{name}>")).expect(name), rest.find(&format!("</{name}>")).expect(name));
        assert_eq!(rest.matches(&format!("<{name}")).count(), 1, "another {name}");
        rest.replace_range(from..to + name.len() + 3, "");
    }
    let mut open = Vec::new();
    for tag in rest.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').expect("tags are closed");
        assert!(!text.contains('>'), "a bare > behind <{tag}>");
        assert_eq!(tag.matches('"').count() % 2, 0, "<{tag}>");
        let name = tag.split_whitespace().next().unwrap_or_default();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None if tag.ends_with('/') || ["!doctype", "meta", "link"].contains(&name) => {}
            None => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
    assert!(!rest.contains("NaN") && !rest.contains("inf%"), "a number that is none");
}

/// A fleet in which device `n` has an anomaly in every window whose number its own divides.
fn fleet() -> Vec<Given> {
    let mut rows = Vec::new();
    for device in 2..=9 {
        for sensor in ["flow", "temperature"] {
            for at in 0..288 {
                let is_anomaly = sensor == "flow" && at % device == 0;
                let severity = if is_anomaly { 1.0 + device as f64 / 10.0 + at as f64 / 1000.0 } else { 0.25 };
                rows.push(Given::new(&format!("pump-{device}"), sensor, at, severity));
            }
        }
    }
    for row in rows.iter_mut().filter(|row| row.device == "pump-9" && row.at < 10) {
        (row.severity, row.status) = (None, "no_model");
    }
    rows
}

#[test]
fn what_is_gathered_is_what_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = fleet();
    let (some, others): (Vec<Given>, Vec<Given>) = rows.iter().cloned().partition(|row| row.at % 3 == 0);
    predictions(folder.path(), "a", &some);
    predictions(folder.path(), "b", &others);
    late(folder.path(), &[("pump-2", 5, "silence"), ("pump-3", 17, "silence"), ("pump-3", 1, "device")]);
    quarantine(
        folder.path(),
        &[
            ("bad_value", 40, None, None),
            ("bad_value", 2, Some("{\"value\":\"<b>\"}"), Some(0)),
            ("empty", 1, None, Some(0)),
        ],
    );
    let (figures, page) = report(folder.path(), &EVERYTHING).expect("a report");
    let anomalies = rows.iter().filter(|row| row.is_anomaly()).count();
    assert_eq!(figures["devices"], 8);
    assert_eq!(figures["series"], 16);
    assert_eq!(figures["windows"], 8 * 2 * 288);
    assert_eq!(figures["anomalies"], anomalies);
    assert_eq!(figures["statuses"], json!({ "scored": 8 * 2 * 288 - 20, "no_model": 20 }));
    assert_eq!((&figures["late"], &figures["quarantined"]), (&json!(3), &json!(43)));
    for expected in [
        "The most had <b class=\"id\">pump-2</b>: 144 of its 576 windows",
        "pump-3: 96 of 576 windows anomalous",
        "17 min",
        "record 117 of partition 3",
        "<code>value</code> is &lt;absent&gt;",
        "{&quot;value&quot;:&quot;&lt;b&gt;&quot;}",
        "only finite numbers are values",
        "no model for this series",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
}

#[test]
fn bins_add_up_to_an_independent_count() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = fleet();
    predictions(folder.path(), "a", &rows);
    let runtime = Runtime::new().expect("threads");
    let place = Place::find(Some(&folder.path().display().to_string()), &Config::default(), &runtime).expect("files");
    let gathered = gather::gather(&place, Part::default(), None, &runtime).expect("rows");
    let Gathered { plan, course, .. } = &gathered;
    // A day of five minutes in at most 100 bins: a quarter of an hour each.
    assert_eq!(plan.overview, Axis { begin: 0, step: 15 * MINUTE, count: 96 });
    assert_eq!(plan.fine, Axis { begin: 0, step: 5 * MINUTE, count: 288 });
    let mut expected: BTreeMap<(&str, usize), (u64, u64)> = BTreeMap::new();
    for row in &rows {
        let cell = expected.entry((&row.device, (row.at / 3) as usize)).or_default();
        cell.0 += 1;
        cell.1 += u64::from(row.is_anomaly());
    }
    let names: Vec<&str> = course.devices.iter().map(|device| device.name.as_str()).collect();
    assert_eq!(names, ["pump-2", "pump-3", "pump-4", "pump-5", "pump-6", "pump-7", "pump-8", "pump-9"]);
    for device in &course.devices {
        for (bin, cell) in device.cells.iter().enumerate() {
            assert_eq!((cell.windows, cell.alarms), expected[&(device.name.as_str(), bin)], "{} {bin}", device.name);
        }
    }
    let total: u64 = course.fleet.iter().map(|cell| cell.windows).sum();
    assert_eq!((total, course.stray), (rows.len() as u64, 0));
    // Of the six worst devices both sensors, the one with anomalies first.
    let lines: Vec<(&str, Option<&str>)> =
        course.lines.iter().map(|line| (line.device.as_str(), line.sensor.as_deref())).collect();
    assert_eq!(lines.len(), 12);
    assert_eq!(lines[..2], [("pump-2", Some("flow")), ("pump-2", Some("temperature"))]);
    assert_eq!(course.lines[0].bins[7].mean(), Some(20.25));
    assert_eq!(course.lines[0].bins[7].range, Some((19.25, 21.25)));
    let scored = rows.iter().filter(|row| row.severity.is_some()).count() as u64;
    assert_eq!(course.scores.bins.iter().map(|[normal, alarms]| normal + alarms).sum::<u64>(), scored);
    let worst = course.alarms[0].as_ref().expect("an alarm");
    assert_eq!((worst.device.as_str(), worst.start), ("pump-9", 279 * 5 * MINUTE));
}

#[test]
fn alarms_are_held_against_labels_by_kind() {
    let folder = tempfile::tempdir().expect("a folder");
    let severity = |at: i64| if [10, 11, 20, 40].contains(&at) { 2.0 } else { 0.0 };
    let rows: Vec<Given> = (0..60).map(|at| Given::new("a", "s", at, severity(at))).collect();
    predictions(folder.path(), "a", &rows);
    let labels = folder.path().join("truth.csv");
    let time = |minutes: i64| wall::text(minutes * MINUTE);
    // Windows 9 to 12, found at the end of 10; none of window 30; another sensor's; and one of which there are no windows.
    let lines = [
        format!("a,s,drift,{},{}", time(47), time(62)),
        format!("a,s,drift,{},{}", time(151), time(152)),
        format!("a,other,stuck,{},{}", time(101), time(102)),
        format!(",,stuck,{},{}", time(201), time(202)),
    ];
    fs::write(&labels, format!("device,sensor,kind,start,end\n{}\n", lines.join("\n"))).expect("a file");
    let labels = [labels.display().to_string()];
    let (figures, page) = report(folder.path(), &Asked { labels: &labels, ..EVERYTHING }).expect("a report");
    // Of four alarms, 10, 11 and 40 touch a stretch; of four stretches two were found.
    assert_eq!((&figures["precision"], &figures["recall"]), (&json!(0.75), &json!(0.5)));
    assert_eq!((&figures["labelled"], &figures["labelled_unseen"]), (&json!(4), &json!(1)));
    let truth = Truth::read(&labels, None, None).expect("labels");
    assert!(!truth.is_empty());
    for expected in [
        "<b>Precision</b> 75.0 %: 3 of 4 anomalous windows touch a labelled fault, 1 does not.",
        ">drift</th><td class=\"number\">2</td><td class=\"number\">1</td>",
        ">stuck</th><td class=\"number\">2 <span class=\"faint\">(1 without any window)</span></td>",
        // From minute 47 to the end of window 10.
        "<td class=\"number\">8 min</td>",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
}

#[test]
fn labels_of_another_year_or_sensor_are_called_that() {
    let folder = tempfile::tempdir().expect("a folder");
    predictions(folder.path(), "a", &[Given::new("a", "s", 0, 2.0), Given::new("a", "s", 1, 0.0)]);
    let labels = folder.path().join("truth.csv");
    let said = |line: &str| {
        fs::write(&labels, format!("device,sensor,start,end\n{line}\n")).expect("a file");
        let order = Order {
            url: Some(&folder.path().display().to_string()),
            output: &folder.path().join("report.html"),
            labels: &[labels.display().to_string()],
            since: None,
            until: None,
            command: "atalaia report".into(),
        };
        let written = write(&order, &Config::default(), &Runtime::new().expect("a runtime")).expect("a report");
        (unseen(&written.gathered), written.summary())
    };
    let (doubt, summary) = said("a,s,1970-01-01T00:01:00Z,1970-01-01T00:02:00Z");
    assert_eq!(doubt, None);
    assert!(summary.ends_with("; precision 100.0 %, recall 100.0 %"), "{summary}");
    for line in ["a,s,1971-01-01T00:01:00Z,1971-01-01T00:02:00Z", "a,t,1970-01-01T00:01:00Z,1970-01-01T00:02:00Z"] {
        let (doubt, summary) = said(line);
        let doubt = doubt.expect("no window touches the label");
        assert!(doubt.contains("lie between 1970-01-01T00:00:00Z and 1970-01-01T00:10:00Z"), "{doubt}");
        assert!(summary.ends_with("; 1 of 1 labelled stretches touch no window"), "{summary}");
    }
}

#[test]
fn devices_of_the_labels_that_are_not_there_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    predictions(folder.path(), "a", &[Given::new("a", "s", 0, 2.0)]);
    let labels = folder.path().join("truth.csv");
    let lines: Vec<String> =
        ["a", "z", "b<"].iter().map(|device| format!("{device},s,1970-01-01T00:01:00Z,1970-01-01T00:02:00Z")).collect();
    fs::write(&labels, format!("device,sensor,start,end\n{}\n", lines.join("\n"))).expect("a file");
    let labels = [labels.display().to_string()];
    let (_, page) = report(folder.path(), &Asked { labels: &labels, ..EVERYTHING }).expect("a report");
    assert!(page.contains(">2 devices of the labels have no windows here: `b&lt;`, `z`.<"), "{page}");
}

#[test]
fn rows_of_labels_are_taken_as_stretches() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows: Vec<Given> = (0..20).map(|at| Given::new("a", "s", at, if at == 4 { 2.0 } else { 0.0 })).collect();
    predictions(folder.path(), "a", &rows);
    let labels = folder.path().join("rows.csv");
    let lines: String = (0..100)
        .map(|minute| format!("{},{}\n", wall::text(minute * MINUTE), i32::from((21..24).contains(&minute))))
        .collect();
    fs::write(&labels, format!("time,anomaly\n{lines}")).expect("a file");
    let labels = [format!("a={}", labels.display())];
    let (figures, _) = report(folder.path(), &Asked { labels: &labels, ..EVERYTHING }).expect("a report");
    assert_eq!((&figures["precision"], &figures["recall"]), (&json!(1.0), &json!(1.0)));
}

#[test]
fn a_dataset_of_any_kind_makes_a_sensible_page() {
    let one = vec![Given::new("a", "s", 3, 0.5)];
    let without_models: Vec<Given> =
        (0..5).map(|at| Given { severity: None, status: "no_model", ..Given::new("a", "s", at, 0.0) }).collect();
    let whole: Vec<Given> =
        (0..50).map(|at| Given { sensor: None, ..Given::new("a", "", at, at as f64 / 40.0) }).collect();
    let strayed: Vec<Given> =
        (0..5000).map(|n| Given::new("a", "s", if n == 0 { 0 } else { 10_000_000 + n }, 0.5)).collect();
    for (name, rows, expected) in [
        ("no rows", Vec::new(), "Nothing has closed yet, or every record was refused"),
        ("one row", one, "None of 1 window is an anomaly."),
        (
            "all anomalies",
            (0..40).map(|at| Given::new("a", "s", at, 5.0)).collect(),
            "<strong>40 of 40 windows</strong> (100.0 %) are anomalies",
        ),
        ("no models", without_models, "None of 5 windows was scored: no model for this series"),
        ("whole devices", whole, "severity above the model&#39;s threshold"),
        ("equal scores that are huge", (0..9).map(|at| Given::new("a", "s", at, 1e300)).collect(), "are anomalies"),
        ("a wrong clock", strayed, "1 window lies beyond the axes: the dataset goes from 1970-01-01 00:00"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        predictions(folder.path(), "a", &rows);
        let (figures, page) = report(folder.path(), &EVERYTHING).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        assert_eq!(figures["windows"], rows.len(), "{name}");
        assert!(page.replace('\'', "&#39;").contains(expected), "{name}: {expected}");
        assert!(page.len() < 2_000_000, "{name}: {} bytes", page.len());
    }
    let folder = tempfile::tempdir().expect("a folder");
    quarantine(folder.path(), &[("a_new_reason", 5, None, None)]);
    let (figures, page) = report(folder.path(), &EVERYTHING).expect("a report of refusals alone");
    assert_eq!((&figures["windows"], &figures["quarantined"]), (&json!(0), &json!(5)));
    assert!(page.contains("a new reason"));
}

#[test]
fn names_are_text_and_of_bounded_length() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = [
        "</script><script>alert(1)</script>".to_owned(),
        "\"'><img src=x onerror=alert(1)>&lt;".to_owned(),
        "' onload='alert(1)' x='".to_owned(),
        "a;b|c".to_owned(),
        "\u{202e}evil\u{0}\n".to_owned(),
        "x".repeat(100_000),
        String::new(),
    ];
    let row = |name: &String| {
        (0..20).map(|at| Given::new(name, name, at, if at % 4 == 0 { 3.0 } else { 0.0 })).collect::<Vec<_>>()
    };
    predictions(folder.path(), "a", &names.iter().flat_map(row).collect::<Vec<_>>());
    late(folder.path(), &names.iter().map(|name| (name.as_str(), 1, name.as_str())).collect::<Vec<_>>());
    quarantine(
        folder.path(),
        &names.iter().map(|name| (name.as_str(), 1, Some(name.as_str()), None)).collect::<Vec<_>>(),
    );
    let labels = folder.path().join("labels.json");
    let stretch = |name: &String| json!({ "device": name, "kind": name, "from": "1970-01-01T00:01:00Z", "to": "1970-01-01T01:40:00Z" });
    fs::write(&labels, serde_json::Value::from_iter(names.iter().map(stretch)).to_string()).expect("a file");
    let labels = [labels.display().to_string()];
    let (figures, page) = report(folder.path(), &Asked { labels: &labels, ..EVERYTHING }).expect("a report");
    assert_eq!(figures["devices"], names.len());
    // `check_nesting` has found no element of theirs.
    for hostile in ["<img", "onload='", "\u{202e}", "\0", &"x".repeat(1000)] {
        assert!(!page.contains(hostile), "{hostile:?}");
    }
    assert!(page.contains("&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    // What a shell would take apart is quoted, what none takes has no command.
    assert!(page.contains("--device &#39;a;b|c&#39; --sensor &#39;a;b|c&#39; --window 1970-01-01T"));
    assert!(page.contains("no shell takes its name"));
}

#[test]
fn a_part_of_the_time_counts_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    predictions(folder.path(), "a", &(0..20).map(|at| Given::new("a", "s", at, at as f64)).collect::<Vec<_>>());
    late(folder.path(), &[("a", 5, "silence"), ("a", 50, "silence")]);
    let (since, until) = (Some(25 * MINUTE), Some(40 * MINUTE));
    let (figures, page) = report(folder.path(), &Asked { since, until, ..EVERYTHING }).expect("a report");
    assert_eq!((&figures["windows"], &figures["late"]), (&json!(3), &json!(0)));
    assert!(page.contains("Only windows from 1970-01-01 00:25 to 1970-01-01 00:40 UTC count."));
    let (figures, page) = report(folder.path(), &Asked { since: Some(900 * MINUTE), ..EVERYTHING }).expect("a report");
    assert_eq!(figures["windows"], 0);
    assert!(page.contains("without <code>--since</code>"));
}

#[test]
fn a_dataset_is_found_by_its_folder_or_by_that_of_predictions() {
    let folder = tempfile::tempdir().expect("a folder");
    predictions(folder.path(), "a", &[Given::new("a", "s", 0, 0.0)]);
    late(folder.path(), &[("a", 0, "silence")]);
    let below = |name: &str| Some(folder.path().join(name).display().to_string());
    let (figures, _) = report(folder.path(), &Asked { url: below("predictions/"), ..EVERYTHING }).expect("a report");
    assert_eq!((&figures["windows"], &figures["late"]), (&json!(1), &json!(1)));
    // Of another name, without neighbours.
    fs::rename(folder.path().join("predictions"), folder.path().join("compacted")).expect("renamed");
    let (figures, _) = report(folder.path(), &Asked { url: below("compacted"), ..EVERYTHING }).expect("a report");
    assert_eq!((&figures["windows"], &figures["late"]), (&json!(1), &json!(0)));
    fs::create_dir(folder.path().join("nothing")).expect("a folder");
    for name in ["nothing", "absent"] {
        let error = report(folder.path(), &Asked { url: below(name), ..EVERYTHING }).expect_err(name);
        let told = format!("{error:#}");
        assert!(told.contains(name) && (told.contains("no Parquet file") || told.contains("does not exist")), "{told}");
    }
}
