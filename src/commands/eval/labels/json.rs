//! Intervals in JSON: pairs of times, by themselves, below `windows`, below the names of devices (as the Numenta benchmark
//! writes them), or objects with `from` and `to`.

use anyhow::{Context, bail};
use serde_json::{Map, Value};

use super::{Interval, Labels, Whom};

pub(super) fn parse(text: &str) -> anyhow::Result<Labels> {
    let value: Value = serde_json::from_str(text)?;
    let mut intervals = Vec::new();
    match &value {
        Value::Object(object) if !object.contains_key("windows") => {
            for (name, of_device) in object {
                let whom = Whom { device: Some(name.clone()), sensor: None };
                windows(of_device, &whom, &mut intervals).with_context(|| format!("below `{name}`"))?;
            }
        }
        value => windows(value, &Whom::default(), &mut intervals)?,
    }
    Ok(Labels::Intervals(intervals))
}

fn windows(value: &Value, whom: &Whom, intervals: &mut Vec<Interval>) -> anyhow::Result<()> {
    let list = value.get("windows").unwrap_or(value);
    let Some(list) = list.as_array() else { bail!("a list of intervals is expected, or an object with `windows`") };
    for interval in list {
        let read = match interval {
            Value::Array(pair) => match pair.as_slice() {
                [from, to] => Interval::new(whom.clone(), &time(from)?, &time(to)?),
                _ => bail!("`{interval}` is no pair of times"),
            },
            Value::Object(object) => of_object(object, whom),
            _ => bail!("`{interval}` is no interval: write [from, to] or {{\"from\": …, \"to\": …}}"),
        };
        intervals.push(read?);
    }
    Ok(())
}

fn of_object(object: &Map<String, Value>, whom: &Whom) -> anyhow::Result<Interval> {
    let end = |name: &str| time(object.get(name).with_context(|| format!("an interval has no `{name}`"))?);
    let named = |name: &str| match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => bail!("the `{name}` of an interval is `{other}`, not a text"),
    };
    let own = Whom { device: named("device")?.or_else(|| whom.device.clone()), sensor: named("sensor")? };
    let interval = Interval::new(own, &end("from")?, &end("to")?)?;
    Ok(Interval { kind: named("kind")?, ..interval })
}

/// Text, or an epoch number.
fn time(value: &Value) -> anyhow::Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        other => bail!("`{other}` is no time"),
    }
}
