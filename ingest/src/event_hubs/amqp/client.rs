//! What a member, a check or a producer holds: a connection that is made when it is needed and made anew when it broke,
//! with tokens that are renewed before they expire.
//!
//! Whoever finds the connection broken says so with the number it had; the next one that needs it makes another, after a wait
//! that grows from failure to failure. Questions to `$management` are asked here, too, since they go over the same connection.

mod open;
mod standing;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp_types::messaging::ApplicationProperties;
use fe2o3_amqp_types::primitives::SimpleValue;
use jiff::Timestamp;
use serde_amqp::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::debug;

pub(crate) use self::open::Gone;
use self::open::Open;
use self::standing::Standing;
use super::connection::Way;
use super::error::Error;
use super::facts::{HubFacts, PartitionFacts};
use super::failure::{Class, Failure};
use super::metrics;
use super::rpc::within;
use crate::event_hubs::config::Config;
use crate::event_hubs::jitter;
use crate::event_hubs::token::Tokens;
use crate::{Kind, Trouble};

/// Waits between attempts to connect: the first, doubled from failure to failure up to the last, each drawn anew.
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// What is to be done with the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Listen,
    Send,
}

pub(crate) struct Client {
    pub(crate) way: Way,
    pub(crate) group: String,
    purpose: Purpose,
    tokens: Arc<Tokens>,
    /// Unlike that of any other client.
    container: String,
    names: AtomicU64,
    connection: Mutex<Slot>,
    /// Since when there is no connection, and why.
    trouble: std::sync::Mutex<Option<Trouble>>,
    /// When the hub was made: another time is another hub.
    created: OnceLock<Timestamp>,
    /// Of a key without rights the service takes the tokens, may answer questions, and refuses the links that they are for.
    questions: Standing,
    links: Standing,
}

#[derive(Default)]
struct Slot {
    open: Option<Arc<Open>>,
    made: u64,
    /// To connect, one after the other.
    failures: u32,
    not_before: Option<Instant>,
}

/// A session of its own for a link, with the number of the connection it is on.
pub(crate) struct Session {
    pub(crate) handle: SessionHandle<()>,
    pub(crate) connection: u64,
    pub(crate) gone: Gone,
}

impl Client {
    /// # Errors
    /// If a setting is refused. Nothing is connected yet.
    pub(crate) fn new(config: &Config, purpose: Purpose) -> Result<Self, crate::Error> {
        let way = Way::new(config)?;
        let tokens = Tokens::new(config)?;
        Ok(Client {
            group: config.consumer_group.clone(),
            purpose,
            tokens: Arc::new(tokens),
            container: format!("atalaia-{:016x}", jitter::random()),
            names: AtomicU64::new(0),
            connection: Mutex::default(),
            trouble: std::sync::Mutex::default(),
            created: OnceLock::new(),
            questions: Standing::default(),
            links: Standing::default(),
            way,
        })
    }

    /// A link's name that no other one has.
    pub(crate) fn link_name(&self, what: &str) -> String {
        format!("{}-{what}-{}", self.container, self.names.fetch_add(1, Ordering::Relaxed))
    }

    fn standing(&self, failure: &Failure) -> &Standing {
        if failure.is_of_link() { &self.links } else { &self.questions }
    }

    /// The hub has answered before.
    pub(crate) fn was_found(&self) -> bool {
        self.created.get().is_some()
    }

    /// Begins a session, on a new connection if there is none.
    pub(crate) async fn session(&self) -> Result<Session, Failure> {
        let open = self.open().await?;
        match open.session().await {
            Ok(handle) => Ok(Session { handle, connection: open.number, gone: open.gone() }),
            Err(failure) => {
                if !failure.is_crowded() {
                    self.abandon(open.number, &failure).await;
                }
                Err(failure)
            }
        }
    }

    /// Attaches a link to a session on the connection of this number.
    pub(crate) async fn attach<T>(
        &self,
        number: u64,
        attaching: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let attached = within(self.way.patience.request, "attach", attaching).await;
        self.heard(&self.links, number, &attached).await;
        attached
    }

    /// Takes note of what the service said, and gives up a connection that is of no use.
    async fn heard<T>(&self, standing: &Standing, number: u64, said: &Result<T, Failure>) {
        match said {
            Ok(_) => standing.admitted(),
            Err(failure) if failure.breaks_connection() => self.abandon(number, failure).await,
            Err(_) => {}
        }
    }

