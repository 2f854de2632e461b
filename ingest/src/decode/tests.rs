//! Laws of the decoder, and the rules that a single case shows best.

use proptest::prelude::*;
use types::Reason;

use super::*;

mod cells;

type Owned = Result<Vec<(u32, String, String, i64, u64)>, Reason>;

fn owned(decoded: &Decoded<'_>) -> (Owned, Vec<(u32, Reject)>) {
    let reading = |(index, reading): (u32, Reading<'_>)| {
        (index, reading.device.to_owned(), reading.sensor.to_owned(), reading.time, reading.value.to_bits())
    };
    match decoded {
        Decoded::One(one) => (Ok(vec![reading((0, *one))]), Vec::new()),
        Decoded::Many(many) => (Ok(many.iter().map(reading).collect()), many.rejects().to_vec()),
        Decoded::Reject(reject) => (Err(reject.reason), vec![(0, reject.clone())]),
    }
}

fn decoder(config: Config) -> Decoder {
    Decoder::new(&config).expect("a configuration")
}

fn wide(sensors: &[&str]) -> Decoder {
    decoder(Config {
        shape: Shape::Wide,
        sensors: sensors.iter().map(ToString::to_string).collect(),
        ..Config::default()
    })
}

fn check(decoder: &mut Decoder, record: &str, readings: &[(&str, f64)], rejects: &[&str]) {
    let (read, refused) = owned(&decoder.decode(record.as_bytes()));
    let read: Vec<_> = read.unwrap_or_default().into_iter().map(|(_, _, s, _, v)| (s, f64::from_bits(v))).collect();
    let expected: Vec<_> = readings.iter().map(|(sensor, value)| ((*sensor).to_owned(), *value)).collect();
    assert_eq!(read, expected, "{record}");
    let details: Vec<_> =
        refused.iter().map(|(_, reject)| format!("{}: {}", reject.reason.as_str(), reject.detail)).collect();
    assert_eq!(details, rejects, "{record}");
}

