//! SIGHUP: the configuration is read again, and what can change under a running service does.
//!
//! A file that is broken changes nothing. Whatever else has changed is named, so that nobody believes it to be in force.

use std::collections::BTreeSet;
use std::sync::Arc;

use config::Config;
use metrics::Unit;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tracing::{error, info, warn};

use crate::commands::ConfigArgs;
use crate::{failure, telemetry};

const RELOADS: &str = "atalaia_config_reloads_total";

/// What is put in force at once.
const ADJUSTABLE: [&str; 2] = ["telemetry.log", "telemetry.log_repeats_max"];

pub(crate) fn describe_metrics() {
    metrics::describe_counter!(
        RELOADS,
        Unit::Count,
        "Times that the configuration was read again (SIGHUP), by outcome"
    );
}

/// Reads the configuration again on each SIGHUP, for as long as the runtime lives; `models` is told to look for newer ones.
///
/// # Errors
/// If the signal cannot be had.
pub(crate) fn watch(args: ConfigArgs, in_force: Config, models: Arc<Notify>, runtime: &Handle) -> anyhow::Result<()> {
    let _runtime = runtime.enter();
    let mut hangups = signal(SignalKind::hangup())?;
    let mut settings = Settings { args, in_force };
    for outcome in ["applied", "unchanged", "failed"] {
        metrics::counter!(RELOADS, "outcome" => outcome).increment(0);
    }
    runtime.spawn(async move {
        while hangups.recv().await.is_some() {
            models.notify_one();
            // Files are read: no business of a thread that others wait for.
            let read_again = tokio::task::spawn_blocking(move || {
                let outcome = settings.read_again();
                (settings, outcome)
            });
            let Ok((back, outcome)) = read_again.await else { return };
            settings = back;
            metrics::counter!(RELOADS, "outcome" => outcome).increment(1);
        }
    });
    Ok(())
}

struct Settings {
    args: ConfigArgs,
    in_force: Config,
}

impl Settings {
    fn read_again(&mut self) -> &'static str {
        let config = match self.args.read() {
            Ok(config) => config,
            Err(problem) => {
                let hint = failure::hints(&problem).join("; ");
                error!(
                    hint,
                    "SIGHUP: the configuration cannot be used, and nothing has changed: {}",
                    failure::chain(&problem)
                );
                return "failed";
            }
        };
        let changed = changes(&self.in_force, &config);
        let (now, later): (Vec<_>, Vec<_>) = changed.iter().partition(|setting| ADJUSTABLE.contains(&setting.as_str()));
        if !now.is_empty() {
            if let Err(problem) = telemetry::adjust(&config.telemetry) {
                error!("SIGHUP: nothing has changed: {}", failure::chain(&problem));
                return "failed";
            }
            self.in_force.telemetry.log.clone_from(&config.telemetry.log);
            self.in_force.telemetry.log_repeats_max = config.telemetry.log_repeats_max;
        }
        for setting in &now {
            let value = value_at(&self.in_force, setting);
            info!("SIGHUP: `{setting}` is {value} from now on");
        }
        for setting in &later {
            warn!("SIGHUP: `{setting}` has changed, and needs a restart");
        }
        info!("SIGHUP: the configuration was read again, and newer models are looked for");
        if now.is_empty() { "unchanged" } else { "applied" }
    }
}

/// Settings whose values differ, by their paths.
fn changes(before: &Config, after: &Config) -> BTreeSet<String> {
    let mut changed = BTreeSet::new();
    let tree = |config: &Config| serde_json::to_value(config).unwrap_or_default();
    compare(&tree(before), &tree(after), "", &mut changed);
    changed
}

fn compare(before: &Value, after: &Value, path: &str, changed: &mut BTreeSet<String>) {
    match (before, after) {
        (Value::Object(one), Value::Object(other)) => {
            let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for key in keys {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let value = |of: &serde_json::Map<String, Value>| of.get(key).cloned().unwrap_or_default();
                compare(&value(one), &value(other), &path, changed);
            }
        }
        (one, other) if one == other => {}
        _ => {
            changed.insert(path.to_owned());
        }
    }
}

fn value_at(config: &Config, setting: &str) -> Value {
    let tree = serde_json::to_value(config).unwrap_or_default();
    setting.split('.').try_fold(&tree, |at, key| at.get(key)).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named_by_its_path() {
        let before = Config::default();
        let mut after = before.clone();
        assert_eq!(changes(&before, &after), BTreeSet::new());
        after.telemetry.log = "debug".into();
        after.sink.url = "az://results".into();
        after.ingest.kafka.properties.insert("a.b".into(), "c".into());
        after.run.workers = Some(3);
        let expected = ["ingest.kafka.properties.a.b", "run.workers", "sink.url", "telemetry.log"];
        assert_eq!(changes(&before, &after), expected.map(str::to_owned).into());
        assert_eq!(value_at(&after, "telemetry.log"), Value::from("debug"));
    }

    #[test]
    fn what_is_applied_is_there() {
        for setting in ADJUSTABLE {
            assert!(!value_at(&Config::default(), setting).is_null(), "{setting}");
        }
    }
}
