//! `atalaia init`: a configuration with a word on each setting, written from a sample of the user's data.
//!
//! `sample` reads some records, `infer` finds out what they mean, `document` writes it down; what is left here is where from and where to.

mod document;
pub(crate) mod infer;
pub(crate) mod lines;
mod sample;

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use ingest::SourceKind;

use self::document::Document;
use self::infer::{Form, Guess, Sample, Tally};
use self::sample::Sampled;
use super::PartialConfig;
use super::output::{Output, escaped, grouped, shell_word};
use crate::wall;

/// Writes a commented configuration from a sample of your data
///
/// Looks at the first records and finds out how they are read: format, the fields that hold device, sensor, time and value, the unit of
/// times, a window that fits. The service's own decoder is the judge: what is written reads as much of the sample as can be, says why, what
/// else it could have been, and how many records it reads. Nothing is committed at the source. Without a sample: every setting, with
/// examples.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # a file: JSON lines, JSON, CSV, Avro; plain, gzip or zstd
  atalaia init --sample readings.csv
  atalaia init --sample 'data/*.jsonl.gz' -o plant.toml
  kcat -b broker:9092 -t readings -e | atalaia init --sample -
  # a topic; or --sample kafka://broker:9092/readings
  atalaia init --sample readings --brokers broker:9092
  atalaia init --sample readings --brokers broker:9093 \\
    --set ingest.kafka.properties.security.protocol=SSL
  atalaia init --set ingest.source=event-hubs \\
    --set ingest.event_hubs.connection_string=env:EVENT_HUBS_CONNECTION
  # no sample: all settings, to be filled in
  atalaia init

Then:
  atalaia preview -c pipeline.toml     # what becomes of each record")]
pub(crate) struct Args {
    /// What to look at: a file, a folder, a glob, `-` for standard input; with `--brokers`, or as `kafka://BROKERS/TOPIC`, a topic. Left
    /// out, with `--set ingest.source=…` or `-c`: the source that is set there
    #[arg(long, value_name = "FILE-OR-TOPIC")]
    sample: Option<String>,

    /// The sample is a topic of these brokers
    #[arg(long, value_name = "HOST:PORT", requires = "sample")]
    brokers: Option<String>,

    /// Where to write; `-` for standard output
    #[arg(short, long, value_name = "FILE", default_value = "pipeline.toml")]
    output: PathBuf,

    /// Replace the file if it is there
    #[arg(long)]
    force: bool,

    /// Look at so many records
    #[arg(long, value_name = "COUNT", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    records: u32,

    #[command(flatten)]
    config: PartialConfig,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let target = Target::of(args)?;
    let loaded = args.config.loaded()?;
    let mut telemetry = loaded.config.telemetry.clone();
    if telemetry.log == config::telemetry::Config::default().log {
        // What was found is told below; of the log only what people should know.
        telemetry.log = "warn".into();
    }
    crate::telemetry::logs(&telemetry)?;
    let Some(source) = sample::source(&loaded, args.sample.as_deref(), args.brokers.as_deref())? else {
        if args.config.is_given() {
            bail!(
                "there is nothing to look at: `--set` and `-c` say more about a sample, or name its source by `ingest.source`\n\
                 name a sample, like `--sample readings.csv`; without any of them, all settings are written"
            );
        }
        target.write(config::EXAMPLE)?;
        return target.tell(&example(&target.name()));
    };
    let Sampled { guess, config } = sample::look(&loaded, source, args.records as usize)?;
    let document = Document { loaded: &loaded, config: &config, guess: &guess };
    target.write(&document.text(&target.name()))?;
    target.check()?;
    let mut told = String::new();
    found(&mut told, &guess, &document);
    let _ = write!(told, "\n{} is written. Next:\n{}", target.shown(), next(&guess, &config, &target.name()));
    target.tell(&told)
}

/// Where the configuration goes.
struct Target {
    /// `None`: standard output.
    path: Option<PathBuf>,
    force: bool,
}

impl Target {
    fn of(args: &Args) -> anyhow::Result<Target> {
        let path = (args.output.as_os_str() != "-").then(|| args.output.clone());
        let target = Target { path, force: args.force };
        match &target.path {
            // Said before anything is read; writing looks once more.
            Some(path) if !target.force && path.symlink_metadata().is_ok() => Err(taken(path)),
            _ => Ok(target),
        }
    }

    /// As it stands in commands.
    fn name(&self) -> String {
        self.path.as_ref().map_or("pipeline.toml".into(), |path| shell_word(&path.display().to_string()))
    }

    fn shown(&self) -> String {
        self.path
            .as_ref()
            .map_or("The configuration".into(), |path| format!("`{}`", infer::shown(&path.display().to_string())))
    }

    fn write(&self, text: &str) -> anyhow::Result<()> {
        let Some(path) = &self.path else {
            let mut out = Output::new();
            out.line(text.trim_end());
            return out.finish();
        };
        let mut options = OpenOptions::new();
        options.write(true).truncate(true);
        let file = if self.force { options.create(true).open(path) } else { options.create_new(true).open(path) };
        let mut file = match file {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(taken(path)),
            file => file.with_context(|| format!("write `{}`", path.display()))?,
        };
        file.write_all(text.as_bytes()).with_context(|| format!("write `{}`", path.display()))
    }

