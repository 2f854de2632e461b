//! What becomes of each cell of a wide record, and how numbers and times may be written.

use super::*;

/// Fields that give neither a reading nor a reject, and why.
fn ignored(decoder: &mut Decoder, record: &str) -> String {
    let Decoded::Many(many) = decoder.decode(record.as_bytes()) else { panic!("no wide record: {record}") };
    assert_eq!(many.ignored_whys().collect::<Vec<_>>(), many.ignored().map(|(_, why)| why).collect::<Vec<_>>());
    many.ignored().map(|(name, why)| format!("{name}:{} ", why.as_str())).collect::<String>().trim_end().to_owned()
}

#[test]
fn wide_rows_without_a_list() {
    let mut free = wide(&[]);
    let row = |rest: &str| format!(r#"{{"device":7,"ts":1514764800{rest}}}"#);
    let advice = "; no sensor? name it in `ignore`, or list `sensors`";
    check(&mut free, &row(r#","b":1,"c":"2","a":-2.5,"n":null"#), &[("b", 1.0), ("c", 2.0), ("a", -2.5)], &[]);
    check(
        &mut free,
        &row(r#","b":1,"note":"ok","t":true,"o":{"p":1}"#),
        &[("b", 1.0)],
        &[
            &format!("bad_value: `note` is `ok`: not a finite number{advice}"),
            &format!("bad_value: `t` is a boolean, not a number{advice}"),
            &format!("bad_value: `o` is an object, not a number{advice}"),
        ],
    );
    check(
        &mut free,
        &row(r#","a":1,"b":2,"\u0061":3,"b":"off""#),
        &[("a", 3.0)],
        &[&format!("bad_value: `b` is `off`: not a finite number{advice}")],
    );
    check(&mut free, &row(r#","a":null"#), &[], &[]);
    check(
        &mut free,
        &row(r#","a":1e999,"b":1"#),
        &[("b", 1.0)],
        &[&format!("bad_value: `a` is `1e999`: not a finite number{advice}")],
    );
    check(&mut free, &row(""), &[], &["missing_field: no field besides device and time is a sensor"]);
    assert_eq!(
        ignored(&mut free, &row(r#","a":null,"b":" ","c":1,"c":2,"\ud83c":5"#)),
        r"c:repeated \ud83c:nameless a:empty b:empty"
    );
}

#[test]
fn what_is_ignored_is_told_of_whole_records_only() {
    let ignore = vec!["note".to_owned(), "o".to_owned()];
    let mut free = decoder(Config { shape: Shape::Wide, ignore, ..Config::default() });
    let row = |rest: &str| format!(r#"{{"device":7,"ts":1514764800{rest}}}"#);
    check(&mut free, &row(r#","a":1,"note":"ok","o":{"p":[1]}"#), &[("a", 1.0)], &[]);
    assert_eq!(ignored(&mut free, &row(r#","a":1,"n\u006fte":"ok","o":{"p":[1]}"#)), "note:ignore o:ignore");
    // The second element has no time: it is refused with all that it holds.
    let array = format!(r#"[{},{{"device":7,"note":"x"}},{}]"#, row(r#","a":1,"note":"ok""#), row(r#","a":null"#));
    assert_eq!(ignored(&mut free, &array), "note:ignore a:empty");
    let mut listed = wide(&["a", "b"]);
    assert_eq!(ignored(&mut listed, &row(r#","a":1,"b":"","x":1,"a":2"#)), "x:unlisted a:repeated b:empty");
}

#[test]
fn a_device_or_time_that_comes_twice_and_what_stands_beside_it_are_told() {
    let mut free = wide(&[]);
    let twice = r#"{"device":7,"ts":1514764800,"a":1,"device":8,"ts":1514764801,"device":9}"#;
    assert_eq!(ignored(&mut free, twice), "device:repeated ts:repeated device:repeated");
    let inner = Config { shape: Shape::Wide, device: "meta.id".into(), ..Config::default() };
    let mut inner = decoder(inner);
    let row = r#"{"meta":{"id":7,"site":{"x":1},"fw":2},"ts":1514764800,"a":1}"#;
    check(&mut inner, row, &[("a", 1.0)], &[]);
    assert_eq!(ignored(&mut inner, row), "site:nested fw:nested");
    let again = r#"{"meta":{"id":7},"ts":1514764800,"a":1,"meta":{"id":7}}"#;
    assert_eq!(ignored(&mut inner, again), "meta:repeated");
}

#[test]
fn decimal_commas() {
    let columns: Vec<String> = ["device", "ts", "temp", "flow"].map(str::to_owned).to_vec();
    let csv = Config { format: Format::Csv, shape: Shape::Wide, delimiter: ';', columns, ..Config::default() };
    let mut comma = decoder(Config { decimal: ',', ..csv.clone() });
    check(&mut comma, "d;2018-01-01 00:00:00;21,5;-3", &[("temp", 21.5), ("flow", -3.0)], &[]);
    check(
        &mut comma,
        "d;2018-01-01 00:00:00;1.234;1.234,5",
        &[],
        &[
            "bad_value: `temp` is `1.234`: not a finite number; `decimal` is `,`",
            "bad_value: `flow` is `1.234,5`: not a finite number; no sensor? name it in `ignore`, or list `sensors`",
        ],
    );
    check(
        &mut decoder(csv),
        "d;2018-01-01 00:00:00;21,5;1",
        &[("flow", 1.0)],
        &["bad_value: `temp` is `21,5`: not a finite number; with a decimal comma? set `decimal = \",\"`"],
    );
    // Texts of JSON, also by the fast path; its own numbers keep their point.
    let mut json = decoder(Config { decimal: ',', ..Config::default() });
    for value in ["21.5", "\"21,5\"", "\"21,5\"", "21.5"] {
        let record = format!(r#"{{"device":"d","sensor":"s","ts":1514764800,"value":{value}}}"#);
        check(&mut json, &record, &[("s", 21.5)], &[]);
    }
}

#[test]
fn times_by_a_format() {
    let mut long = decoder(Config { time_format: Some("%d.%m.%Y %H:%M".into()), ..Config::default() });
    let record = |time: &str| format!(r#"{{"device":"d","sensor":"s","ts":{time},"value":1}}"#);
    for time in ["\"05.01.2026 06:00\"", "\"05.01.2026 06:00\"", "1767592800"] {
        let (read, _) = owned(&long.decode(record(time).as_bytes()));
        assert_eq!(read.expect("a reading")[0].3, 1_767_592_800_000_000, "{time}");
    }
    let detail = "bad_time: `ts` is `2026-01-05T06:00:00Z`: not written as `time_format` says";
    check(&mut long, &record("\"2026-01-05T06:00:00Z\""), &[], &[detail]);
}

#[test]
fn wide_csv_rows() {
    let columns: Vec<String> = ["device", "ts", "temp", "flow", "note"].map(str::to_owned).to_vec();
    let csv = Config { format: Format::Csv, shape: Shape::Wide, columns, ..Config::default() };
    let mut free = decoder(csv.clone());
    check(
        &mut free,
        "d,2018-01-01 00:00:00,1,,ok\r\n",
        &[("temp", 1.0)],
        &["bad_value: `note` is `ok`: not a finite number; no sensor? name it in `ignore`, or list `sensors`"],
    );
    assert_eq!(ignored(&mut free, "d,2018-01-01 00:00:00,1, \t,"), "flow:empty note:empty");
    assert_eq!(ignored(&mut free, "d,2018-01-01 00:00:00,1"), "flow:empty note:empty");
    assert_eq!(ignored(&mut free, "d,2018-01-01 00:00:00,1,2,3,,"), ":nameless :nameless");
    let mut ignoring = decoder(Config { ignore: vec!["note".into()], ..csv.clone() });
    check(&mut ignoring, "d,2018-01-01 00:00:00,1,2,ok", &[("temp", 1.0), ("flow", 2.0)], &[]);
    assert_eq!(ignored(&mut ignoring, "d,2018-01-01 00:00:00,1,,ok"), "note:ignore flow:empty");
    let mut listed = decoder(Config { sensors: vec!["flow".into(), "temp".into()], ..csv });
    check(
        &mut listed,
        "d,2018-01-01 00:00:00,NaN,2,ok",
        &[("flow", 2.0)],
        &["bad_value: `temp` is `NaN`: not a finite number"],
    );
    check(&mut listed, "d,2018-01-01 00:00:00,,", &[], &[]);
    assert_eq!(ignored(&mut listed, "d,2018-01-01 00:00:00,,1,ok"), "note:unlisted temp:empty");
    assert_eq!(ignored(&mut listed, "d,2018-01-01 00:00:00,1"), "flow:empty");
    check(&mut listed, "d,2018-01-01 00:00:00", &[], &["missing_field: none of the listed sensors is there"]);
    check(&mut listed, "d,2018-01-01 00:00:00,1,2,ok,", &[("flow", 2.0), ("temp", 1.0)], &[]);
    check(&mut listed, "d,2018-01-01 00:00:00,1,2,ok,3", &[], &["invalid_csv: 6 fields, but 5 columns"]);
    check(&mut listed, "d,2018-01-01 00:00:00,\"1\"2", &[], &["invalid_csv: text after a closing quote at byte 25"]);
    check(&mut listed, "d,2018-01-01 00:00:00,1\nd", &[], &["invalid_csv: a second line at byte 23"]);
}

/// Readings, rejects and ignored cells of a record; none if it is refused as a whole.
fn accounts(decoder: &mut Decoder, record: &str) -> Option<usize> {
    match decoder.decode(record.as_bytes()) {
        Decoded::Many(many) => Some(many.len() + many.rejects().len() + many.ignored().len()),
        Decoded::Reject(reject) => {
            assert_eq!(reject.reason, Reason::MissingField, "{record}: {}", reject.detail);
            None
        }
        Decoded::One(_) => panic!("a wide record is no single reading: {record}"),
    }
}

/// All sensors, some that are none, and some that are.
fn ways(config: &Config) -> [Config; 3] {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    [
        config.clone(),
        Config { ignore: names(&["x"]), ..config.clone() },
        Config { sensors: names(&["a", "b"]), ..config.clone() },
    ]
}

proptest! {
    /// Every field is a reading, refused, or ignored with a reason: none vanishes.
    #[test]
    fn accounts_of_fields_add_up(
        fields in prop::collection::vec(
            (
                prop::sample::select(vec!["a", "b", "c", "", "x", "\\u0061", "\\ud83c"]),
                prop::sample::select(vec!["1", "\"2\"", "\"\"", "\" \"", "null", "true", "[1,{}]", "\"ok\"", "{\"a\":1}", "1e999"]),
            ),
            0..9,
        ),
    ) {
        let inner: String = fields.iter().map(|(name, value)| format!(",\"{name}\":{value}")).collect();
        let record = format!("{{\"device\":\"d\",\"ts\":1514764800{inner}}}");
        for config in ways(&Config { shape: Shape::Wide, ..Config::default() }) {
            let found = accounts(&mut decoder(config), &record);
            prop_assert!(found.is_none_or(|found| found == fields.len()), "{}: {:?}", record, found);
        }
    }

    #[test]
    fn accounts_of_cells_add_up(
        cells in prop::collection::vec(prop::sample::select(vec!["1", "", " ", "ok", "\"2\"", "1;5", "NaN"]), 0..5),
        surplus in 0_usize..3,
    ) {
        let columns: Vec<String> = ["device", "ts", "a", "b", "", "x"].map(str::to_owned).to_vec();
        let csv = Config { format: Format::Csv, shape: Shape::Wide, columns, ..Config::default() };
        let more = if cells.len() == 4 { surplus } else { 0 };
        let row = format!("d,1514764800{}{}", cells.iter().map(|cell| format!(",{cell}")).collect::<String>(), ",".repeat(more));
        for (config, sensors) in ways(&csv).into_iter().zip([&[0, 1, 3][..], &[0, 1], &[0, 1]]) {
            // Sensors that the row ends before count as empty.
            let expected = cells.len() + more + sensors.iter().filter(|at| **at >= cells.len()).count();
            let found = accounts(&mut decoder(config), &row);
            prop_assert!(found.is_none_or(|found| found == expected), "{}: {:?}, not {}", row, found, expected);
        }
    }
}
