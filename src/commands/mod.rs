//! One file a command: its arguments, and what it does with them.

mod account;
pub(crate) mod assemble;
pub(crate) mod completions;
mod dataset;
pub(crate) mod demo;
pub(crate) mod estimate;
pub(crate) mod eval;
pub(crate) mod explain;
pub(crate) mod health;
pub(crate) mod init;
mod input;
pub(crate) mod man;
mod markup;
pub(crate) mod models;
mod output;
mod parquet_file;
mod predictions;
pub(crate) mod preview;
mod progress;
mod ranking;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod score;
pub(crate) mod simulate;
pub(crate) mod state;
pub(crate) mod top;
pub(crate) mod train;
pub(crate) mod validate;

pub(crate) use output::grouped;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use ingest::decode::{TimeUnit, parse_time};
use types::Micros;

use crate::telemetry;

/// Where the configuration comes from.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConfigArgs {
    /// Configuration file, TOML or JSON; every setting is described in docs/configuration.md
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: PathBuf,

    /// Overrides one setting; may be given several times. Environment variables ATALAIA__SECTION__KEY do the same
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

impl ConfigArgs {
    /// Reads the configuration and sets up logs as it says.
    pub(crate) fn load(&self) -> anyhow::Result<config::Config> {
        let loaded = config::load(self.sources())?;
        telemetry::logs(&loaded.config.telemetry)?;
        warn(&loaded);
        Ok(loaded.config)
    }

    /// The same for a command that tells people what it finds: of the log only what they should know, unless they asked for more.
    /// The warnings are still to be told.
    pub(crate) fn load_quietly(&self) -> anyhow::Result<config::Loaded> {
        let mut loaded = config::load(self.sources())?;
        let telemetry = &mut loaded.config.telemetry;
        if telemetry.log == config::telemetry::Config::default().log {
            telemetry.log = "warn".into();
        }
        telemetry::logs(telemetry)?;
        Ok(loaded)
    }

    /// The configuration as it is now, if it can be run.
    pub(crate) fn read(&self) -> anyhow::Result<config::Config> {
        Ok(config::load(self.sources())?.config)
    }

    /// The same for a command that has no use for these sections: they may be incomplete.
    pub(crate) fn load_without(&self, sections: &[&str]) -> anyhow::Result<config::Config> {
        let loaded = config::read(self.sources())?;
        telemetry::logs(&loaded.config.telemetry)?;
        let mut problems = config::validate(&loaded.config).problems;
        let section = |setting: &str| setting.split('.').next().unwrap_or_default().to_owned();
        problems.retain(|problem| !sections.contains(&section(&problem.setting).as_str()));
        if problems.is_empty() { Ok(loaded.config) } else { Err(config::Error::Invalid { problems }.into()) }
    }

    fn sources(&self) -> config::Sources {
        sources(Some(&self.config), &self.set)
    }
}

/// The configuration of a command that needs no complete pipeline.
#[derive(Debug, Clone, Args)]
pub(crate) struct PartialConfig {
    /// Configuration file: its credentials, and the defaults of the other options
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Overrides one setting; may be given several times
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
}

impl PartialConfig {
    pub(crate) fn read(&self) -> anyhow::Result<config::Config> {
        let mut config = config::read(sources(self.config.as_deref(), &self.set))?.config;
        // Without a pipeline there is nothing that models could fail to fit.
        config.score.any_key = self.config.is_none() && self.set.is_empty();
        Ok(config)
    }

    /// As it was given, and where.
    pub(crate) fn loaded(&self) -> anyhow::Result<config::Loaded> {
        Ok(config::read(sources(self.config.as_deref(), &self.set))?)
    }

    pub(crate) fn is_given(&self) -> bool {
        self.config.is_some() || !self.set.is_empty()
    }

    pub(crate) fn has_file(&self) -> bool {
        self.config.is_some()
    }
}

/// Logs what is probably not what was meant.
pub(crate) fn warn(loaded: &config::Loaded) {
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
}

fn sources(file: Option<&Path>, set: &[String]) -> config::Sources {
    let env =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    config::Sources { file: file.map(Path::to_owned), env: env.collect(), set: set.to_vec() }
}

/// A moment on the command line.
pub(crate) fn time(text: &str) -> Result<Micros, String> {
    parse_time(text, TimeUnit::Auto).map_err(|why| format!("{why}: write a time like `2026-01-31T06:00:00Z`"))
}

/// What happens at the end of the input to windows that are still open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CloseArg {
    /// They stay open in the state; the next run goes on with them
    Due,
    /// They are closed and scored as they are
    All,
}

impl From<CloseArg> for aggregate::Close {
    fn from(close: CloseArg) -> Self {
        match close {
            CloseArg::Due => aggregate::Close::Due,
            CloseArg::All => aggregate::Close::All,
        }
    }
}

/// How results are printed: for people, or for scripts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
}

/// A share of a whole, as `0.85` or `85%`.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    let (number, scale) = match text.trim().strip_suffix('%') {
        Some(percent) => (percent.trim(), 100.0),
        None => (text.trim(), 1.0),
    };
    let share = number.parse::<f64>().ok().map(|number| number / scale);
    share
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| format!("`{text}` is no share: write it like `0.85` or `85%`"))
}