    /// The connection of this number is of no use any more. The others on it will find out, or be told so.
    pub(crate) async fn abandon(&self, number: u64, failure: &Failure) {
        let condition = failure.condition.as_str();
        let mut slot = self.connection.lock().await;
        if let Some(open) = slot.open.take_if(|open| open.number == number) {
            debug!(number, condition, "connection to the event hub given up");
            metrics::disconnected(condition);
            self.cut_off_by(condition);
            open.give_up();
            // Connecting is no way in.
            if failure.class == Class::Unauthorized {
                let refusals = self.standing(failure).refused();
                slot.not_before = Some(Instant::now() + jitter::back_off(refusals, RETRY_FIRST, RETRY_MAX));
            }
        }
    }

    /// Closes the connection in good order.
    pub(crate) async fn close(&self) {
        let open = self.connection.lock().await.open.take();
        if let Some(open) = open {
            open.close().await;
        }
    }

    async fn open(&self) -> Result<Arc<Open>, Failure> {
        // Whoever comes while another connects waits for the same connection: connecting is bounded.
        let mut slot = self.connection.lock().await;
        if let Some(open) = &slot.open {
            if open.is_usable() {
                return Ok(Arc::clone(open));
            }
            metrics::disconnected("closed");
            self.cut_off_by("the connection was closed");
            open.give_up();
            slot.open = None;
        }
        if let Some(time) = slot.not_before {
            tokio::time::sleep_until(time).await;
        }
        slot.made += 1;
        match Open::new(self, slot.made).await {
            Ok(open) => {
                metrics::connected();
                *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
                (slot.failures, slot.not_before) = (0, None);
                Ok(Arc::clone(slot.open.insert(open)))
            }
            Err(failure) => {
                let wait = jitter::back_off(slot.failures, RETRY_FIRST, RETRY_MAX) + failure.least_wait();
                slot.failures = slot.failures.saturating_add(1);
                slot.not_before = Some(Instant::now() + wait);
                if failure.class == Class::Unauthorized {
                    self.standing(&failure).refused();
                }
                metrics::connection_failed(&failure.condition);
                self.cut_off_by(&failure.reason);
                Err(failure)
            }
        }
    }

    /// The last reason is told, with the time of the first.
    fn cut_off_by(&self, reason: &str) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let since = trouble.as_ref().map_or_else(std::time::Instant::now, |trouble| trouble.since);
        *trouble = Some(Trouble { since, reason: reason.to_owned() });
    }

    /// Why there is no connection, since one was last given up or could not be made.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// For what tokens are put before the service.
    fn audiences(&self) -> Vec<String> {
        let hub = self.way.place.audience();
        match self.purpose {
            Purpose::Listen => vec![format!("{hub}/ConsumerGroups/{}", self.group), hub],
            Purpose::Send => vec![hub],
        }
    }

    // === Questions ===

    pub(crate) async fn hub(&self) -> Result<HubFacts, Failure> {
        let facts = HubFacts::of(&self.read("com.microsoft:eventhub", None).await?)?;
        let created = self.created.get_or_init(|| facts.created_at);
        if *created != facts.created_at {
            return Err(Failure::new(Class::Replaced, "replaced", facts.created_at.to_string()));
        }
        Ok(facts)
    }

    pub(crate) async fn partition(&self, index: u32) -> Result<PartitionFacts, Failure> {
        PartitionFacts::of(&self.read("com.microsoft:partition", Some(index)).await?)
    }

    async fn read(&self, kind: &str, partition: Option<u32>) -> Result<Value, Failure> {
        let open = self.open().await?;
        let token = open::get_token(&self.tokens, &self.way.place.audience()).await?;
        let mut properties = ApplicationProperties::builder()
            .insert("operation", "READ")
            .insert("type", kind)
            .insert("name", self.way.place.hub.as_str())
            .insert("security_token", token.text.reveal());
        if let Some(index) = partition {
            properties = properties.insert("partition", SimpleValue::String(index.to_string()));
        }
        let answer = open.manage(self.link_name("management"), properties.build()).await;
        metrics::managed(answer.as_ref().err().map(|failure| failure.condition.as_str()));
        self.heard(&self.questions, open.number, &answer).await;
        answer
    }

    // === Meanings ===

    /// What a failure means to a user, when it is not waited for.
    pub(crate) fn error(&self, action: &'static str, failure: &Failure) -> Error {
        let (address, hub, reason) = (self.way.place.address(), self.way.place.hub.clone(), failure.reason.clone());
        match failure.class {
            Class::Lost | Class::Silent => Error::Unreachable { address, reason },
            Class::Tls => Error::Tls { address, reason },
            Class::Unauthorized if is_about_rights(&reason) => Error::NotAllowed { action: self.right(), hub, reason },
            Class::Unauthorized => Error::Authentication { address, reason },
            Class::NotFound if is_about_group(&reason, &self.group) => {
                Error::GroupMissing { hub, group: self.group.clone(), reason }
            }
            Class::NotFound => Error::HubMissing { hub, address, reason },
            Class::Replaced => Error::HubReplaced { hub, address, created: reason },
            Class::Detached | Class::Busy(_) | Class::Stolen | Class::Refused => Error::Failed { action, reason },
        }
    }

    fn right(&self) -> &'static str {
        match self.purpose {
            Purpose::Listen => "listen to",
            Purpose::Send => "send to",
        }
    }

    /// The error in a failure, if waiting does not heal it: one that was not there when the service let us in may.
    pub(crate) fn verdict(&self, action: &'static str, failure: &Failure) -> Option<Error> {
        if failure.is_transient() {
            return None;
        }
        let standing = self.standing(failure);
        let may_pass = match failure.class {
            Class::Unauthorized => !standing.is_refused(),
            Class::Tls => standing.was_admitted(),
            _ => false,
        };
        (!may_pass).then(|| self.error(action, failure))
    }

    /// The verdict, if it ends a service: one after which trying again makes sense does not.
    pub(crate) fn ending(&self, action: &'static str, failure: &Failure) -> Option<Error> {
        self.verdict(action, failure).filter(|error| error.kind() != Kind::Retry)
    }
}

