//! Keeps one token: refreshed well before it expires, asked for once at a time, and not asked for while the other side
//! wants to be left alone.
//!
//! A refresh that fails costs nothing while the old token is good: it is handed out, and the refresh tried again later.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tracing::{info, warn};

use super::entra::Entra;
use super::{Error, Token};

/// The first pause after a failure; each further one lasts twice as long.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest one, unless the other side asks for more.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// The longest that is granted to the other side.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub(super) struct Keeper {
    entra: Entra,
    now: fn() -> SystemTime,
    /// Held while asking.
    asking: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
pub(super) struct Known {
    token: Option<Held>,
    failed: Option<Failed>,
}

#[derive(Debug)]
struct Held {
    token: Token,
    refresh: SystemTime,
}

#[derive(Debug)]
struct Failed {
    error: Error,
    times: u32,
    since: SystemTime,
    pause: Duration,
}

/// What is known without asking.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    Settled(Result<Token, Error>),
    /// To be asked for; meanwhile this one is good.
    Due(Option<Token>),
}

impl Keeper {
    pub(super) fn new(entra: Entra, now: fn() -> SystemTime) -> Self {
        Keeper { entra, now, asking: tokio::sync::Mutex::default(), known: Mutex::default() }
    }

    pub(super) async fn get(&self) -> Result<Token, Error> {
        let spare = match self.known().look((self.now)()) {
            Look::Settled(result) => return result,
            Look::Due(spare) => spare,
        };
        let _asking = match (self.asking.try_lock(), spare) {
            (Ok(asking), _) => asking,
            (Err(_), Some(spare)) => return Ok(spare),
            (Err(_), None) => self.asking.lock().await,
        };
        // Whoever asked before us may have settled it.
        if let Look::Settled(result) = self.known().look((self.now)()) {
            return result;
        }
        let asked = (self.now)();
        let answer = self.entra.ask(asked).await;
        self.known().learn(answer, asked, (self.now)())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    pub(super) fn look(&self, now: SystemTime) -> Look {
        let good = self.token.as_ref().filter(|held| now < held.token.expires);
        if let Some(held) = good.filter(|held| now < held.refresh) {
            return Look::Settled(Ok(held.token.clone()));
        }
        let good = good.map(|held| held.token.clone());
        match self.failed.as_ref().filter(|failed| failed.is_pausing(now)) {
            Some(failed) => Look::Settled(good.ok_or_else(|| failed.error.clone())),
            None => Look::Due(good),
        }
    }

    /// `asked`: when the question was put; `now`: when it was answered.
    pub(super) fn learn(
        &mut self,
        answer: Result<Token, Error>,
        asked: SystemTime,
        now: SystemTime,
    ) -> Result<Token, Error> {
        match answer {
            Ok(token) => {
                let lifetime = token.expires.duration_since(asked).unwrap_or_default();
                if self.failed.take().is_some() {
                    info!("the identity has a token again");
                }
                self.token = Some(Held { token: token.clone(), refresh: asked + lifetime * 3 / 4 });
                Ok(token)
            }
            Err(error) => {
                let times = self.failed.as_ref().map_or(0, |failed| failed.times).saturating_add(1);
                let pause = pause(times, &error);
                self.failed = Some(Failed { error: error.clone(), times, since: now, pause });
                let good = self.token.as_ref().filter(|held| now < held.token.expires);
                let Some(held) = good else { return Err(error) };
                warn!(hint = error.hint(), pause_s = pause.as_secs(), "{error}; the token at hand is still good");
                Ok(held.token.clone())
            }
        }
    }
}

impl Failed {
    /// A clock that was set back makes no longer pause.
    fn is_pausing(&self, now: SystemTime) -> bool {
        now.duration_since(self.since).is_ok_and(|passed| passed < self.pause)
    }
}

fn pause(times: u32, error: &Error) -> Duration {
    let ours = PAUSE_MIN.saturating_mul(1 << (times - 1).min(10)).min(PAUSE_MAX);
    match error {
        Error::Busy { retry_after: Some(theirs), .. } => ours.max((*theirs).min(RETRY_AFTER_MAX)),
        _ => ours,
    }
}
