//! What the source says of itself and holds. That it answers is the check; how much it holds is told if that is quickly found.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use config::Config;
use ingest::Held;
use ingest::files::FilesSource;
use types::{Micros, PartitionId, Position};

use super::checklist::Said;
use crate::commands::input::{self, BROKER_TIMEOUT, Input};
use crate::commands::output::escaped;
use crate::commands::state::inquiry::Inquiry;
use crate::runtime::Runtime;
use crate::terminal::words::{plural, seconds};
use crate::wall;

/// For how long it is looked what the source holds.
const LOOK_FOR: Duration = Duration::from_secs(8);
/// Partitions of which the last record is looked at.
const NEWEST_OF: usize = 8;
/// A broker's clock, or a device's, may be a little ahead of ours.
const AHEAD_MAX: Micros = 10_000_000;

#[derive(Debug, Default, PartialEq, Eq)]
struct Holdings {
    records: u64,
    /// Not all partitions answered in time.
    is_part: bool,
    newest: Option<Micros>,
}

pub(super) fn look(config: &Config, runtime: &Runtime) -> anyhow::Result<Said> {
    let text = input::checked(config, runtime.handle())?;
    let topic = match Input::of(&config.ingest)? {
        Input::Kafka(kafka) => kafka.topic.clone(),
        Input::Hub(hubs) => ingest::event_hubs::hub(hubs)?,
        Input::Files => return columns(config, text),
        Input::Simulated => return Ok(Said::Fine(text)),
    };
    // Whoever may read is sometimes not allowed to ask all this: the check itself was passed.
    let Ok(holdings) = holdings(config, &topic) else { return Ok(Said::Fine(text)) };
    Ok(holdings.said(&text, wall::now()))
}

/// Of files, whether they can be opened and their headers have the columns that settings name.
fn columns(config: &Config, text: String) -> anyhow::Result<Said> {
    let files = FilesSource::new(&config.ingest.files, &config.ingest.decode, 1)?;
    let missing = files.missing_columns()?;
    let Some(first) = missing.first() else { return Ok(Said::Fine(text)) };
    let named: BTreeSet<String> = missing.iter().map(|missing| format!("`{}`", escaped(&missing.name))).collect();
    let named: Vec<String> = named.into_iter().take(8).collect();
    let there: Vec<String> = first.columns.iter().take(12).map(|name| format!("`{}`", escaped(name))).collect();
    Ok(Said::Doubtful {
        text: format!(
            "{text}; `ingest.decode.{}` names {}, and the header of `{}` has no such column",
            first.setting,
            named.join(", "),
            escaped(&first.path.display().to_string())
        ),
        remedy: format!("spell them as the header does: {}; or leave them out", there.join(", ")),
    })
}

fn holdings(config: &Config, topic: &str) -> anyhow::Result<Holdings> {
    let begun = Instant::now();
    let mut inquiry = Inquiry::open(config, BROKER_TIMEOUT)?;
    let partitions = inquiry.partitions()?.unwrap_or(0);
    let mut holdings = Holdings::default();
    let mut last = Vec::new();
    for index in 0..partitions {
        if begun.elapsed() > LOOK_FOR {
            holdings.is_part = true;
            break;
        }
        let partition = PartitionId { topic: topic.into(), index };
        if let Some(extent) = inquiry.extent(&partition)? {
            let records = extent.high.0.saturating_sub(extent.low.0).max(0).unsigned_abs();
            holdings.records += records;
            if records > 0 {
                last.push((partition, Position(extent.high.0 - 1)));
            }
        }
    }
    for (partition, position) in last.into_iter().take(NEWEST_OF) {
        if begun.elapsed() > LOOK_FOR {
            break;
        }
        if let Ok(Held::Record(record)) = inquiry.record_at(&partition, position) {
            holdings.newest = holdings.newest.max(record.broker_time);
        }
    }
    Ok(holdings)
}

impl Holdings {
    fn said(&self, text: &str, now: Micros) -> Said {
        if self.records == 0 && !self.is_part {
            return Said::Fine(format!("{text}; it holds no records"));
        }
        let least = if self.is_part { "at least " } else { "" };
        let text = format!("{text}; it holds {least}{}", plural(self.records, "record"));
        let Some(newest) = self.newest else { return Said::Fine(text) };
        let age = now.saturating_sub(newest);
        let apart = seconds(age.unsigned_abs() as f64 / 1e6);
        if age < -AHEAD_MAX {
            return Said::Doubtful {
                text: format!("{text}; the newest one seen is {apart} ahead of this machine's clock"),
                remedy: "check this machine's clock, then those of the brokers and producers".into(),
            };
        }
        let apart = if age < 0 { "0 s".to_owned() } else { apart };
        Said::Fine(format!("{text}, the newest one seen {apart} old"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_held_against_the_settings() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        std::fs::write(&path, "device,ts,temp,flow\n").unwrap();
        let mut config = Config::default();
        config.ingest.source = ingest::SourceKind::Files;
        config.ingest.files.path = path.display().to_string();
        let decode = &mut config.ingest.decode;
        decode.format = ingest::decode::Format::Csv;
        decode.shape = ingest::decode::Shape::Wide;
        decode.sensors = vec!["temp".into(), "flow".into()];
        assert!(matches!(columns(&config, "t".into()).unwrap(), Said::Fine(_)));
        config.ingest.decode.sensors.push("Flow".into());
        let said = columns(&config, "t".into()).unwrap();
        let is_told = |text: &str, remedy: &str| {
            text.contains("`ingest.decode.sensors` names `Flow`") && remedy.contains("`device`, `ts`, `temp`, `flow`")
        };
        assert!(matches!(&said, Said::Doubtful { text, remedy } if is_told(text, remedy)), "{said:?}");
        config.ingest.decode.time = "time".into();
        let error = columns(&config, "t".into()).unwrap_err().to_string();
        assert!(error.contains("has no column `time`"), "{error}");
    }

    #[test]
    fn what_is_held_is_said_in_a_sentence() {
        const NOW: Micros = 1_769_925_600_000_000;
        let holdings = |records, is_part, newest| Holdings { records, is_part, newest };
        for (holdings, end) in [
            (holdings(0, false, None), "; it holds no records"),
            (holdings(1, false, None), "; it holds 1 record"),
            (
                holdings(1_204_332, false, Some(NOW - 3_000_000)),
                "; it holds 1,204,332 records, the newest one seen 3 s old",
            ),
            (holdings(7, true, Some(NOW + 1)), "; it holds at least 7 records, the newest one seen 0 s old"),
        ] {
            assert_eq!(holdings.said("topic `t`", NOW), Said::Fine(format!("topic `t`{end}")));
        }
        let said = holdings(1, false, Some(NOW + 180_000_000)).said("topic `t`", NOW);
        assert!(
            matches!(&said, Said::Doubtful { text, .. } if text.ends_with("is 3 min ahead of this machine's clock")),
            "{said:?}"
        );
    }
}
