//! What records show of themselves, and what is then advised.

use ingest::decode::Format;

use super::*;

#[track_caller]
fn says(decode: &Config, reason: Reason, detail: &str, payload: &str, words: &str) {
    let case = Case { reason: reason.as_str(), detail, payload: payload.as_bytes(), ahead: None };
    let said = remedy(&case, decode);
    assert!(said.contains(words), "`{words}` is missing in `{said}`");
}

#[test]
fn what_the_record_shows_is_said() {
    let json = Config::default();
    let csv = Config { format: Format::Csv, ..Config::default() };
    let unit = |time_unit| Config { time_unit, ..Config::default() };
    let absent = |name: &str| format!("`{name}` is absent");
    let record = r#"{"Device":"d","tag":"s","timestamp":1,"reading":2}"#;
    says(&json, Reason::InvalidJson, "at byte 0", "d,s,1,2", "format = \"csv\"");
    says(&json, Reason::InvalidJson, "at byte 0", "noise", "check `ingest.decode.format`");
    says(&csv, Reason::InvalidCsv, "", "{\"a\":1}", "format = \"json\"");
    says(&csv, Reason::InvalidCsv, "", "a;b;c", "delimiter = ';'");
    says(
        &unit(TimeUnit::S),
        Reason::BadTime,
        "`ts` is `1535497205000`: outside the years",
        "",
        "milliseconds? set `ingest.decode.time_unit = \"ms\"`",
    );
    says(&json, Reason::BadTime, "`ts` is `noon`: neither", "", "2026-01-31T06:00:00Z");
    says(
        &json,
        Reason::MissingField,
        &absent("device"),
        record,
        "the record has `Device`: set `ingest.decode.device = \"Device\"`",
    );
    says(&json, Reason::MissingField, &absent("sensor"), record, "ingest.decode.sensor = \"tag\"");
    says(&json, Reason::MissingField, &absent("ts"), record, "ingest.decode.time = \"timestamp\"");
    says(&json, Reason::MissingField, &absent("value"), record, "ingest.decode.value = \"reading\"");
    says(&json, Reason::MissingField, &absent("device"), r#"{"x":1,"y":2}"#, "the record has `x`, `y`: name the one");
    says(&json, Reason::MissingField, &absent("device"), r#"{"body":{"deviceId":"d"}}"#, "\"body.deviceId\"");
    says(&json, Reason::MissingField, &absent("sensor"), r#"{"device":"d","ts":1,"a":1,"b":2}"#, "shape = \"wide\"");
    says(&csv, Reason::MissingField, &absent("device"), "d,s", "check the paths");
    says(&json, Reason::TooDeep, "", "", "depth_max");
    let value = "`value` is `1,5`: not a finite number; with a decimal comma? set `decimal = \",\"`";
    says(&json, Reason::BadValue, value, "", "set `ingest.decode.decimal = \",\"`");
    says(&json, Reason::BadValue, "`value` is `off`: not a finite number", "", "only finite numbers are values");
    let wide = Config { shape: Shape::Wide, ..Config::default() };
    says(&wide, Reason::WrongType, "`o` is an object, not a number", "", "add it to `ingest.decode.ignore`");
}

#[test]
fn a_clock_of_another_zone_is_told_from_a_wrong_one() {
    let at = |ahead| Case { reason: "future", detail: "", payload: b"", ahead: Some(ahead) };
    let minute = 60 * 1_000_000;
    for (ahead, is_zone) in
        [(120 * minute + 5, true), (330 * minute - 9, true), (67 * minute, false), (5 * minute, false)]
    {
        let said = remedy(&at(ahead), &Config::default());
        assert_eq!(said.contains("local time"), is_zone, "{ahead}: {said}");
    }
}

#[test]
fn a_unit_that_is_too_fine_shows_in_the_times() {
    let config = |time_unit| Config { time_unit, ..Config::default() };
    let now = 1_769_925_600_000_000;
    let said = wrong_unit(now / 1000, &config(TimeUnit::Ms)).expect("seconds were taken for milliseconds");
    assert!(said.contains("seconds? set `ingest.decode.time_unit = \"s\"`"), "{said}");
    let said = wrong_unit(now / 1000, &config(TimeUnit::Us)).expect("milliseconds were taken for microseconds");
    assert!(said.contains("\"ms\""), "{said}");
    assert_eq!(wrong_unit(now, &config(TimeUnit::Ms)), None);
    assert_eq!(wrong_unit(now / 1000, &config(TimeUnit::Auto)), None);
}
