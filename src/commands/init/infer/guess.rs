//! The answer: settings, a reason for each, what else it could be, and how much of the sample is read with them.

use ingest::decode::{Config, Format, Shape, TimeUnit};

use super::fields::Field;
use super::judge::{Rhythm, Tally};
use super::rivals::{EQUAL, Rivals, path_value};
use super::{Form, Table, Tried, explain, names};
use crate::commands::init::lines::{Entry, Lines, list, quoted};

/// How the sample is to be read.
#[derive(Debug, Clone)]
pub(crate) struct Guess {
    pub(crate) decode: Config,
    pub(crate) form: Form,
    pub(crate) tally: Tally,
    pub(crate) rhythm: Rhythm,
    /// One for each part of a reading.
    pub(crate) choices: Vec<Choice>,
    /// What a user should know beyond the settings.
    pub(crate) remarks: Vec<String>,
}

/// A setting that was chosen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Choice {
    pub(crate) key: &'static str,
    pub(crate) value: String,
    pub(crate) why: String,
    pub(crate) others: Vec<Other>,
}

/// What it could have been.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Other {
    pub(crate) setting: String,
    pub(crate) why: String,
    /// As good as what was chosen.
    pub(crate) equal: bool,
}

impl Guess {
    /// The section `[ingest.decode]`, with comments.
    pub(crate) fn as_toml(&self) -> String {
        let mut lines = Lines::default();
        lines.table("ingest.decode");
        for choice in &self.choices {
            lines.entry(Entry::new(choice.key, choice.value.clone()).why(&choice.why));
            for other in &choice.others {
                let or = if other.equal { "as likely" } else { "or" };
                lines.remark_setting(&other.setting, &format!("{or}: {}", other.why));
            }
        }
        let default = Config::default();
        for (key, value, usual) in [
            ("record_bytes_max", self.decode.record_bytes_max, default.record_bytes_max),
            ("depth_max", self.decode.depth_max, default.depth_max),
            ("id_bytes_max", self.decode.id_bytes_max, default.id_bytes_max),
            ("fields_max", self.decode.fields_max, default.fields_max),
        ] {
            if value != usual {
                lines.entry(Entry::new(key, value.to_string()));
            }
        }
        lines.finish()
    }

    /// Whether something was chosen by a toss.
    pub(crate) fn ambiguities(&self) -> impl Iterator<Item = (&Choice, &Other)> {
        self.choices
            .iter()
            .flat_map(|choice| choice.others.iter().map(move |other| (choice, other)))
            .filter(|(_, o)| o.equal)
    }
}

/// `tried` holds one or more, best first.
pub(super) fn of(table: &Table, tried: &[Tried]) -> Guess {
    let best = &tried[0];
    let config = best.config();
    let rivals = Rivals { table, tried };
    let mut choices = vec![format(table), shape(table, &rivals)];
    if config.format == Format::Csv && config.delimiter != ',' {
        let value = quoted(&config.delimiter.to_string());
        choices.insert(1, choice("delimiter", value, "under it the rows agree on their columns".into()));
    }
    if config.decimal != '.' {
        let shows =
            |field: &&Field| field.is_number() && field.example.contains(',') && !names::is_private(&field.path);
        let why = match table.fields.all.iter().find(shows) {
            Some(field) => format!("numbers like `{}`", shown(&field.example)),
            None => "numbers with a decimal comma".into(),
        };
        choices.push(choice("decimal", quoted(&config.decimal.to_string()), why));
    }
    if !config.columns.is_empty() {
        let why = match table.form {
            Form::Csv { named: true } => "as the first record has them: no record of a stream is a header",
            _ => "no header line: give them names of your own, also below",
        };
        choices.push(choice("columns", list(&config.columns), why.into()));
    }
    choices.push(rivals.device());
    if config.shape == Shape::Long {
        choices.push(rivals.sensor());
    }
    choices.push(rivals.time());
    choices.extend(rivals.time_format());
    if let Some(unit) = unit(config) {
        choices.push(choice("time_unit", quoted(unit.0), unit.1.into()));
    }
    match config.shape {
        Shape::Long => choices.push(rivals.value()),
        Shape::Wide if config.sensors.is_empty() => {}
        Shape::Wide => choices.push(sensors(best)),
    }
    Guess {
        decode: config.clone(),
        form: table.form,
        tally: best.verdict.tally.clone(),
        rhythm: best.verdict.rhythm,
        choices,
        remarks: explain::remarks(table, best),
    }
}

