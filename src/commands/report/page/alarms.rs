//! The worst anomalies, each with the command that explains it.

use types::Micros;

use super::{Gathered, Made, close_table, named, open, open_table};
use crate::commands::markup::Safe;
use crate::commands::report::course::Alarm;
use crate::commands::report::svg::put;
use crate::commands::report::text::{figure, moment, span, word};
use crate::wall;

pub(super) fn panel(out: &mut String, gathered: &Gathered, made: &Made<'_>) {
    let alarms: Vec<&Alarm> = gathered.course.alarms.iter().flatten().collect();
    let hint = if alarms.is_empty() {
        ""
    } else {
        "The worst window of each of the worst series, by how far it is beyond the threshold."
    };
    open(out, "anomalies", "Top anomalies", hint);
    if alarms.is_empty() {
        out.push_str("<p class=\"nothing\">No window is an anomaly.</p></section>\n");
        return;
    }
    let by_severity = alarms.iter().any(|alarm| alarm.severity.is_some());
    open_table(
        out,
        "anomalies",
        "The worst anomalies, the worst first",
        &[
            ("", "Device"),
            ("", "Sensor"),
            ("", "Window (UTC)"),
            ("number", if by_severity { "Severity" } else { "Decision" }),
            ("number", "Threshold"),
            ("number", "Mean"),
            ("number", "Least to most"),
            ("", "Top feature"),
            ("", "Why?"),
        ],
    );
    alarms.into_iter().for_each(|alarm| row(out, alarm, by_severity, made));
    close_table(out);
    if made.models.is_none() {
        out.push_str("<p class=\"below\">Put the place of the models in for <code>MODELS</code>.</p>");
    }
    out.push_str("</section>\n");
}

fn row(out: &mut String, alarm: &Alarm, by_severity: bool, made: &Made<'_>) {
    let number = |number: Option<f64>| number.map_or("–".to_owned(), figure);
    let sensor = alarm.sensor.as_deref().map_or("<span class=\"faint\">whole device</span>".to_owned(), named);
    put(
        out,
        format_args!("<tr><th scope=\"row\" class=\"id\">{}</th><td class=\"id\">{sensor}</td>", named(&alarm.device)),
    );
    put(
        out,
        format_args!(
            "<td>{} <span class=\"faint\">{}</span></td><td class=\"number alarm\">{}</td><td class=\"number faint\">{}</td><td class=\"number\">{}</td><td class=\"number faint\">{}</td><td class=\"id\">{}</td>",
            moment(alarm.start),
            span(alarm.end.saturating_sub(alarm.start)),
            number(if by_severity { alarm.severity } else { alarm.decision }),
            number(if by_severity { alarm.threshold } else { Some(0.0) }),
            number(alarm.mean),
            alarm.range.map_or("–".to_owned(), |(low, high)| format!("{} to {}", figure(low), figure(high))),
            alarm.top_feature.as_deref().map_or("–".to_owned(), named),
        ),
    );
    match command(alarm, made) {
        Some(command) => put(out, format_args!("<td class=\"copies\"><code>{}</code></td></tr>\n", Safe(&command))),
        None => out.push_str("<td class=\"faint\">no shell takes its name</td></tr>\n"),
    }
}

fn command(alarm: &Alarm, made: &Made<'_>) -> Option<String> {
    let sensor = match &alarm.sensor {
        Some(sensor) => format!(" --sensor {}", word(sensor)?),
        None => String::new(),
    };
    let models = match made.models {
        Some(models) => word(models)?,
        None => "MODELS".to_owned(),
    };
    let start: Micros = alarm.start;
    Some(format!(
        "atalaia explain --predictions {} --models {models} --device {}{sensor} --window {}",
        word(made.predictions)?,
        word(&alarm.device)?,
        wall::text(start)
    ))
}