/// The service tells a wrong token (`InvalidSignature`, `ExpiredToken`) from one without the right ("'Listen' claim(s) are required").
fn is_about_rights(reason: &str) -> bool {
    reason.to_ascii_lowercase().contains("claim")
}

fn is_about_group(reason: &str, group: &str) -> bool {
    let reason = reason.to_ascii_lowercase();
    reason.contains("consumergroup")
        || reason.contains("consumer group")
        || reason.contains(&format!("|{}", group.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use types::Secret;

    use super::*;

    #[test]
    fn what_may_pass_ends_nothing() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(
            b"Endpoint=sb://h/;SharedAccessKeyName=n;SharedAccessKey=k;EntityPath=hub;UseDevelopmentEmulator=true",
        )
        .unwrap();
        let secret = Secret::parse(&format!("file:{}", file.path().display())).unwrap();
        let config = Config { connection_string: Some(secret), ..Config::default() };
        let client = Client::new(&config, Purpose::Listen).unwrap();
        for (class, has_verdict, is_end) in [
            (Class::Silent, false, false),
            (Class::Refused, true, false),
            (Class::Stolen, true, false),
            (Class::NotFound, true, true),
            (Class::Replaced, true, true),
            (Class::Tls, true, true),
        ] {
            let failure = Failure::new(class, "", "");
            assert_eq!(client.verdict("read", &failure).is_some(), has_verdict, "{class:?}");
            assert_eq!(client.ending("read", &failure).is_some(), is_end, "{class:?}");
        }
        let question = Failure::status(401, "no");
        let link = Failure::new(Class::Unauthorized, "amqp:unauthorized-access", "no");
        let ends = |failure| client.ending("read", failure).is_some();
        client.questions.refused();
        assert!(!ends(&question), "its token may have run out just then");
        client.questions.admitted();
        client.links.refused();
        client.links.refused();
        assert!(ends(&link) && !ends(&question), "questions need no right to read");
        client.links.admitted();
        client.links.refused();
        client.links.refused();
        assert!(!ends(&link), "it was let in before");
    }

    #[test]
    fn rights_and_groups_are_told_from_keys_and_hubs() {
        // As the service says it.
        assert!(is_about_rights(
            "amqp:unauthorized-access: Unauthorized access. 'Listen' claim(s) are required to perform this operation."
        ));
        assert!(!is_about_rights("status 401: InvalidSignature: The token has an invalid signature."));
        let group = "The messaging entity 'sb://ns/hub/ConsumerGroups/x/Partitions/0' could not be found.";
        assert!(is_about_group(group, "x"));
        assert!(!is_about_group("The messaging entity 'sb://ns/hub' could not be found.", "$Default"));
    }
}
