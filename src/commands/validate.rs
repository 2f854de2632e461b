//! `atalaia validate`: verdicts on a configuration, and with `--online` on what it points to.
//!
//! Offline nothing is opened or asked, so that it can run where the secrets are not. Online each thing is asked by itself:
//! one that does not answer hides none of the others.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use config::Config;
use ingest::SourceKind;
use serde::Serialize;

use super::assemble;
use super::output::{Output, grouped};
use super::{ConfigArgs, Format, input, progress};
use crate::report;
use crate::runtime::Runtime;

/// Checks a configuration and says what it amounts to
///
/// Without --online, nothing is opened and no secret is read: it fits into a build pipeline. With --online, the broker is
/// asked for the topic, the places of the results are tried, and the models are loaded, with the rights that a run would have.
/// Folders for results on this machine are created by that; nothing is written into them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia validate -c pipeline.toml
  atalaia validate -c pipeline.toml --online
  atalaia validate -c pipeline.toml --set aggregate.window=10m    # what would result from that
  atalaia validate -c pipeline.toml --format json | jq '.findings[] | select(.verdict == \"problem\")'

Exit status:
  0  it can be run
  1  it cannot be run, or the check failed")]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigArgs,

    /// Also ask the broker and the stores, and load the models
    #[arg(long)]
    online: bool,

    /// How the verdicts are printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// One line of the verdict.
#[derive(Debug, Serialize)]
struct Finding {
    /// The section or the thing that was asked.
    about: String,
    verdict: Verdict,
    text: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remedies: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    Warning,
    Problem,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut findings = Vec::new();
    match args.config.load() {
        Ok(config) => {
            findings.extend(sections(&config));
            findings.extend(config::validate(&config).warnings.into_iter().map(Finding::warning));
            if args.online {
                let _meter = progress::wait("asking broker and stores");
                findings.extend(online(&config)?);
            }
        }
        Err(error) => findings.extend(refused(&error)),
    }
    let runs = findings.iter().all(|finding| finding.verdict != Verdict::Problem);
    print(&args, &findings, runs)?;
    Ok(if runs { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Finding {
    fn ok(about: &str, text: impl Into<String>) -> Self {
        Finding { about: about.to_owned(), verdict: Verdict::Ok, text: text.into(), remedies: Vec::new() }
    }

    fn warning(text: String) -> Self {
        let section = text.strip_prefix('`').and_then(|rest| rest.split(['.', '`']).next()).unwrap_or("configuration");
        Finding { about: section.to_owned(), verdict: Verdict::Warning, text, remedies: Vec::new() }
    }

    fn of(about: &str, outcome: anyhow::Result<String>) -> Self {
        match outcome {
            Ok(text) => Finding::ok(about, text),
            Err(error) => Finding {
                about: about.to_owned(),
                verdict: Verdict::Problem,
                text: report::chain(&error),
                remedies: report::hints(&error),
            },
        }
    }
}

/// Why there is no configuration: a finding for each setting at fault.
fn refused(error: &anyhow::Error) -> Vec<Finding> {
    let problems = error.downcast_ref::<config::Error>().map(config::Error::problems).unwrap_or_default();
    let mut findings: Vec<Finding> = problems
        .iter()
        .map(|problem| Finding {
            about: problem.setting.split('.').next().unwrap_or_default().to_owned(),
            verdict: Verdict::Problem,
            text: problem.message.clone(),
            remedies: Vec::new(),
        })
        .collect();
    if findings.is_empty() {
        findings.push(Finding {
            about: "configuration".into(),
            verdict: Verdict::Problem,
            text: report::chain(error),
            remedies: report::hints(error),
        });
    }
    findings
}

// === offline: what the settings amount to ===

fn sections(config: &Config) -> Vec<Finding> {
    vec![
        Finding::ok("pipeline", format!("`{}`", config.pipeline)),
        Finding::ok("ingest", input::described(&config.ingest)),
        Finding::ok("decode", decoding(&config.ingest.decode)),
        Finding::of("aggregate", windows(config)),
        Finding::ok("score", models(&config.score)),
        Finding::ok("sink", results(&config.sink)),
        Finding::ok(
            "telemetry",
            format!("metrics and probes at {}; status page at {}", config.telemetry.metrics, config.telemetry.status),
        ),
        Finding::ok("run", process(&config.run)),
    ]
}

fn decoding(decode: &ingest::decode::Config) -> String {
    use ingest::decode::{Path, Shape};
    let field = |path: &Path| match path {
        Path::Dotted(text) => text.clone(),
        Path::Keys(keys) => keys.join("."),
    };
    let format = format!("{:?}", decode.format).to_lowercase();
    let property = |name: &Option<String>, path: &Path| {
        name.as_ref().map_or_else(|| format!("`{}`", field(path)), |name| format!("property `{name}`"))
    };
    let time = property(&decode.time_property, &decode.time);
    let device = match &decode.device_name {
        Some(name) => format!("always `{name}`"),
        None => property(&decode.device_property, &decode.device),
    };
    match decode.shape {
        Shape::Long => format!(
            "{format}, one reading a record: device {device}, sensor `{}`, time {time}, value `{}`",
            field(&decode.sensor),
            field(&decode.value)
        ),
        Shape::Wide if decode.sensors.is_empty() => {
            format!("{format}, device {device}, time {time}, every other number a sensor")
        }
        Shape::Wide => format!("{format}, device {device}, time {time}, sensors `{}`", decode.sensors.join("`, `")),
    }
}

fn windows(config: &Config) -> anyhow::Result<String> {
    let aggregate = &config.aggregate;
    let is_files = config.ingest.source == SourceKind::Files;
    let settings = aggregate.settings(is_files, config.ingest.files.assume_sorted).context("read `aggregate`")?;
    let whose = match aggregate.clock {
        aggregate::Clock::Device => "each device's own clock",
        aggregate::Clock::Partition => "the partition's clock",
    };
    let close_after = types::Span::from_millis(u64::try_from(settings.close_after / 1000).unwrap_or_default());
    Ok(format!(
        "windows of {} by {whose}; readings may come {} out of order; {close_after} of silence close a window",
        aggregate.window, aggregate.out_of_orderness
    ))
}

fn models(score: &score::Config) -> String {
    let features: Vec<String> = score.features.iter().map(ToString::to_string).collect();
    let features = features.join(", ");
    match score.models.as_str() {
        "" => format!("no models; features {features}"),
        place => format!("models in `{place}`; features {features} where a model names none"),
    }
}

fn results(sink: &sink::Config) -> String {
    let place = |own: &Option<String>, name: &str| {
        own.clone().unwrap_or_else(|| format!("{}/{name}", sink.url.trim_end_matches('/')))
    };
    format!(
        "predictions `{}`, late `{}`, quarantine `{}`, runs `{}`, state `{}`; a commit every {}, files of {} rows or after {}",
        place(&sink.predictions, "predictions"),
        place(&sink.late, "late"),
        place(&sink.quarantine, "quarantine"),
        place(&sink.runs, "runs"),
        place(&sink.state, "state"),
        sink.commit_interval,
        grouped(sink.min_rows as u64),
        sink.max_delay
    )
}

fn process(run: &config::run::Config) -> String {
    match run.workers {
        Some(workers) => format!("{workers} workers; {} for an orderly end", run.shutdown_grace),
        None => format!("one worker a core; {} for an orderly end", run.shutdown_grace),
    }
}

// === online: whether what they name is there ===

fn online(config: &Config) -> anyhow::Result<Vec<Finding>> {
    let runtime = Runtime::new()?;
    let mut findings = vec![Finding::of("source", input::checked(config, runtime.handle()))];
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
                let checked = runtime.block_on(store::check_writable(&place)).map(|()| format!("`{place}` answers"));
                findings.push(Finding::of(name, checked.map_err(Into::into)));
            }
        }
        Err(error) => findings.push(Finding::of("sink", Err(error))),
    }
    if !config.score.models.is_empty() {
        let loaded = assemble::load_models(config, &runtime).map(|set| {
            let skipped = match set.skipped() {
                0 => String::new(),
                skipped => format!(", {} files left out", grouped(skipped as u64)),
            };
            format!(
                "set `{}`: {} models, {} KiB in memory{skipped}",
                set.id(),
                grouped(set.len() as u64),
                grouped(set.bytes().div_ceil(1024))
            )
        });
        findings.push(Finding::of("models", loaded));
    }
    Ok(findings)
}

