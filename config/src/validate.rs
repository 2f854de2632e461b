//! Rules between settings, and those of single settings that their type cannot say.
//!
//! Pure: nothing is opened, asked or looked up; whether a broker or a store answers is for `validate --online`. Each message names the
//! settings that disagree and ends with what to do.

mod event_hubs;
mod forwarding;
mod input;
mod output;
mod telemetry;

use crate::{Config, Problem};

/// What the rules say about a configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// It cannot be run like this.
    pub problems: Vec<Problem>,
    /// It can, but it is probably not what was meant.
    pub warnings: Vec<String>,
}

impl Verdict {
    fn refuse(&mut self, setting: &str, message: impl Into<String>) {
        self.problems.push(Problem { setting: setting.to_owned(), origin: None, message: message.into() });
    }

    fn refuse_if(&mut self, condition: bool, setting: &str, message: &str) {
        if condition {
            self.refuse(setting, message);
        }
    }

    fn warn_if(&mut self, condition: bool, message: &str) {
        if condition {
            self.warnings.push(message.to_owned());
        }
    }
}

/// Applies every rule; the order of the findings is that of the document.
#[must_use]
pub fn validate(config: &Config) -> Verdict {
    let mut verdict = Verdict::default();
    if !is_name(&config.pipeline, 100) {
        verdict.refuse(
            "pipeline",
            format!("`pipeline` is `{}`, but must be 1 to 100 letters, digits, `.`, `_` or `-`", config.pipeline),
        );
    }
    input::source(&config.ingest, &mut verdict);
    input::decode(&config.ingest, &mut verdict);
    windows(config, &mut verdict);
    models(config, &mut verdict);
    output::sink(&config.sink, &config.ingest, &mut verdict);
    urls(config, &mut verdict);
    forwarding::rules(config, &mut verdict);
    output::storage("storage", &config.storage, &mut verdict);
    if let Some(storage) = &config.models.storage {
        output::storage("models.storage", storage, &mut verdict);
    }
    telemetry::rules(config, &mut verdict);
    process(config, &mut verdict);
    verdict
}

/// Places in stores, by their URLs.
fn urls(config: &Config, verdict: &mut Verdict) {
    let (sink, models) = (&config.sink, config.model_storage());
    let ownership = config.ingest.event_hubs.ownership.url.as_ref();
    let places = [
        ("sink.url", Some(&sink.url), &config.storage),
        ("sink.predictions", sink.predictions.as_ref(), &config.storage),
        ("sink.late", sink.late.as_ref(), &config.storage),
        ("sink.quarantine", sink.quarantine.as_ref(), &config.storage),
        ("sink.state", sink.state.as_ref(), &config.storage),
        ("sink.runs", sink.runs.as_ref(), &config.storage),
        ("score.models", Some(&config.score.models), models),
        ("telemetry.logs", config.telemetry.logs.as_ref(), &config.storage),
        ("ingest.event_hubs.ownership.url", ownership.filter(|url| url.contains("://")), &config.storage),
    ];
    for (setting, url, storage) in places {
        // What another rule has said of it is enough.
        let is_told = verdict.problems.iter().any(|problem| problem.setting == setting);
        if let Some(Err(error)) = url.map(|url| store::check_url(url, storage)).filter(|_| !is_told) {
            verdict.refuse(setting, format!("`{setting}`: {}", sentence(&error, error.hint())));
        }
    }
}

fn windows(config: &Config, verdict: &mut Verdict) {
    let aggregate = &config.aggregate;
    let is_files = config.ingest.source == ingest::SourceKind::Files;
    if let Err(error) = aggregate.settings(is_files, config.ingest.files.assume_sorted) {
        let setting = match error {
            aggregate::Error::CloseAfterTooShort { .. } => "aggregate.close_after",
            aggregate::Error::DeviceTtlTooShort { .. } => "aggregate.device_ttl",
            _ => "aggregate.window",
        };
        verdict.refuse(setting, sentence(&error, error.hint()));
    }
    if aggregate.offset >= aggregate.window {
        verdict.refuse(
            "aggregate.offset",
            format!(
                "`aggregate.offset` is {} and `aggregate.window` {}: an offset is shorter than the window",
                aggregate.offset, aggregate.window
            ),
        );
    }
    verdict.refuse_if(
        aggregate.series_max == 0,
        "aggregate.series_max",
        "`aggregate.series_max` is 0: no series could be held",
    );
}

/// A stage's own complaint with its remedy.
fn sentence(error: &impl std::fmt::Display, hint: Option<String>) -> String {
    match hint {
        Some(hint) => format!("{error}: {hint}"),
        None => error.to_string(),
    }
}

