//! What can be made to go wrong, from a test or through the control channel: the commands, and faults that last.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::frames::Refusal;
use crate::hub::lock;

/// A command, as JSON `{"do": "drop", "connection": 3}`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Connections, links with epoch and receiver name, events.
    Statistics,
    /// Ends one connection, or all, without a word.
    Drop {
        connection: Option<u64>,
    },
    /// Keeps one connection, or all, open and silent.
    HalfOpen {
        connection: Option<u64>,
    },
    /// Closes one connection, or all, with an error.
    Close {
        connection: Option<u64>,
        #[serde(default = "forced")]
        condition: String,
        description: Option<String>,
    },
    /// Ends the sessions of one connection, or of all, with an error or without.
    End {
        connection: Option<u64>,
        condition: Option<String>,
    },
    /// Detaches links of a hub with an error, of all hubs without one named.
    Detach {
        #[serde(default)]
        hub: Option<String>,
        partition: Option<usize>,
        #[serde(default)]
        links: Links,
        condition: String,
        description: Option<String>,
    },
    /// Reads a partition with a higher epoch for a while: the readers lose their links.
    Steal {
        hub: String,
        partition: usize,
        #[serde(default = "default_group")]
        group: String,
        /// One more than the highest, when not given.
        epoch: Option<i64>,
        #[serde(default)]
        seconds: f64,
    },
    /// Answers attaches, sends and management with `server-busy` for a while.
    Throttle {
        seconds: f64,
    },
    /// Answers every token with 401 for a while.
    RefuseTokens {
        seconds: f64,
    },
    /// Takes tokens, and refuses links for a while, those of a policy without the right; management too, unless it is to answer.
    RefuseRights {
        seconds: f64,
        #[serde(default)]
        but_management: bool,
    },
    /// All tokens that were put are worth nothing from now on.
    ExpireTokens,
    /// What clients send is looked at this much later, until told otherwise.
    Delay {
        milliseconds: u64,
    },
    /// Lets go of the events below a sequence number.
    Expire {
        hub: String,
        partition: usize,
        before: i64,
    },
    AddPartitions {
        hub: String,
        count: usize,
    },
    /// Appends events to a partition, for measuring.
    Fill {
        hub: String,
        partition: usize,
        count: usize,
        bytes: usize,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Links {
    #[default]
    All,
    Producers,
    Consumers,
}

fn forced() -> String {
    "amqp:connection:forced".to_owned()
}

fn default_group() -> String {
    "$Default".to_owned()
}

/// Faults that last until a time.
#[derive(Default)]
pub(crate) struct Faults {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    throttle_until: Option<Instant>,
    refuse_tokens_until: Option<Instant>,
    refuse_rights_until: Option<Instant>,
    but_management: bool,
    delay: Duration,
}

impl Faults {
    pub(crate) fn throttle(&self, seconds: f64) {
        lock(&self.state).throttle_until = until(seconds);
    }

    pub(crate) fn refuse_tokens(&self, seconds: f64) {
        lock(&self.state).refuse_tokens_until = until(seconds);
    }

    pub(crate) fn refuse_rights(&self, seconds: f64, but_management: bool) {
        let mut state = lock(&self.state);
        (state.refuse_rights_until, state.but_management) = (until(seconds), but_management);
    }

    pub(crate) fn is_management_refused(&self) -> bool {
        self.are_rights_refused() && !lock(&self.state).but_management
    }

    pub(crate) fn are_rights_refused(&self) -> bool {
        ahead(lock(&self.state).refuse_rights_until)
    }

    pub(crate) fn set_delay(&self, delay: Duration) {
        lock(&self.state).delay = delay;
    }

    pub(crate) fn delay(&self) -> Duration {
        lock(&self.state).delay
    }

    /// In the words of the service.
    pub(crate) fn throttled(&self) -> Option<Refusal> {
        ahead(lock(&self.state).throttle_until).then(|| {
            Refusal::new(
                "com.microsoft:server-busy",
                "The request was terminated because the entity is being throttled. Error code : 50002. Please wait 4 \
                 seconds and try again. To know more visit https://aka.ms/sbResourceMgrExceptions",
            )
        })
    }

    pub(crate) fn refusing_tokens(&self) -> Option<&'static str> {
        ahead(lock(&self.state).refuse_tokens_until).then_some("InvalidToken: Tokens are refused for now.")
    }
}

fn until(seconds: f64) -> Option<Instant> {
    Instant::now().checked_add(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

fn ahead(until: Option<Instant>) -> bool {
    until.is_some_and(|until| Instant::now() < until)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_json() {
        let read = |text: &str| serde_json::from_str::<Command>(text);
        assert_eq!(read(r#"{"do":"drop"}"#).unwrap(), Command::Drop { connection: None });
        assert_eq!(
            read(r#"{"do":"steal","hub":"h","partition":1}"#).unwrap(),
            Command::Steal { hub: "h".to_owned(), partition: 1, group: default_group(), epoch: None, seconds: 0.0 }
        );
        assert_eq!(read(r#"{"do":"throttle","seconds":2}"#).unwrap(), Command::Throttle { seconds: 2.0 });
        assert!(read(r#"{"do":"throttle"}"#).is_err());
        assert!(read(r#"{"do":"nothing"}"#).is_err());
    }

    #[test]
    fn a_fault_ends_by_itself() {
        let faults = Faults::default();
        assert!(faults.throttled().is_none());
        faults.throttle(3600.0);
        assert_eq!(faults.throttled().unwrap().condition, "com.microsoft:server-busy");
        faults.throttle(0.0);
        assert!(faults.throttled().is_none());
    }
}
