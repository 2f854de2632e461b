//! Whether what the settings name is there, with the rights of a run: the questions of the checklist, one for each thing.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use config::Config;
use score::OnBadModel;
use store::Location;

use super::checklist::{Check, Said};
use super::source;
use crate::commands::assemble;
use crate::commands::input::BROKER_TIMEOUT;
use crate::commands::output::grouped;
use crate::forwarding;
use crate::runtime::Runtime;
use crate::terminal::words::{plural, seconds};
use crate::wall;

/// Beyond what a check gives its own questions: it is to say by itself what did not answer.
const GRACE: Duration = Duration::from_secs(15);

pub(super) fn checks(config: Config) -> anyhow::Result<Vec<Check>> {
    let config = Arc::new(config);
    let runtime = Arc::new(Runtime::new()?);
    let mut checks = vec![of(&config, &runtime, "source", BROKER_TIMEOUT + GRACE, source::look)];
    match sink::Places::open(&config.sink, &config.storage).context("open the places of the results") {
        Ok(sink::Places { predictions, late, quarantine, runs, state }) => {
            let places = [
                ("predictions", predictions),
                ("late", late),
                ("quarantine", quarantine),
                ("runs", runs),
                ("state", state),
            ];
            for (name, place) in places {
                // Listing, reading and creating.
                let within = place.within(0) * 3 + GRACE;
                checks.push(of(&config, &runtime, name, within, move |_, runtime| rights(&place, runtime)));
            }
        }
        Err(error) => checks.push(of(&config, &runtime, "sink", GRACE, move |_, _| Err(error))),
    }
    if !config.score.models.is_empty() {
        let within = config.score.load_timeout.duration() + GRACE;
        checks.push(of(&config, &runtime, "models", within, models));
    }
    if config.forward.kafka.topic.is_some() {
        checks.push(of(&config, &runtime, "forward.kafka", BROKER_TIMEOUT + GRACE, topic));
    }
    if config.forward.webhook.url.is_some() {
        let within = config.forward.webhook.timeout.duration() + GRACE;
        checks.push(of(&config, &runtime, "forward.webhook", within, webhook));
    }
    for (name, address) in [("metrics", &config.telemetry.metrics), ("status", &config.telemetry.status)] {
        if address != "off" {
            let address = address.clone();
            checks.push(of(&config, &runtime, name, GRACE, move |_, _| Ok(listen(&address))));
        }
    }
    Ok(checks)
}

fn of(
    config: &Arc<Config>,
    runtime: &Arc<Runtime>,
    about: &'static str,
    within: Duration,
    ask: impl FnOnce(&Config, &Runtime) -> anyhow::Result<Said> + Send + 'static,
) -> Check {
    let (config, runtime) = (Arc::clone(config), Arc::clone(runtime));
    Check { about, within, ask: Box::new(move || ask(&config, &runtime)) }
}

fn rights(place: &Location, runtime: &Runtime) -> anyhow::Result<Said> {
    runtime.block_on(store::check_rights(place))?;
    Ok(Said::Fine(format!("`{place}`: can list, read and create")))
}

fn models(config: &Config, runtime: &Runtime) -> anyhow::Result<Said> {
    let set = match assemble::load_models(config, runtime) {
        Ok(set) => set,
        Err(error) => return Err(and_others(config, runtime, error)),
    };
    let age = set.published_at().map_or_else(String::new, |at| {
        let age = wall::now().saturating_sub(at).max(0);
        format!(", newest {} old", seconds(age as f64 / 1e6))
    });
    let text = format!(
        "set `{}`: {} read, {} KiB in memory{age}",
        set.id(),
        plural(set.len() as u64, "model"),
        grouped(set.bytes().div_ceil(1024))
    );
    Ok(match set.skipped() {
        0 => Said::Fine(text),
        skipped => Said::Doubtful {
            text: format!("{text}; {} left out", plural(skipped as u64, "file")),
            remedy: "`atalaia models verify` or the log names them; `score.on_bad_model` allows it".into(),
        },
    })
}

/// Whether the topic for anomalies is there. Nothing is sent.
fn topic(config: &Config, _: &Runtime) -> anyhow::Result<Said> {
    match forwarding::kafka(config)? {
        Some(kafka) => Ok(Said::Fine(kafka.check(BROKER_TIMEOUT)?)),
        None => Ok(Said::Fine("off".into())),
    }
}

