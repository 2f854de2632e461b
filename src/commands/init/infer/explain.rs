//! What is to be said beside a guess, or in its place: what was seen in the sample that the decoder has no way to read.

use super::fields::{Field, Fields, share};
use super::guess::shown;
use super::names::{self, Part};
use super::{Form, Table, Tried, Unknown};
use ingest::decode::Path;

/// Of a sample of which nothing becomes a reading.
pub(super) fn nothing(table: &Table, tried: &[Tried]) -> Unknown {
    let fields = &table.fields;
    let seen = seen(fields);
    let times: Vec<&Field> = fields.all.iter().filter(|field| field.time_share(fields.rows) >= 0.3).collect();
    let (problem, advice) = if fields.rows == 0 {
        (
            "the records hold no JSON objects".to_owned(),
            "a reading is an object, or a field of one: `{\"device\": \"a\", \"ts\": 1735689600, \"temperature\": 21.5}`".to_owned(),
        )
    } else if let Some(field) =
        fields.all.iter().find(|field| times.is_empty() && field.foreign_times * 2 > field.present)
    {
        (
            format!("`{}` is `{}`, a form of time that is not read", shown(&field.name()), shown(&field.example)),
            "times are RFC 3339, like `2026-01-31T06:00:00Z`, numbers since 1970, or what `time_format` can say: have the sender write one of \
             them"
                .to_owned(),
        )
    } else if times.is_empty() && !tried.iter().any(|tried| tried.config().time_property.is_some()) {
        (
            format!("no field holds times; there {seen}"),
            "each record needs its event time: RFC 3339, or seconds, milliseconds, microseconds or nanoseconds since 1970. Where a property \
             of the record has it, name that: `--set ingest.decode.time_property=NAME`"
                .to_owned(),
        )
    } else if let Some(parent) = nested(fields) {
        (
            format!("the numbers stand inside `{}`, and sensors are looked for at the top of a record", shown(&parent)),
            format!(
                "have the sender, or a rule on the way, lift the fields of `{}` up, or send one reading a record with the sensor's name in a \
                 field of its own",
                shown(&parent)
            ),
        )
    } else if let Some(field) = fields.all.iter().find(|field| field.arrays_of_readings > 0) {
        (
            format!(
                "the readings stand in the array `{}`, and arrays are read only where they are the whole record",
                shown(&field.name())
            ),
            "have the sender send that array, with device and time in each element, or one record for each element"
                .to_owned(),
        )
    } else if let Some(field) = commas(fields).filter(|field| field.telling_commas == 0) {
        (
            format!(
                "`{}` is `{}`: whether that comma stands between thousands or before a fraction does not show",
                shown(&field.name()),
                shown(&field.example)
            ),
            "have the sender leave it out, or write a point; or set `ingest.decode.decimal` in a configuration of your own".to_owned(),
        )
    } else if let Some(field) = commas(fields) {
        (
            format!(
                "`{}` is `{}`: a decimal comma is not read where commas divide fields",
                shown(&field.name()),
                shown(&field.example)
            ),
            "have the sender write a point, or semicolons between the fields".to_owned(),
        )
    } else {
        let refused = tried.first().and_then(|best| best.verdict.tally.refused.iter().next());
        match refused {
            Some((reason, first)) => (
                format!("the best attempt is refused as {reason}: {}; there {seen}", first.detail),
                "`config/pipeline.example.toml` shows how a record can be read; `atalaia preview` shows what becomes of each".to_owned(),
            ),
            None => (
                format!("no field holds a number that could be a reading; there {seen}"),
                "a reading has a value: a number, or a text that is one".to_owned(),
            ),
        }
    };
    Unknown::NoReadings { problem, advice }
}

