//! Tokens for Event Hubs: one provider for `$cbs` of AMQP and for OAUTHBEARER of Kafka.
//!
//! Signatures made with a key cost microseconds, so each is made anew; the key, or a signature that is given, is read anew
//! from its place each time, so that one that was regenerated there is picked up; tokens of Microsoft Entra ID are kept, and refreshed before they expire (`keeper`). When to put a
//! token before the service again is up to who holds the connection: [`Token::expires`] says until when it is good.

mod answer;
mod entra;
mod error;
mod http;
mod keeper;
mod sas;
#[cfg(test)]
mod tests;

use std::time::SystemTime;

use types::Secret;

pub use error::Error;

use self::entra::Entra;
use self::keeper::Keeper;
use super::Config;
use super::connection_string::Credential;
use super::hidden::Hidden;
use super::place;
#[cfg(feature = "kafka")]
use super::place::Place;

/// What AMQP asks Entra ID for; the same in all clouds.
/// (learn.microsoft.com, "Authenticate an application with Microsoft Entra ID to access Event Hubs resources".)
const SCOPE: &str = "https://eventhubs.azure.net/.default";

/// What shows that we may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) text: Hidden,
    pub(crate) expires: SystemTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A shared access signature.
    Sas,
    /// A JSON web token of Entra ID.
    Jwt,
}

/// Gives tokens, by the one way that the configuration names.
#[derive(Debug)]
pub(crate) struct Tokens {
    way: Way,
    now: fn() -> SystemTime,
}

#[derive(Debug)]
enum Way {
    /// A key, or a signature, within a connection string.
    Connection(Secret),
    Given(Secret),
    Entra(Box<Keeper>),
}

impl Tokens {
    /// For AMQP.
    ///
    /// # Errors
    /// If settings contradict each other, or something is missing that the environment would have to have.
    pub(crate) fn new(config: &Config) -> Result<Self, crate::Error> {
        Tokens::with_scope(config, SCOPE.into())
    }

    /// For Kafka, where the service wants tokens for the namespace itself.
    ///
    /// # Errors
    /// As `new`.
    #[cfg(feature = "kafka")]
    pub(crate) fn for_kafka(config: &Config, place: &Place) -> Result<Self, crate::Error> {
        Tokens::with_scope(config, format!("https://{}/.default", place.host))
    }

    fn with_scope(config: &Config, scope: String) -> Result<Self, crate::Error> {
        // What is wrong with it is said at once.
        place::connection_string(config)?;
        let way = match (&config.connection_string, &config.sas_token) {
            (Some(_), Some(_)) => {
                return Err(setting("sas_token", "is for where there is no `connection_string`: leave one out").into());
            }
            (Some(secret), None) => Way::Connection(secret.clone()),
            (None, Some(secret)) => Way::Given(secret.clone()),
            (None, None) => {
                let entra = Entra::new(config, scope, &|name| std::env::var(name).ok())?;
                Way::Entra(Box::new(Keeper::new(entra, wall)))
            }
        };
        Ok(Tokens { way, now: wall })
    }

    /// A token for this resource, good for now and some time.
    ///
    /// # Errors
    /// If there is none: with [`crate::Kind::Retry`], asking again later may help.
    pub(crate) async fn get(&self, audience: &str) -> Result<Token, crate::Error> {
        Ok(self.find(audience).await?)
    }

    /// One that is for no resource in particular, as those of Entra ID are.
    #[cfg(feature = "kafka")]
    pub(super) async fn bearer(&self) -> Result<Token, Error> {
        self.find("").await
    }

    async fn find(&self, audience: &str) -> Result<Token, Error> {
        let now = (self.now)();
        Ok(match &self.way {
            Way::Connection(secret) => {
                let found =
                    place::read_connection_string(secret).map_err(|reason| setting("connection_string", &reason))?;
                match found.credential {
                    Credential::Key { name, key } => sas::sign(audience, &name, &key, now),
                    Credential::Signature(signature) => sas::given(signature.reveal(), secret.reference(), now)?,
                }
            }
            Way::Given(secret) => {
                let text = secret.reveal().map_err(|reason| setting("sas_token", &reason))?;
                sas::given(&text, secret.reference(), now)?
            }
            Way::Entra(keeper) => keeper.get().await?,
        })
    }
}

fn setting(setting: &str, reason: &str) -> Error {
    Error::Setting { setting: format!("ingest.event_hubs.{setting}"), reason: reason.into() }
}

/// Tokens expire by the wall clock, and nothing that is computed depends on it.
#[allow(clippy::disallowed_methods, reason = "the service judges tokens by it")]
pub(super) fn wall() -> SystemTime {
    SystemTime::now()
}