/// Whether somebody answers where anomalies are posted. No event is sent.
fn webhook(config: &Config, runtime: &Runtime) -> anyhow::Result<Said> {
    match forwarding::webhook(config)? {
        Some(webhook) => Ok(Said::Fine(runtime.block_on(webhook.check())?)),
        None => Ok(Said::Fine("off".into())),
    }
}

/// One that cannot be used stops the load: how many others could?
fn and_others(config: &Config, runtime: &Runtime, error: anyhow::Error) -> anyhow::Error {
    let is_of_one = error.chain().any(|cause| {
        use score::Error;
        let of_models = cause.downcast_ref::<Error>();
        of_models.is_some_and(|error| {
            matches!(error, Error::File { .. } | Error::Model { .. } | Error::FileSize { .. } | Error::Registry { .. })
        })
    });
    if !is_of_one || config.score.on_bad_model != OnBadModel::Refuse {
        return error;
    }
    let mut config = config.clone();
    config.score.on_bad_model = OnBadModel::Skip;
    // The one that matters is told below.
    let silently = tracing::subscriber::NoSubscriber::default();
    match tracing::subscriber::with_default(silently, || assemble::load_models(&config, runtime)) {
        Ok(set) => {
            let (skipped, read) = (plural(set.skipped() as u64, "file"), plural(set.len() as u64, "model"));
            error.context(format!("{skipped} cannot be used, {read} can"))
        }
        Err(_) => error,
    }
}

/// A service that runs here already has it: no reason to fail.
fn listen(address: &str) -> Said {
    let doubtful = |text, remedy: &str| Said::Doubtful { text, remedy: remedy.into() };
    match TcpListener::bind(address) {
        Ok(_) => Said::Fine(format!("`{address}` is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => doubtful(
            format!("`{address}` is in use"),
            "if it is not by this very service, running, give one of the two another address",
        ),
        Err(error) => doubtful(
            format!("`{address}` cannot be listened at: {error}"),
            "on the machine of the service it has to be: check the address in `[telemetry]`",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Finding, Verdict, checklist};
    use super::*;

    fn asked(config: Config) -> Vec<Finding> {
        let mut findings = Vec::new();
        checklist::ask(checks(config).unwrap(), |finding| findings.push(finding)).unwrap();
        findings
    }

    #[test]
    fn a_place_that_cannot_be_written_is_a_problem_and_hides_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let mut config = Config::default();
        config.ingest.source = ingest::SourceKind::Simulated;
        config.sink.url = folder.path().join("out").display().to_string();
        config.sink.late = Some(file.join("late").display().to_string());
        config.score.models = folder.path().join("none").display().to_string();
        config.telemetry.metrics = "127.0.0.1:0".into();
        let findings = asked(config);
        let verdicts: Vec<(&str, Verdict)> = findings.iter().map(|f| (f.about.as_str(), f.verdict)).collect();
        assert_eq!(
            verdicts,
            [
                ("source", Verdict::Ok),
                ("predictions", Verdict::Ok),
                ("late", Verdict::Problem),
                ("quarantine", Verdict::Ok),
                ("runs", Verdict::Ok),
                ("state", Verdict::Ok),
                ("models", Verdict::Problem),
                ("metrics", Verdict::Ok)
            ]
        );
        assert!(findings.iter().all(|finding| finding.seconds.is_some()));
    }

    #[test]
    fn a_model_that_cannot_be_used_does_not_hide_how_many_can() {
        let folder = tempfile::tempdir().unwrap();
        let models = folder.path().join("models");
        std::fs::create_dir(&models).unwrap();
        for file in std::fs::read_dir("tests/data/reference/models").unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), models.join(file.file_name())).unwrap();
        }
        std::fs::write(models.join("model_99_1"), "no model").unwrap();
        let mut config = Config::default();
        config.score.models = models.display().to_string();
        let runtime = Runtime::new().unwrap();
        let error = super::models(&config, &runtime).expect_err("one is bad");
        let text = crate::failure::chain(&error);
        assert!(text.starts_with("1 file cannot be used, 15 models can: ") && text.contains("model_99_1"), "{text}");
        config.score.on_bad_model = OnBadModel::Skip;
        let said = super::models(&config, &runtime).unwrap();
        assert!(
            matches!(&said, Said::Doubtful { text, .. } if text.contains("15 models read") && text.ends_with("1 file left out")),
            "{said:?}"
        );
    }

    #[test]
    fn an_address_in_use_is_doubtful() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        assert!(matches!(listen(&address), Said::Doubtful { text, .. } if text.ends_with("is in use")));
        drop(taken);
        assert_eq!(listen("127.0.0.1:0"), Said::Fine("`127.0.0.1:0` is free".into()));
    }
}