pub(super) fn choice(key: &'static str, value: String, why: String) -> Choice {
    Choice { key, value, why, others: Vec::new() }
}

fn format(table: &Table) -> Choice {
    match table.form {
        Form::Json | Form::Document => choice("format", quoted("json"), String::new()),
        Form::Csv { named: true } if table.header.is_some() => {
            choice("format", quoted("csv"), "the first line names the columns".into())
        }
        Form::Csv { .. } => choice("format", quoted("csv"), String::new()),
    }
}

fn shape(table: &Table, rivals: &Rivals<'_>) -> Choice {
    let best = rivals.best();
    let rows = match table.form {
        Form::Csv { .. } => "a row",
        _ if table.samples.iter().any(|sample| sample.payload.trim_ascii_start().starts_with(b"[")) => "an element",
        _ => "a record",
    };
    let (value, why) = match best.config().shape {
        Shape::Long => ("long", format!("{rows} is one reading")),
        Shape::Wide => ("wide", format!("{rows} has a field for each sensor")),
    };
    let other = rivals.tried.iter().find(|tried| tried.is_wide() != best.is_wide());
    let other = other.filter(|other| best.points - other.points <= EQUAL && best.share() - other.share() < 0.05);
    let others = other.map(|other| {
        let config = other.config();
        let (setting, why) = match config.shape {
            Shape::Long => (
                "shape = \"long\"",
                format!("with sensor = {} and value = {}", path_value(&config.sensor), path_value(&config.value)),
            ),
            Shape::Wide => ("shape = \"wide\"", format!("with sensors = {}", shown(&list(&config.sensors)))),
        };
        Other { setting: setting.into(), why, equal: true }
    });
    Choice { others: others.into_iter().collect(), ..choice("shape", quoted(value), why) }
}

fn sensors(best: &Tried) -> Choice {
    const SHOWN_MAX: usize = 12;
    let left_out = &best.candidate.left_out;
    let shown: Vec<String> =
        left_out.iter().take(SHOWN_MAX).map(|(name, why)| format!("`{}` ({why})", shown(name))).collect();
    let why = match left_out.len() {
        0 => "each field that is a number".to_owned(),
        all if all > SHOWN_MAX => {
            format!("each field that is a number, without {} and {} others", shown.join(", "), all - SHOWN_MAX)
        }
        _ => format!("each field that is a number, without {}", shown.join(", ")),
    };
    choice("sensors", list(&best.config().sensors), why)
}

/// The unit of epoch numbers, as it is set and as it is said.
fn unit(config: &Config) -> Option<(&'static str, &'static str)> {
    match config.time_unit {
        _ if config.time_property.is_some() => None,
        TimeUnit::Auto => None,
        TimeUnit::S => Some(("s", "seconds since 1970")),
        TimeUnit::Ms => Some(("ms", "milliseconds since 1970")),
        TimeUnit::Us => Some(("us", "microseconds since 1970")),
        TimeUnit::Ns => Some(("ns", "nanoseconds since 1970")),
    }
}

/// A text of the sample as a comment or a terminal may show it: nothing that moves a cursor, and not much of it.
pub(crate) fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 40;
    let mut shown = String::new();
    for character in text.chars() {
        if shown.chars().count() >= CHARS_MAX {
            shown.push('…');
            break;
        }
        match character {
            '\'' | '"' | '\\' => shown.push(character),
            other => shown.extend(other.escape_debug()),
        }
    }
    shown
}