// === what is printed ===

fn print(args: &Args, findings: &[Finding], runs: bool) -> anyhow::Result<()> {
    let mut out = Output::new();
    let file = args.config.config.as_path();
    if args.format == Format::Json {
        out.line(serde_json::json!({ "file": file, "ok": runs, "online": args.online, "findings": findings }));
        return out.finish();
    }
    for finding in findings {
        let mark = match finding.verdict {
            Verdict::Ok => "ok     ",
            Verdict::Warning => "warning",
            Verdict::Problem => "problem",
        };
        out.line(format_args!("{mark}  {:<13}  {}", finding.about, finding.text));
        for remedy in &finding.remedies {
            out.line(format_args!("{:24}hint: {remedy}", ""));
        }
    }
    out.line(conclusion(file, findings, runs, args.online));
    out.finish()
}

fn conclusion(file: &Path, findings: &[Finding], runs: bool, online: bool) -> String {
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (problems, warnings) = (count(Verdict::Problem), count(Verdict::Warning));
    let file = file.display();
    match (runs, online) {
        (false, _) => format!("`{file}` cannot be run: {problems} to change"),
        (true, true) => format!("`{file}` can be run; {warnings} warnings"),
        (true, false) => format!("`{file}` is consistent, {warnings} warnings; add --online to ask broker and stores"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_show_the_values_that_result() {
        let mut config = Config::default();
        config.ingest.kafka.topic = "readings".into();
        config.sink.url = "out/".into();
        config.sink.state = Some("elsewhere".into());
        let texts: Vec<String> = sections(&config).into_iter().map(|finding| finding.text).collect();
        let all = texts.join("\n");
        for part in [
            "topic `readings` at `localhost:9092`",
            "windows of 1h by each device's own clock; readings may come 30s out of order; 15m of silence",
            "predictions `out/predictions`",
            "state `elsewhere`",
            "files of 10,000 rows or after 5m",
        ] {
            assert!(all.contains(part), "{part}\n{all}");
        }
    }

    #[test]
    fn each_setting_at_fault_is_a_finding() {
        let set = ["sink.urll=x", "run.workers=many"].map(String::from).to_vec();
        let error = config::load(config::Sources { set, ..Default::default() }).unwrap_err();
        let findings = refused(&error.into());
        assert_eq!(findings.iter().map(|finding| finding.about.as_str()).collect::<Vec<_>>(), ["sink", "run"]);
        assert!(findings.iter().all(|finding| finding.verdict == Verdict::Problem));
    }

    #[test]
    fn a_place_that_cannot_be_written_is_a_problem_and_hides_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let mut config = Config::default();
        config.ingest.source = SourceKind::Simulated;
        config.sink.url = folder.path().join("out").display().to_string();
        config.sink.late = Some(file.join("late").display().to_string());
        config.score.models = folder.path().join("none").display().to_string();
        let findings = online(&config).unwrap();
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
                ("models", Verdict::Problem)
            ]
        );
    }
}