/// Beside a guess.
pub(super) fn remarks(table: &Table, best: &Tried) -> Vec<String> {
    let fields = &table.fields;
    let mut remarks = Vec::new();
    if table.form == Form::Document {
        remarks.push(
            "the sample is one JSON document over several lines: on a topic that is a record like any other; of a file, each line is a \
             record, so write it as lines first: `jq -c . SAMPLE > SAMPLE.jsonl`"
                .to_owned(),
        );
    }
    let senml = |name: &str| {
        fields.all.iter().any(|field| field.is_top() && field.path[0] == name && field.present < fields.rows)
    };
    if senml("bn") || senml("bt") {
        remarks.push(
            "this looks like SenML, whose records inherit `bn` and `bt` from the one before: only records that carry all they need are \
             read; resolve them first (RFC 8428, section 4.6)"
                .to_owned(),
        );
    }
    if best.config().device_name.is_some() {
        let keys: std::collections::BTreeSet<&[u8]> =
            table.samples.iter().map(|sample| sample.key.as_slice()).collect();
        let texts = keys.iter().filter(|key| !key.is_empty() && std::str::from_utf8(key).is_ok()).count();
        if let Some(key) = keys
            .iter()
            .find(|key| !key.is_empty())
            .filter(|_| texts == keys.len() && texts * 2 <= table.samples.len().max(2))
        {
            remarks.push(format!(
                "the records' keys may be their devices (`{}`, {texts} in all), but a key is not read: have the sender put the device into \
                 the payload, or into a header that `device_property` names",
                shown(&String::from_utf8_lossy(key))
            ));
        }
    }
    if let Some(parent) = nested(fields).filter(|_| best.is_wide()) {
        remarks.push(format!(
            "the numbers inside `{}` are left alone: sensors are looked for at the top of a record",
            shown(&parent)
        ));
    }
    if let Some(field) = commas(fields) {
        remarks.push(format!(
            "`{}` has decimal commas (`{}`), which are not read: numbers with points, or commas that divide fields, are more",
            shown(&field.name()),
            shown(&field.example)
        ));
    }
    remarks.extend(table.lost.as_ref().map(|lost| lost.said(best.verdict.tally.records)));
    if !best.is_wide() {
        remarks.extend(unread(table, best));
    }
    if best.verdict.contradictions * 5 > best.verdict.tally.readings {
        remarks.push(
            "many readings share device, sensor and time, but not their value: is something missing that tells them apart?".to_owned(),
        );
    }
    remarks
}

/// The object that holds most of the numbers, below the top.
fn nested(fields: &Fields) -> Option<String> {
    let measures = |field: &&Field| {
        field.is_number()
            && field.time_share(field.present) < 0.8
            && names::points(Part::Device, &field.path) <= 0
            && !names::is_no_sensor(field.path.last().map_or("", String::as_str))
    };
    let numbers: Vec<&Field> = fields.all.iter().filter(measures).collect();
    let below = |field: &&&Field| field.path.len() > 1 && share(field.present, fields.rows) >= 0.3;
    let inside: Vec<&&Field> = numbers.iter().filter(below).collect();
    let parent = inside.first().map(|field| field.path[..field.path.len() - 1].join("."));
    parent.filter(|_| inside.len() * 2 > numbers.len() && inside.len() > 1)
}

/// Fields of a record that is one reading which are no part of it.
fn unread(table: &Table, best: &Tried) -> Option<String> {
    const SHOWN_MAX: usize = 12;
    let config = best.config();
    let used = [&config.device, &config.sensor, &config.time, &config.value];
    let is_used = |field: &Field| {
        used.iter().any(|path| match path {
            Path::Dotted(text) => *text == field.path.join("."),
            Path::Keys(keys) => *keys == field.path,
        })
    };
    let is_unread = |field: &&Field| !is_used(field) && !names::is_private(&field.path) && !field.path[0].is_empty();
    let names: Vec<String> =
        table.fields.all.iter().filter(is_unread).map(|field| format!("`{}`", shown(&field.name()))).collect();
    let more = names.len().saturating_sub(SHOWN_MAX);
    let more = if more > 0 { format!(" and {more} others") } else { String::new() };
    let names = names.into_iter().take(SHOWN_MAX).collect::<Vec<_>>().join(", ");
    (!names.is_empty()).then(|| format!("not read, as they are no part of a reading: {names}{more}"))
}

fn commas(fields: &Fields) -> Option<&Field> {
    fields.all.iter().find(|field| field.decimal_commas * 2 > field.present)
}

/// The fields at hand, for a message.
fn seen(fields: &Fields) -> String {
    const SHOWN_MAX: usize = 8;
    let public = fields.all.iter().filter(|field| !names::is_private(&field.path));
    let names: Vec<String> = public.take(SHOWN_MAX).map(|field| format!("`{}`", shown(&field.name()))).collect();
    match fields.all.len() {
        0 => "are no fields".to_owned(),
        1 => format!("is only {}", names.join("")),
        all if all > SHOWN_MAX => format!("are {} and {} others", names.join(", "), all - SHOWN_MAX),
        _ => format!("are {}", names.join(", ")),
    }
}