    /// What was written can be run as it is; where it cannot, that is told now.
    fn check(&self) -> anyhow::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        config::load(super::sources(Some(path), &[]))
            .map(|_| ())
            .with_context(|| format!("check `{}`, which is written", path.display()))
    }

    /// To standard output, unless the configuration went there.
    fn tell(&self, text: &str) -> anyhow::Result<ExitCode> {
        if self.path.is_some() {
            let mut out = Output::new();
            out.line(text.trim_end());
            out.finish()?;
        } else {
            // There is nobody left to tell if standard error is closed.
            let _ = writeln!(std::io::stderr().lock(), "{}", text.trim_end());
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn taken(path: &Path) -> anyhow::Error {
    anyhow!("`{}` is there already\nname another file with `-o FILE`, or replace it with `--force`", path.display())
}

/// What `preview` says where it can read next to nothing: the settings that would, and how to have a whole file of them.
pub(crate) fn suggestion(config: &config::Config, records: &[Sample]) -> Option<String> {
    let ingest = &config.ingest;
    let is_file = ingest.source == SourceKind::Files;
    let is_again = is_file && Path::new(&ingest.files.path).is_file();
    // Lines tell more than records of a format that is not theirs.
    let again = is_again.then(|| sample::read(config, records.len().max(20)).ok()).flatten();
    let name = document::device_name(config);
    let context = infer::Context { lines: is_file, decode: &ingest.decode, name: &name };
    let guess = infer::infer(again.as_deref().unwrap_or(records), &context).ok()?;
    if guess.tally.share() < 0.5 || guess.decode == ingest.decode {
        return None;
    }
    let sample = match ingest.source {
        SourceKind::Kafka => {
            format!("--sample {} --brokers {}", shell_word(&ingest.kafka.topic), shell_word(&ingest.kafka.brokers))
        }
        SourceKind::Files => format!("--sample {}", shell_word(&ingest.files.path)),
        SourceKind::EventHubs | SourceKind::Simulated => "-c FILE".to_owned(),
    };
    Some(format!(
        "\nOther settings would read them: {}\n\n{}\nA whole configuration from such a sample: atalaia init {sample} -o FILE",
        tally(&guess.tally),
        guess.as_toml()
    ))
}

// === what is told ===

fn found(told: &mut String, guess: &Guess, document: &Document<'_>) {
    let _ = writeln!(told, "The first records of {}: {}", document.place(), tally(&guess.tally));
    for choice in guess.choices.iter().filter(|choice| !choice.why.is_empty()) {
        let value = if choice.value.contains('\n') { "[…]" } else { &choice.value };
        let _ = writeln!(told, "  {:<15} {value}  ({})", choice.key, choice.why);
    }
    for (choice, other) in guess.ambiguities() {
        let _ = writeln!(told, "  `{}` is a toss: `{}` is as likely ({})", choice.key, other.setting, other.why);
    }
    for remark in guess.remarks.iter().chain(&ahead(guess)) {
        let _ = writeln!(told, "  note: {remark}");
    }
}

/// As in: 198 of 200 records decode into 396 readings of 4 devices; 2 refused as bad_value (record 17: …).
pub(crate) fn tally(tally: &Tally) -> String {
    let number = |count: usize| grouped(count as u64);
    let counted = |count: usize, noun: &str| format!("{} {noun}{}", number(count), if count == 1 { "" } else { "s" });
    let mut text = format!(
        "{} of {} decode into {} of {}, {}",
        number(tally.good + tally.partly),
        counted(tally.records, "record"),
        counted(tally.readings, "reading"),
        counted(tally.devices, "device"),
        counted(tally.sensors, "sensor")
    );
    for (reason, refused) in &tally.refused {
        let first = escaped(&refused.detail);
        let _ = write!(text, "; {} refused as {reason} (record {}: {first})", number(refused.count), refused.record);
    }
    text
}

/// Readings from the future would be refused by a service.
fn ahead(guess: &Guess) -> Option<String> {
    let newest = guess.rhythm.newest?;
    let skew = config::Config::default().aggregate.max_future_skew.micros();
    (newest > wall::now().saturating_add(skew)).then(|| {
        format!(
            "the newest reading is of {}, which is still to come by this machine's clock: what is further ahead than \
             `aggregate.max_future_skew` is refused as `future`",
            wall::text(newest)
        )
    })
}

fn next(guess: &Guess, config: &config::Config, name: &str) -> String {
    let is_stream = config.ingest.source != SourceKind::Files;
    let piped = match &config.ingest.files.path {
        _ if is_stream => String::new(),
        path if guess.form == Form::Document && path != "-" => format!("jq -c . {} | ", shell_word(path)),
        path if path == "-" => "… | ".to_owned(),
        _ => String::new(),
    };
    let from_pipe = if guess.form == Form::Document && !is_stream { " --set ingest.files.path=-" } else { "" };
    let online = if is_stream { " --online" } else { "" };
    let job = if is_stream { "run" } else { "score" };
    let models = match config.score.models.as_str() {
        "" => "models".to_owned(),
        named => shell_word(named),
    };
    let history = if is_stream { "models from what the source holds" } else { "models from this history" };
    let steps = [
        (format!("atalaia validate -c {name}{online}"), "is it consistent?".to_owned()),
        (format!("{piped}atalaia preview -c {name}{from_pipe}"), "what becomes of each record".to_owned()),
        (format!("{piped}atalaia train -c {name}{from_pipe} --to {models}"), history.to_owned()),
        (
            format!("{piped}atalaia {job} -c {name}{from_pipe}"),
            "windows and their scores; without models: --set score.models=".to_owned(),
        ),
    ];
    let width = steps.iter().map(|(command, _)| command.chars().count()).max().unwrap_or(0);
    steps.iter().map(|(command, what)| format!("  {command:<width$}  {what}\n")).collect()
}

fn example(name: &str) -> String {
    format!(
        "All settings are written, most of them at their defaults. Change what stands uncommented, and ask:\n  \
         atalaia validate -c {name}\nA configuration that reads your data is written from a sample of them:\n  \
         atalaia init --sample readings.csv -o {name} --force\n"
    )
}
