//! Questions that are all asked at once, each on a thread of its own and for so long at most. What they found is told in their
//! order, as soon as those before have been; meanwhile it shows whose answers are waited for.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::{Finding, Verdict};
use crate::commands::progress;
use crate::terminal::{self, words};

/// One thing to be asked.
pub(super) struct Check {
    pub(super) about: &'static str,
    /// For how long its answer is waited for.
    pub(super) within: Duration,
    pub(super) ask: Box<dyn FnOnce() -> anyhow::Result<Said> + Send>,
}

/// An answer that is no failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    Fine(String),
    /// It works, and somebody should look at it.
    Doubtful {
        text: String,
        remedy: String,
    },
}

/// How often the waiting is shown anew.
const STEP: Duration = Duration::from_millis(100);

pub(super) fn ask(checks: Vec<Check>, mut tell: impl FnMut(Finding)) -> anyhow::Result<()> {
    let begun = Instant::now();
    let (answer, answers) = mpsc::sync_channel(checks.len());
    let mut asked: Vec<(&'static str, Duration)> = Vec::new();
    for (number, Check { about, within, ask }) in checks.into_iter().enumerate() {
        asked.push((about, within));
        let answer = answer.clone();
        let ask = move || {
            let begun = Instant::now();
            let said = ask();
            // Nobody waits for it any more if it was too slow.
            let _ = answer.try_send((number, said, begun.elapsed()));
        };
        thread::Builder::new().name(format!("check-{number}")).spawn(ask).context("start a thread")?;
    }
    drop(answer);
    let waiting = progress::wait("asking");
    let mut found: BTreeMap<usize, Finding> = BTreeMap::new();
    let mut told = 0;
    while told < asked.len() {
        match answers.recv_timeout(STEP) {
            Ok((number, said, took)) => {
                let finding = finding(asked[number].0, said, took);
                found.entry(number).or_insert(finding);
            }
            Err(RecvTimeoutError::Timeout) => {}
            // Whoever has not answered now panicked.
            Err(RecvTimeoutError::Disconnected) => {
                for (number, (about, _)) in asked.iter().enumerate() {
                    let bug = "the check ended in a panic: this is a bug";
                    found.entry(number).or_insert_with(|| Finding::new(about, Verdict::Problem, bug));
                }
            }
        }
        for (number, (about, within)) in asked.iter().enumerate() {
            if begun.elapsed() >= *within {
                found.entry(number).or_insert_with(|| overdue(about, *within));
            }
        }
        while let Some(finding) = found.get(&told).cloned() {
            terminal::beside_bar(|| tell(finding));
            told += 1;
        }
        let is_open =
            |(number, (about, _)): (usize, &(&'static str, _))| (!found.contains_key(&number)).then_some(*about);
        let open: Vec<&str> = asked.iter().enumerate().filter_map(is_open).collect();
        waiting.say(&format!("asking {}", open.join(", ")));
    }
    Ok(())
}

fn finding(about: &str, said: anyhow::Result<Said>, took: Duration) -> Finding {
    let finding = match said {
        Ok(Said::Fine(text)) => Finding::ok(about, text),
        Ok(Said::Doubtful { text, remedy }) => {
            Finding { remedies: vec![remedy], ..Finding::new(about, Verdict::Warning, text) }
        }
        Err(error) => Finding::problem(about, &error),
    };
    Finding { seconds: Some(took.as_secs_f64()), ..finding }
}

fn overdue(about: &str, within: Duration) -> Finding {
    let text = format!("no answer within {}", words::seconds(within.as_secs_f64()));
    let remedy = "check the network and that the service is up".to_owned();
    let seconds = Some(within.as_secs_f64());
    Finding { remedies: vec![remedy], seconds, ..Finding::new(about, Verdict::Problem, text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        about: &'static str,
        within: Duration,
        ask: impl FnOnce() -> anyhow::Result<Said> + Send + 'static,
    ) -> Check {
        Check { about, within, ask: Box::new(ask) }
    }

    #[test]
    fn answers_are_told_in_order_whoever_is_first_slow_or_silent() {
        let long = Duration::from_secs(60);
        let (second_is_done, first_may_answer) = mpsc::sync_channel::<()>(1);
        let (silence, never) = mpsc::sync_channel::<()>(1);
        let checks = vec![
            check("first", long, move || {
                let _ = first_may_answer.recv();
                Ok(Said::Fine("there".into()))
            }),
            check("second", long, move || {
                let _ = second_is_done.send(());
                anyhow::bail!("not there\nmake it")
            }),
            check("silent", Duration::from_millis(50), move || {
                let _ = never.recv();
                Ok(Said::Fine("too late".into()))
            }),
            check("doubtful", long, || Ok(Said::Doubtful { text: "odd".into(), remedy: "look".into() })),
        ];
        let mut told = Vec::new();
        ask(checks, |finding| told.push((finding.about, finding.verdict, finding.text, finding.remedies))).unwrap();
        drop(silence);
        let row = |about: &str, verdict, text: &str, remedy: Option<&str>| {
            (about.to_owned(), verdict, text.to_owned(), remedy.map(str::to_owned).into_iter().collect::<Vec<_>>())
        };
        assert_eq!(
            told,
            [
                row("first", Verdict::Ok, "there", None),
                row("second", Verdict::Problem, "not there", Some("make it")),
                row(
                    "silent",
                    Verdict::Problem,
                    "no answer within 0.1 s",
                    Some("check the network and that the service is up")
                ),
                row("doubtful", Verdict::Warning, "odd", Some("look")),
            ]
        );
    }
}
