//! Tokens for a client that asks on the thread that polls: a thread of its own keeps one at hand.
//!
//! The client asks when four fifths of a token's life have passed; by then there is a new one. Only the very first time
//! there may be nothing yet, and then it is waited for, within a bound.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::token::{self, Token, Tokens};
use crate::Error;
use crate::kafka::{Bearer, BearerTokens};

/// How often the keeper of tokens is asked. It answers from memory, unless a token is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long the first token is waited for. Brokers are not asked before, and the client asks again ten seconds after a failure.
const FIRST_WAIT: Duration = Duration::from_secs(5);

pub(super) struct Bearers {
    shared: Arc<Shared>,
    principal: String,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    last: Option<Result<Token, token::Error>>,
    is_over: bool,
}

impl Bearers {
    /// `principal`: for whom the tokens speak, for the broker's log.
    pub(super) fn start(tokens: Tokens, principal: String) -> Result<Self, Error> {
        let failed = |error: std::io::Error| Error::Kafka { action: "start a thread", reason: error.to_string() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let shared = Arc::new(Shared::default());
        let keeping = Arc::clone(&shared);
        thread::Builder::new()
            .name("tokens".into())
            .spawn(move || {
                while !keeping.state().is_over {
                    let last = runtime.block_on(tokens.bearer());
                    let mut state = keeping.state();
                    state.last = Some(last);
                    keeping.changed.notify_all();
                    let waited = keeping.changed.wait_timeout_while(state, LOOK_EVERY, |state| !state.is_over);
                    drop(waited);
                }
            })
            .map_err(failed)?;
        Ok(Bearers { shared, principal })
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BearerTokens for Bearers {
    fn current(&self) -> Result<Bearer, Error> {
        let state = self.shared.state();
        let waited = self.shared.changed.wait_timeout_while(state, FIRST_WAIT, |state| state.last.is_none());
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match &state.last {
            Some(Ok(token)) if token::wall() < token.expires => Ok(Bearer {
                text: token.text.reveal().to_owned(),
                principal: self.principal.clone(),
                expires: token.expires,
            }),
            Some(Err(error)) => Err(error.clone().into()),
            _ => Err(Error::Kafka { action: "authenticate", reason: "the identity has no token yet".into() }),
        }
    }

    fn failure(&self) -> Option<Error> {
        match &self.shared.state().last {
            Some(Ok(token)) if token::wall() < token.expires => None,
            Some(Err(error)) => Some(error.clone().into()),
            _ => Some(Error::Kafka { action: "authenticate", reason: "the identity has no token yet".into() }),
        }
    }
}

impl Drop for Bearers {
    fn drop(&mut self) {
        self.shared.state().is_over = true;
        self.shared.changed.notify_all();
    }
}