fn models(config: &Config, verdict: &mut Verdict) {
    let score = &config.score;
    secret_in_url("score.models", &score.models, verdict);
    match score.mapping.is_empty() {
        true => template(score, verdict),
        false => mapping(&score.mapping, verdict),
    }
    verdict.refuse_if(
        score.features.is_empty(),
        "score.features",
        "`score.features` is empty: name at least one statistic, like `[\"mean\"]`",
    );
    for (i, feature) in score.features.iter().enumerate() {
        if score.features[..i].contains(feature) {
            verdict.refuse("score.features", format!("`score.features` names `{feature}` twice"));
        }
    }
    verdict.refuse_if(
        score.min_readings == 0,
        "score.min_readings",
        "`score.min_readings` is 0, but a window without readings has no row: write 1 or more",
    );
    let names_sensor = |feature: &&score::Feature| feature.sensor.is_some();
    let is_of_device = score.key == score::Key::Device;
    if let Some(feature) = score.features.iter().find(names_sensor).filter(|_| !is_of_device) {
        let problem = format!(
            "`score.features` has `{feature}`, a feature of a sensor, and `score.key` is `series`: write `{}`, or set `score.key = \"device\"`",
            feature.statistic
        );
        verdict.refuse("score.features", problem);
    }
    verdict.warn_if(
        score.min_readings < 2 && score.features.iter().any(|feature| feature.statistic == score::Statistic::Std),
        "`score.features` has `std`, which a window of one reading does not have, and `score.min_readings` is 1: such windows get the \
         status `missing_feature`; set `score.min_readings = 2` or use `std_pop`",
    );
    verdict.warn_if(score.models.is_empty(), "`score.models` is empty: every row will have the status `no_model`");
}

/// A mapping lies below the models: it is read with their rights, and changes of it are seen with theirs.
fn mapping(file: &str, verdict: &mut Verdict) {
    verdict.refuse_if(
        file.contains("://") || file.starts_with('/') || file.split('/').any(|part| matches!(part, "" | "." | "..")),
        "score.mapping",
        "`score.mapping` is a file below `score.models`: name it from there on, like `mapping.csv`",
    );
}

/// A template has its placeholders once and nothing else in braces.
fn template(score: &score::Config, verdict: &mut Verdict) {
    let template = score.template();
    let (key, placeholders): (_, &[_]) = match score.key {
        score::Key::Series => ("series", &[("{device}", 1), ("{sensor}", 1)]),
        score::Key::Device => ("device", &[("{device}", 1), ("{sensor}", 0)]),
    };
    for &(placeholder, count) in placeholders {
        if template.matches(placeholder).count() != count {
            let rule = if count == 1 { "must occur in it exactly once" } else { "must not occur in it" };
            verdict.refuse(
                "score.template",
                format!("`score.template` is `{template}` and `score.key` is `{key}`: `{placeholder}` {rule}"),
            );
        }
    }
    let rest = template.replace("{device}", "").replace("{sensor}", "");
    if rest.contains(['{', '}']) {
        verdict.refuse(
            "score.template",
            format!("`score.template` is `{template}`: only `{{device}}` and `{{sensor}}` may stand in braces"),
        );
    }
    if template.contains("{device}{sensor}") || template.contains("{sensor}{device}") {
        verdict.refuse(
            "score.template",
            format!(
                "`score.template` is `{template}`: with nothing between device and sensor, names cannot be told apart"
            ),
        );
    }
}

fn process(config: &Config, verdict: &mut Verdict) {
    let run = &config.run;
    verdict.refuse_if(
        run.workers == Some(0),
        "run.workers",
        "`run.workers` is 0: leave it out for one a core, or write 1 or more",
    );
    verdict.refuse_if(
        run.workers.is_some_and(|workers| workers > 1024),
        "run.workers",
        "`run.workers` is above 1024: each is an operating system thread with a client of its own",
    );
    verdict.refuse_if(
        run.batch_records == 0 || run.batch_records > 1 << 20,
        "run.batch_records",
        "`run.batch_records` must be from 1 to 1048576",
    );
    if run.pending_bytes_max < config.ingest.decode.record_bytes_max.max(1 << 20) {
        verdict.refuse(
            "run.pending_bytes_max",
            format!(
                "`run.pending_bytes_max` is {}, but must be 1048576 or more and not below `ingest.decode.record_bytes_max`, {}",
                run.pending_bytes_max, config.ingest.decode.record_bytes_max
            ),
        );
    }
    verdict.refuse_if(
        run.memory_bytes_max.is_some_and(|bytes| bytes < 64 << 20),
        "run.memory_bytes_max",
        "`run.memory_bytes_max` is below 67108864 (64 MiB), which the program takes before it has read anything",
    );
    verdict.refuse_if(
        run.shutdown_grace.duration().is_zero(),
        "run.shutdown_grace",
        "`run.shutdown_grace` is 0: nothing could be committed at the end; `10s` is usual",
    );
}

/// Letters, digits, `.`, `_`, `-`: what object names, topics and consumer groups have in common.
fn is_name(text: &str, length_max: usize) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !text.is_empty() && text.len() <= length_max && text.chars().all(allowed) && text != "." && text != ".."
}

/// A signature or password that came along in a URL. The URL is not repeated.
fn secret_in_url(setting: &str, url: &str, verdict: &mut Verdict) {
    let Some((_, rest)) = url.split_once("://") else { return };
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = place.split('/').next().unwrap_or_default();
    // abfss://container@account.… has a user part that is no secret.
    let password = authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
    let signature = query.to_ascii_lowercase().split('&').any(|pair| {
        ["sig=", "x-amz-signature=", "x-amz-security-token=", "awsaccesskeyid="].iter().any(|s| pair.starts_with(s))
    });
    if password || signature {
        verdict.refuse(
            setting,
            format!(
                "`{setting}` holds a secret in its URL: write the URL without it, and give its place in `storage` (`sas`, `key` or \
                 `secret_access_key`) as `env:NAME` or `file:path`"
            ),
        );
    }
}
