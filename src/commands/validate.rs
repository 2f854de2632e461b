//! `atalaia validate`: verdicts on a configuration, and with `--online` on what it points to.
//!
//! Offline nothing is opened or asked, so that it can run where the secrets are not (`sections`). Online each thing is asked by
//! itself, at the same time as the others and for so long at most (`online`, `checklist`): one that does not answer hides none.

mod checklist;
mod online;
mod sections;
mod show;
mod source;

use std::process::ExitCode;

use serde::Serialize;

use self::show::Show;
use super::{ConfigArgs, Format};
use crate::failure;

/// Checks a configuration and says what it amounts to
///
/// Without --online, nothing is opened and no secret is read: it fits into a build pipeline. With --online, the broker is
/// asked for the topic and what it holds, the places of the results are tried, and the models are loaded, with the rights that a run
/// would have. Folders for results on this machine are created by that; nothing is left in them, nor in any other store.
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
#[derive(Debug, Clone, Serialize)]
struct Finding {
    /// The section or the thing that was asked.
    about: String,
    verdict: Verdict,
    text: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remedies: Vec<String>,
    /// How long the answer took, of what was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    Warning,
    Problem,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut show = Show::new(&args);
    match args.config.load_quietly() {
        Ok(config::Loaded { config, warnings, .. }) => {
            sections::sections(&config).into_iter().for_each(|finding| show.tell(finding));
            warnings.into_iter().map(Finding::warning).for_each(|finding| show.tell(finding));
            if args.online {
                checklist::ask(online::checks(config)?, |finding| show.tell(finding))?;
            }
        }
        Err(error) => refused(&error).into_iter().for_each(|finding| show.tell(finding)),
    }
    let runs = show.close()?;
    Ok(if runs { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Finding {
    fn new(about: &str, verdict: Verdict, text: impl Into<String>) -> Self {
        Finding { about: about.to_owned(), verdict, text: text.into(), remedies: Vec::new(), seconds: None }
    }

    fn ok(about: &str, text: impl Into<String>) -> Self {
        Finding::new(about, Verdict::Ok, text)
    }

    fn warning(text: String) -> Self {
        let section = text.strip_prefix('`').and_then(|rest| rest.split(['.', '`']).next()).unwrap_or("configuration");
        Finding::new(section, Verdict::Warning, text.clone())
    }

    fn problem(about: &str, error: &anyhow::Error) -> Self {
        Finding { remedies: failure::hints(error), ..Finding::new(about, Verdict::Problem, failure::chain(error)) }
    }

    fn of(about: &str, outcome: anyhow::Result<String>) -> Self {
        match outcome {
            Ok(text) => Finding::ok(about, text),
            Err(error) => Finding::problem(about, &error),
        }
    }
}

/// Why there is no configuration: a finding for each setting at fault.
fn refused(error: &anyhow::Error) -> Vec<Finding> {
    let problems = error.downcast_ref::<config::Error>().map(config::Error::problems).unwrap_or_default();
    if problems.is_empty() {
        return vec![Finding::problem("configuration", error)];
    }
    let section = |problem: &config::Problem| problem.setting.split('.').next().unwrap_or_default().to_owned();
    problems.iter().map(|problem| Finding::new(&section(problem), Verdict::Problem, problem.message.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_at_fault_is_a_finding() {
        let set = ["sink.urll=x", "run.workers=many"].map(String::from).to_vec();
        let error = config::load(config::Sources { set, ..Default::default() }).unwrap_err();
        let findings = refused(&error.into());
        // The rules find what is not there besides.
        let about: Vec<&str> = findings.iter().map(|finding| finding.about.as_str()).collect();
        assert!(about.starts_with(&["sink", "run"]) && about.contains(&"ingest"), "{about:?}");
        assert!(findings.iter().all(|finding| finding.verdict == Verdict::Problem));
    }
}
