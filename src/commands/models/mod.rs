//! `atalaia models`: what models there are, what one of them says, scikit-learn files into a registry, and which set is in use.
//!
//! Reading is the service's own (`score::load`): what is listed here is what would score.

mod diff;
mod history;
mod import;
mod list;
mod publish;
mod registry_place;
mod rollback;
mod score;
mod stale;
mod table;
mod verify;

use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;

use super::PartialConfig;

/// Lists, imports, publishes, compares and checks the models that judge windows
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia models list --from models/
  atalaia models show pump-7 temp -c pipeline.toml
  atalaia models import --from trained/ --template '{device}/{sensor}/model.pkl' --to registry/
  atalaia models publish --from trained/ --to registry/ --note 'November, longer history'
  atalaia models diff previous current --from registry/
  atalaia models rollback --from registry/
  atalaia models stale -c pipeline.toml --max-age 30d")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Import(import::Args),
    List(list::Args),
    Show(list::ShowArgs),
    Score(score::Args),
    Stale(stale::Args),
    Publish(publish::Args),
    Rollback(rollback::Args),
    History(history::Args),
    Diff(diff::Args),
    Verify(verify::Args),
}

/// Where models are, and with what rights they are read.
#[derive(Debug, clap::Args)]
struct Place {
    /// Folder or URL of the models [default: `score.models` of the configuration]
    #[arg(long, value_name = "FOLDER-OR-URL")]
    from: Option<String>,

    /// How scikit-learn files are named, like `model_{device}_{sensor}` [default: `score.template` of the configuration]
    #[arg(long, value_name = "TEMPLATE")]
    template: Option<String>,

    #[command(flatten)]
    config: PartialConfig,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Import(args) => import::run(args),
        Command::List(args) => list::run(args),
        Command::Show(args) => list::show(args),
        Command::Score(args) => score::run(args),
        Command::Stale(args) => return stale::run(&args),
        Command::Publish(args) => publish::run(args),
        Command::Rollback(args) => rollback::run(args),
        Command::History(args) => history::run(args),
        Command::Diff(args) => diff::run(args),
        Command::Verify(args) => return verify::run(args),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// What comes after models were written to a place: services and jobs look for them there, or are to be told.
pub(super) fn next_step(config: &config::Config, to: &store::Location, named: &str) -> String {
    let looked_for = store::open(&config.score.models, config.model_storage());
    match looked_for.is_ok_and(|place| place.display == to.display) {
        true => "`atalaia run` and `atalaia score` take them from there".to_owned(),
        false => format!("set `score.models = \"{named}\"`"),
    }
}

impl Place {
    /// The configuration with the options in it. A pipeline need not be complete for this.
    fn config(&self) -> anyhow::Result<config::Config> {
        self.config_by("--from")
    }

    /// The same for a command whose option for the place has another name.
    fn config_by(&self, option: &str) -> anyhow::Result<config::Config> {
        self.applied(self.config.read()?, option)
    }

    fn applied(&self, mut config: config::Config, option: &str) -> anyhow::Result<config::Config> {
        if let Some(from) = &self.from {
            config.score.models.clone_from(from);
        }
        if let Some(template) = &self.template {
            config.score.template.clone_from(template);
            if config.score.any_key && template.contains("{device}") && !template.contains("{sensor}") {
                config.score.key = ::score::Key::Device;
            }
        }
        if config.score.models.is_empty() {
            bail!(
                "no models are named: give their place with `{option}`, or a configuration that has `score.models` with `-c`"
            );
        }
        Ok(config)
    }
}
