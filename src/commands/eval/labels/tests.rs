//! Each form that labels come in, and what is refused.

use super::*;

const T0: Micros = 1_583_748_873_000_000;
const SECOND: Micros = 1_000_000;

fn whom(device: Option<&str>, sensor: Option<&str>) -> Whom {
    Whom { device: device.map(str::to_owned), sensor: sensor.map(str::to_owned) }
}

fn row(device: Option<&str>, sensor: Option<&str>, seconds: i64, is_anomaly: bool) -> LabelledRow {
    LabelledRow { whom: whom(device, sensor), time: T0 + seconds * SECOND, is_anomaly }
}

fn interval(device: Option<&str>, sensor: Option<&str>, from: i64, to: i64) -> Interval {
    Interval { whom: whom(device, sensor), kind: None, from: T0 + from * SECOND, to: T0 + to * SECOND }
}

fn parse(text: &str) -> Labels {
    Labels::parse(text, &Columns::default()).unwrap_or_else(|error| panic!("{error:#}: {text}"))
}

#[test]
fn rows_have_a_label_each() {
    for (text, expected) in [
        // As the Skoltech benchmark writes them.
        (
            "datetime;Pressure;Volume Flow RateRMS;anomaly;changepoint\r\n2020-03-09 10:14:33;0.05;32.0;0.0;0.0\r\n2020-03-09 10:14:34;0.38;32.0;1.0;1.0\r\n",
            vec![row(None, None, 0, false), row(None, None, 1, true)],
        ),
        (
            "Device,Sensor,Timestamp,Label\na,x,2020-03-09T10:14:33Z,false\n\"b, \"\"c\"\"\",y,2020-03-09T11:14:33.000+01:00,TRUE\n",
            vec![row(Some("a"), Some("x"), 0, false), row(Some("b, \"c\""), Some("y"), 0, true)],
        ),
        // Nothing is unknown; a row that names no device is of all.
        ("time\tdevice\tlabel\n1583748873\t\t1\n1583748874\ta\t\n", vec![row(None, None, 0, true)]),
    ] {
        assert_eq!(parse(text), Labels::Rows(expected), "{text}");
    }
}

#[test]
fn columns_of_other_names_are_chosen() {
    let columns =
        Columns { label_column: Some("changepoint".into()), time_column: Some("t".into()), ..Columns::default() };
    let labels = Labels::parse("t,anomaly,changepoint\n1583748873,0,1\n", &columns).expect("labels");
    assert_eq!(labels, Labels::Rows(vec![row(None, None, 0, true)]));
}

#[test]
fn intervals_come_in_csv_and_json() {
    for (text, expected) in [
        (
            "device,sensor,from,to\na,,2020-03-09 10:14:33,2020-03-09 10:14:35\n,x,1583748873,1583748874\n",
            vec![interval(Some("a"), None, 0, 2), interval(None, Some("x"), 0, 1)],
        ),
        ("start;end\n2020-03-09 10:14:33;2020-03-09 10:14:33\n", vec![interval(None, None, 0, 0)]),
        (
            r#"{"windows": [["2020-03-09 10:14:33.000000", "2020-03-09 10:14:35.000000"]], "anomalies": ["2020-03-09 10:14:34"]}"#,
            vec![interval(None, None, 0, 2)],
        ),
        // As the Numenta benchmark writes them: below file names, with and without `windows`.
        (
            r#"{"art/a.csv": [["2020-03-09 10:14:33", "2020-03-09 10:14:34"]], "b.csv": {"windows": []}}"#,
            vec![interval(Some("art/a.csv"), None, 0, 1)],
        ),
        (r#"[[1583748873, 1583748874]]"#, vec![interval(None, None, 0, 1)]),
        (
            r#"[{"device": "a", "sensor": null, "from": "2020-03-09T10:14:33Z", "to": 1583748874}]"#,
            vec![interval(Some("a"), None, 0, 1)],
        ),
    ] {
        assert_eq!(parse(text), Labels::Intervals(expected), "{text}");
    }
}

#[test]
fn intervals_may_say_what_went_wrong() {
    let drift = Interval { kind: Some("drift".into()), ..interval(Some("a"), Some("x"), 0, 2) };
    for text in [
        "device,sensor,kind,start,end\na,x,drift,2020-03-09T10:14:33Z,2020-03-09T10:14:35Z\na,x,,1583748873,1583748875\n",
        r#"[{"device": "a", "sensor": "x", "kind": "drift", "from": 1583748873, "to": 1583748875}, {"device": "a", "sensor": "x", "from": 1583748873, "to": 1583748875}]"#,
    ] {
        let expected = vec![drift.clone(), interval(Some("a"), Some("x"), 0, 2)];
        assert_eq!(parse(text), Labels::Intervals(expected), "{text}");
    }
}

#[test]
fn of_a_file_that_names_devices_one_device_takes_its_own() {
    let of = |text: &str, device: &str| parse(text).of_device(device);
    let all = r#"{"art/a.csv": [["2020-03-09 10:14:33", "2020-03-09 10:14:34"]], "b": [["2020-03-09 10:14:35", "2020-03-09 10:14:36"]]}"#;
    let rows = "time,device,label\n1583748873,a,1\n1583748874,b,0\n1583748875,,1\n";
    let one_file = r#"{"art/a.csv": [["2020-03-09 10:14:33", "2020-03-09 10:14:34"]]}"#;
    for (text, device, expected) in [
        (all, "a", Labels::Intervals(vec![interval(Some("a"), None, 0, 1)])),
        (all, "b", Labels::Intervals(vec![interval(Some("b"), None, 2, 3)])),
        (rows, "a", Labels::Rows(vec![row(Some("a"), None, 0, true), row(Some("a"), None, 2, true)])),
        ("time,label\n1583748873,1\n", "a", Labels::Rows(vec![row(Some("a"), None, 0, true)])),
        // A benchmark's name for the one file that was scored as `machine`.
        (one_file, "machine", Labels::Intervals(vec![interval(Some("machine"), None, 0, 1)])),
    ] {
        assert_eq!(of(text, device).expect("labels"), expected, "{text} {device}");
    }
    let refused = of(all, "c").expect_err("nothing about it").to_string();
    assert!(refused.contains("about `c`: it names 2 other devices, such as `art/a.csv`"), "{refused}");
}

#[test]
fn what_cannot_be_understood_is_named_with_its_line() {
    for (text, expected) in [
        ("", "it is empty"),
        ("a,b\n1,2\n", "its columns are `a`, `b`"),
        ("time,anomaly\n2020-03-09 10:14:33,maybe\n", "line 2: `maybe` is no label"),
        ("time,anomaly\n\n10:14,1\n", "line 3: `10:14` is no time"),
        ("time,anomaly\n2020-03-09 10:14:33\n", "line 2: 1 columns instead of 2"),
        ("from,to\n2020-03-09 10:14:35,2020-03-09 10:14:33\n", "ends before it begins"),
        (r#"{"windows": 3}"#, "a list of intervals is expected"),
        (r#"{"a": [["2020-03-09 10:14:35"]]}"#, "below `a`"),
        (r#"[{"from": "2020-03-09 10:14:35"}]"#, "an interval has no `to`"),
        ("{", "EOF"),
    ] {
        let error = Labels::parse(text, &Columns::default()).expect_err(text);
        assert!(format!("{error:#}").contains(expected), "{text}: {error:#}");
    }
    let columns = Columns { device_column: Some("machine".into()), ..Columns::default() };
    let error = Labels::parse("time,anomaly\n", &columns).expect_err("no such column");
    assert_eq!(error.to_string(), "there is no column `machine` for the device");
}
