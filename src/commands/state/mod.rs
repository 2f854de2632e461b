//! `atalaia state`: what is committed, and the remedies that halt messages name.
//!
//! Looking changes nothing, and neither does a remedy without `--apply`. What is written is written by the protocol that
//! the service follows, so it is safe beside services that run: an owner that is overtaken finds itself fenced.

mod audit;
mod drain;
mod gap;
pub(super) mod inquiry;
mod reset;
mod status;

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;
use config::Config;
use ingest::{SourceKind, event_hubs};
use jiff::Timestamp;
use types::{Micros, PartitionId};

use super::{ConfigArgs, Format, assemble};
use crate::runtime::Runtime;
use crate::wall::text as time;

/// Shows what is committed, checks it, and mends what keeps partitions from going on
///
/// What changes something is a dry run unless `--apply` is given.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia state status -c pipeline.toml
  atalaia state audit -c pipeline.toml
  # go on behind expired records
  atalaia state accept-gap -c pipeline.toml --partition 3 --apply
  # begin anew, no window twice: a dry run
  atalaia state reset -c pipeline.toml --partition 3 --to earliest
  # hand over to a successor: a dry run
  atalaia state drain -c pipeline.toml --until 2026-02-01T00:00:00Z")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Status(status::Args),
    AcceptGap(gap::Args),
    Reset(reset::Args),
    Drain(drain::Args),
    Audit(audit::Args),
}

/// What all of these commands have in common.
#[derive(Debug, clap::Args)]
struct Common {
    #[command(flatten)]
    config: ConfigArgs,

    /// How the result is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Status(args) => status::run(&args),
        Command::AcceptGap(args) => gap::run(&args),
        Command::Reset(args) => reset::run(&args),
        Command::Drain(args) => drain::run(&args),
        Command::Audit(args) => audit::run(&args),
    }
}

/// The pipeline that is looked at.
struct Desk {
    config: Config,
    settings: aggregate::Settings,
    sinks: sink::Sinks,
    runtime: Runtime,
}

impl Desk {
    /// Opens the places without trying to write there.
    fn open(common: &Common) -> anyhow::Result<Desk> {
        let config = common.config.load()?;
        let is_files = config.ingest.source == SourceKind::Files;
        let settings =
            config.aggregate.settings(is_files, config.ingest.files.assume_sorted).context("read `aggregate`")?;
        let runtime = Runtime::new()?;
        let identity =
            sink::Identity { pipeline: config.pipeline.clone(), fingerprint: assemble::fingerprint(&config) };
        let open = "open the places of the results";
        let places = sink::Places::open(&config.sink, &config.storage).context(open)?;
        runtime.block_on(store::check(&places.state)).context(open)?;
        let sinks = sink::Sinks::unchecked(places, identity, runtime.handle().clone(), sink::Workings::default())
            .context(open)?;
        Ok(Desk { config, settings, sinks, runtime })
    }

    /// Before something is written: that it can be.
    fn check(&self) -> anyhow::Result<()> {
        self.runtime.block_on(self.sinks.check()).context("open the places of the results")
    }

    /// The partition of the configured topic.
    fn partition(&self, index: u32) -> anyhow::Result<PartitionId> {
        let topic = match self.config.ingest.source {
            SourceKind::Kafka => self.config.ingest.kafka.topic.clone().into(),
            SourceKind::EventHubs => {
                event_hubs::hub(&self.config.ingest.event_hubs).context("read `ingest.event_hubs`")?.into()
            }
            _ => inquiry::topic_of(&self.config)?,
        };
        Ok(PartitionId { topic, index })
    }
}

fn time_or_none(micros: Option<Micros>) -> String {
    micros.map_or_else(|| "-".to_owned(), time)
}

fn parse_time(text: &str) -> Result<Micros, String> {
    let time: Result<Timestamp, _> = text.parse();
    time.map(Timestamp::as_microsecond).map_err(|_| format!("`{text}` is not a time like `2026-01-31T06:00:00Z`"))
}

/// Follows a partition's sink to the end of what was begun.
fn wait(sink: &mut dyn sink::Sink) -> anyhow::Result<sink::Outcome> {
    const STEP: std::time::Duration = std::time::Duration::from_millis(500);
    loop {
        match sink.wait(STEP) {
            sink::Outcome::Pending => {}
            sink::Outcome::Failed(error) => return Err(error.into()),
            sink::Outcome::Idle => bail!("nothing was begun: this is a bug"),
            outcome => return Ok(outcome),
        }
    }
}

/// The last line of a command that was not told to act.
const DRY_RUN: &str = "nothing was changed; add --apply to do it";