#[test]
fn rejects_say_what_and_where() {
    let mut long = decoder(Config::default());
    for (record, message) in [
        (
            r#"{"device":"d","sensor":"s","ts":"2018-13-01T00:00:00Z","value":1}"#,
            "bad_time: `ts` is `2018-13-01T00:00:00Z`: no such date",
        ),
        (
            r#"{"device":"d","sensor":"s","ts":"2018-01-01T00:00:00Z","value":"warm"}"#,
            "bad_value: `value` is `warm`: not a finite number",
        ),
        (
            r#"{"device":true,"sensor":"s","ts":"2018-01-01T00:00:00Z","value":1}"#,
            "wrong_type: `device` is a boolean, not a text",
        ),
        (r#"{"sensor":"s","ts":"2018-01-01T00:00:00Z","value":1}"#, "missing_field: `device` is absent"),
        (r#"{"device":"d",}"#, "invalid_json: expected a field's name at byte 14"),
        ("5", "wrong_type: the record is a number, not an object"),
        (" ", "empty: only blanks"),
    ] {
        check(&mut long, record, &[], &[message]);
    }
}

#[test]
fn the_last_of_two_fields_counts() {
    let mut long = decoder(Config { device: "body.id".into(), ..Config::default() });
    let record =
        r#"{"body":{"id":"a"},"sensor":"s","ts":"2018-01-01T00:00:00Z","value":1,"value":2,"body":{"id":"b"}}"#;
    assert!(matches!(long.decode(record.as_bytes()), Decoded::One(one) if one.device == "b" && one.value == 2.0));
    let record = r#"{"body":{"id":"a"},"sensor":"s","ts":"2018-01-01T00:00:00Z","value":1,"body":{}}"#;
    check(&mut long, record, &[], &["missing_field: `body.id` is absent"]);
}

#[test]
fn wide_rows_with_a_list() {
    let mut listed = wide(&["temp", "flow"]);
    let row = |rest: &str| format!(r#"{{"device":"d","ts":"2018-01-01T00:00:00Z"{rest}}}"#);
    check(&mut listed, &row(r#","flow":2,"temp":"1","x":3"#), &[("temp", 1.0), ("flow", 2.0)], &[]);
    check(&mut listed, &row(r#","flow":null"#), &[], &[]);
    check(
        &mut listed,
        &row(r#","flow":[1],"temp":1"#),
        &[("temp", 1.0)],
        &["wrong_type: `flow` is an array, not a number"],
    );
    check(&mut listed, &row(""), &[], &["missing_field: none of the listed sensors is there"]);
    check(&mut listed, &row(r#","t\u0065mp":1,"temp":2"#), &[("temp", 2.0)], &[]);
    check(
        &mut listed,
        &format!("[{},5,{}]", row(r#","flow":2"#), row("")),
        &[("flow", 2.0)],
        &["wrong_type: an element is a number, not an object", "missing_field: none of the listed sensors is there"],
    );
}

#[test]
fn limits() {
    let mut small =
        decoder(Config { record_bytes_max: 70, fields_max: 4, depth_max: 2, id_bytes_max: 3, ..Config::default() });
    let record = r#"{"device":"d","sensor":"s","ts":1514764800,"value":1}"#;
    check(&mut small, record, &[("s", 1.0)], &[]);
    check(&mut small, &format!("[{record}]"), &[("s", 1.0)], &[]);
    check(&mut small, &format!("{record:<71}"), &[], &["too_large: 71 bytes or more, the most is 70"]);
    check(&mut small, &format!("[[{{{}", " "), &[], &["too_deep: nested too deeply at byte 2"]);
    check(&mut small, r#"{"a":1,"b":1,"c":{"d":1,"e":1}}"#, &[], &["too_many_fields: too many fields at byte 24"]);
    for length in [3, 4] {
        let record = format!(r#"{{"device":"{}","sensor":"s","ts":1514764800,"value":1}}"#, "d".repeat(length));
        let rejects: &[&str] = if length == 3 { &[] } else { &["id_too_long: `device` has 4 bytes, more than 3"] };
        check(&mut small, &record, if length == 3 { &[("s", 1.0)] } else { &[] }, rejects);
    }
}

/// Records that producers send, which the laws then damage.
fn producers() -> impl Strategy<Value = String> {
    let id = prop_oneof![
        "[a-z]{1,6}-[0-9]{1,4}",
        Just("ä \\\"7\\\"".to_owned()),
        Just(String::new()),
        Just("\\ud83c".to_owned())
    ];
    let time = prop_oneof![
        (0_i64..4_000_000_000_000_000)
            .prop_map(|t| format!("\"{}\"", jiff::Timestamp::from_microsecond(t).expect("a time"))),
        (0_i64..4_000_000_000_000).prop_map(|t| t.to_string()),
        Just("\"2018-02-30T00:00:00Z\"".to_owned()),
    ];
    let value = prop_oneof![
        any::<f64>().prop_map(|v| format!("{v:?}")),
        (-1000_i32..1000).prop_map(|v| format!("\"{v}\"")),
        Just("1e999".to_owned()),
        Just("null".to_owned()),
    ];
    let form = prop::sample::select(vec![
        r#"{"device":"D","sensor":"s","ts":T,"value":V}"#,
        r#"{"device": "D", "sensor": "D", "ts": T, "value": V}"#,
        r#"{"value":V,"ts":T,"sensor":"temp","device":"D","x":[1,{"y":"z"}],"ok":true}"#,
        r#"{"device":7,"sensor":"s","ts":T,"value":V,"value":V}"#,
        r#"[{"device":"D","sensor":"s","ts":T,"value":V},{"device":"D","sensor":"s","ts":T,"value":V}]"#,
    ]);
    (form, id, time, value)
        .prop_map(|(form, id, time, value)| form.replace('D', &id).replace('T', &time).replace('V', &value))
}

#[derive(Debug, Clone)]
struct Damage {
    at: prop::sample::Index,
    cut: usize,
    insert: Vec<u8>,
}

fn damage() -> impl Strategy<Value = Damage> {
    let pieces: Vec<&[u8]> = vec![
        b"", b"\"", b"\\", b",", b"{", b"}", b"[", b"]", b":", b" ", b"0", b"-", b"e", b"\xff", b"\x00", b"\\u00e9",
        b"null",
    ];
    let insert = prop::sample::select(pieces).prop_map(<[u8]>::to_vec);
    (any::<prop::sample::Index>(), 0_usize..3, insert).prop_map(|(at, cut, insert)| Damage { at, cut, insert })
}

fn damaged(record: &str, damages: &[Damage]) -> Vec<u8> {
    let mut bytes = record.as_bytes().to_vec();
    for Damage { at, cut, insert } in damages.iter().filter(|_| !record.is_empty()) {
        let at = at.index(bytes.len() + 1);
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, insert.iter().copied());
    }
    bytes
}

fn configs() -> Vec<Config> {
    let columns = ["device", "sensor", "ts", "value"].map(str::to_owned).to_vec();
    vec![
        Config::default(),
        Config { id_bytes_max: 5, fields_max: 5, ..Config::default() },
        Config { shape: Shape::Wide, ..Config::default() },
        Config { shape: Shape::Wide, sensors: vec!["value".into(), "s".into()], ..Config::default() },
        Config { format: Format::Csv, columns: columns.clone(), ..Config::default() },
        Config { format: Format::Csv, shape: Shape::Wide, columns, ..Config::default() },
        Config { shape: Shape::Wide, ignore: vec!["x".into(), "value".into()], ..Config::default() },
        Config { decimal: ',', time_format: Some("%Y-%m-%dT%H:%M:%S%z".into()), ..Config::default() },
    ]
}

/// A record's parts, and the payload that holds those of them that are asked for.
#[derive(Debug, Clone)]
struct Parts {
    device: String,
    time: String,
    value: String,
}

impl Parts {
    /// A payload without the device, without the time, or with both.
    fn payload(&self, form: usize, format: Format, has: [bool; 2]) -> String {
        let Parts { device, time, value } = self;
        let text = |text: &str| serde_json::to_string(text).expect("JSON");
        let pair = |is_there: bool, key: &str, part: &str| {
            if is_there { format!(r#""{key}":{},"#, text(part)) } else { String::new() }
        };
        let object = |value: &str| {
            let (device, time) = (pair(has[0], "device", device), pair(has[1], "ts", time));
            match form {
                0 => format!(r#"{{{device}{time}"sensor":"s","value":{value}}}"#),
                _ => format!(r#"{{"value":{value},{time}"sensor":"s",{device}"n":[1,"x"],"flow":7}}"#),
            }
        };
        let quoted = |text: &str| format!("\"{}\",", text.replace('"', "\"\""));
        let cell = |is_there: bool, part: &str| if is_there { quoted(part) } else { String::new() };
        match (format, form) {
            (Format::Csv, _) => format!("{}s,{}{value}", cell(has[0], device), cell(has[1], time)),
            (_, 2) => format!("[{},{},5]", object(value), object("2")),
            _ => object(value),
        }
    }
}

fn parts() -> impl Strategy<Value = Parts> {
    let device = prop_oneof![
        4 => "[a-z]{1,6}-[0-9]{1,4}",
        1 => "[\"\\\\ ,äß🌡\n]{1,6}",
        1 => Just(String::new()),
        1 => Just("d".repeat(30))
    ];
    let time = prop_oneof![
        4 => (0_i64..4_000_000_000_000_000).prop_map(|t| jiff::Timestamp::from_microsecond(t).expect("a time").to_string()),
        2 => (100_000_000_i64..4_000_000_000_000).prop_map(|t| t.to_string()),
        1 => Just("2018-02-30T00:00:00Z".to_owned()),
    ];
    let value = prop_oneof![4 => any::<f32>().prop_map(|v| format!("{v:?}")), 1 => Just("\"7\"".to_owned())];
    (device, time, value).prop_map(|(device, time, value)| Parts { device, time, value })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for config in configs() {
            decoder(config).decode(&bytes);
        }
    }

    /// The law that lets the fast path be: it changes the speed, never the outcome.
    #[test]
    fn the_fast_path_agrees_with_the_full_parser(
        records in prop::collection::vec((producers(), prop_oneof![3 => Just(Vec::new()), 2 => prop::collection::vec(damage(), 1..3)]), 1..12)
    ) {
        for config in configs() {
            let mut fast = decoder(config.clone());
            for (record, damages) in &records {
                let record = damaged(record, damages);
                let ours = owned(&fast.decode(&record));
                let mut full = decoder(config.clone());
                let theirs = match std::str::from_utf8(&record) {
                    Ok(record) => owned(&full.decode_fully(record, Given::default(), None)),
                    Err(_) => owned(&full.decode(&record)),
                };
                prop_assert_eq!(ours, theirs);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Where a part stands makes no difference to what is read: inside the payload, or given with it.
    #[test]
    fn parts_outside_the_payload_are_read_as_those_inside(
        records in prop::collection::vec((parts(), 0_usize..3), 1..12),
        wide in any::<bool>(), csv in any::<bool>(), outside in prop::sample::select(vec![[true, false], [false, true], [true, true]])
    ) {
        let columns = |has: [bool; 2]| -> Vec<String> {
            [("device", has[0]), ("sensor", true), ("ts", has[1]), ("value", true)]
                .iter().filter(|(_, is_there)| *is_there).map(|(name, _)| (*name).to_owned()).collect()
        };
        let inside = Config {
            format: if csv { Format::Csv } else { Format::Json },
            shape: if wide { Shape::Wide } else { Shape::Long },
            columns: columns([true; 2]),
            id_bytes_max: 20,
            ..Config::default()
        };
        let has = outside.map(|is_outside| !is_outside);
        let mut given = decoder(Config {
            device_property: outside[0].then(|| "id".to_owned()),
            time_property: outside[1].then(|| "at".to_owned()),
            columns: columns(has),
            ..inside.clone()
        });
        let mut whole = decoder(inside.clone());
        for (parts, form) in &records {
            let full = parts.payload(*form, inside.format, [true; 2]);
            let (theirs, refused) = owned(&whole.decode(full.as_bytes()));
            let payload = parts.payload(*form, inside.format, has);
            let parts_given = Given { device: outside[0].then_some(&parts.device), time: outside[1].then_some(&parts.time) };
            match owned(&given.decode_given(payload.as_bytes(), parts_given)) {
                // What is wrong outside is wrong for all elements, and said once; before what is wrong inside.
                (Err(reason), _) if theirs.is_ok() => {
                    prop_assert_eq!(theirs.expect("an array").len(), 0);
                    prop_assert!(has != [false; 2] || reason == refused.first().expect("a reject").1.reason);
                }
                (Err(_), _) if has != [false; 2] => prop_assert!(theirs.is_err()),
                (ours, _) => prop_assert_eq!(ours, theirs, "{} {}", full, payload),
            }
        }
    }
}

#[test]
fn parts_outside_the_payload_are_refused_by_their_property() {
    let mut given = decoder(Config {
        device_property: Some("id".into()),
        time_property: Some("at".into()),
        id_bytes_max: 3,
        ..Config::default()
    });
    let record = br#"{"device":5,"ts":"never","sensor":"s","value":1}"#;
    let time = Some("2018-01-01T00:00:00Z");
    for (device, time, message) in [
        (None, time, "missing_field: the record has no property `id`"),
        (Some(""), time, "missing_field: the property `id` is empty"),
        (Some("four"), time, "id_too_long: the property `id` has 4 bytes, more than 3"),
        (Some("d"), None, "missing_field: the record has no property `at`"),
        (Some("d"), Some("2018"), "bad_time: the property `at` is `2018`: "),
    ] {
        let (_, refused) = owned(&given.decode_given(record, Given { device, time }));
        let [(0, reject)] = &refused[..] else { panic!("{refused:?}") };
        let said = format!("{}: {}", reject.reason.as_str(), reject.detail);
        assert!(said.starts_with(message), "{said}");
    }
    for n in 0..10 {
        let learned =
            given.templates.read::<true>(&given.plan, r#"{"device":5,"ts":"never","sensor":"s","value":1}"#, Some(0));
        assert_eq!(learned.is_some(), n > 0, "such records take the fast path");
        let (read, _) = owned(&given.decode_given(record, Given { device: Some("d"), time }));
        assert_eq!(read, Ok(vec![(0, "d".into(), "s".into(), 1_514_764_800_000_000, 1_f64.to_bits())]));
    }
}

/// So that the law above is not met by a fast path that never takes anything.
#[test]
fn records_of_one_producer_take_the_fast_path() {
    let mut decoder = decoder(Config::default());
    let record = |n: u32| {
        format!(
            r#"{{"device":"dev-{n}","sensor":"temp","ts":"2024-01-01T00:00:00.{n:03}Z","value":{n}.5,"x":[1,"a"]}}"#
        )
    };
    for n in 0..100 {
        let record = record(n);
        let fast = decoder.templates.read::<false>(&decoder.plan, &record, None).is_some();
        assert_eq!(fast, n > 0);
        assert!(matches!(decoder.decode(record.as_bytes()), Decoded::One(one) if one.value == f64::from(n) + 0.5));
    }
}

/// One machine's own export: a table of its sensors, without a word on whose they are.
#[test]
fn records_of_a_single_device_need_not_name_it() {
    let of_pump = |config: Config| decoder(Config { device_name: Some("pump".into()), ..config });
    let mut table = of_pump(Config {
        format: Format::Csv,
        shape: Shape::Wide,
        time: "datetime".into(),
        columns: ["datetime", "temp", "flow"].map(String::from).to_vec(),
        delimiter: ';',
        ..Config::default()
    });
    let mut lines = of_pump(Config::default());
    let time = 1_583_748_873_000_000;
    let value = |text: f64| text.to_bits();
    for _ in 0..3 {
        let (read, _) = owned(&table.decode(b"2020-03-09 10:14:33;79.5;32\r\n"));
        let expected = [(0, "temp", 79.5), (1, "flow", 32.0)];
        assert_eq!(read.expect("a row"), expected.map(|(at, s, v)| (at, "pump".into(), s.into(), time, value(v))));
        // Also where there is such a field: it is not read.
        for record in
            [r#"{"sensor":"s","ts":1583748873,"value":1}"#, r#"{"device":true,"sensor":"s","ts":1583748873,"value":1}"#]
        {
            let (read, _) = owned(&lines.decode(record.as_bytes()));
            assert_eq!(read.expect(record), [(0, "pump".into(), "s".into(), time, value(1.0))]);
        }
    }
    let empty = Config { device_name: Some(String::new()), ..Config::default() };
    assert!(Decoder::new(&empty).is_err());
}
