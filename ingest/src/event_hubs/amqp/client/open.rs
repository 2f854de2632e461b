//! One open connection with its `$cbs` and `$management` links, and the task that renews its tokens.
//!
//! Questions are given up at any moment: their reader is stopped. Two habits of fe2o3-amqp 0.18 make that dangerous: an attach that is
//! given up ends its session, and a session that is given up while it begins closes the connection. So `$management` has a
//! session of its own, which goes with its links, and what was begun goes on to its end, whoever waits for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, SystemTime};

use fe2o3_amqp::Session;
use fe2o3_amqp::connection::ConnectionHandle;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp_types::messaging::ApplicationProperties;
use fe2o3_amqp_types::primitives::SimpleValue;
use serde_amqp::Value;
use serde_amqp::primitives::Timestamp;
use tokio::sync::{Mutex, watch};
use tokio::task::{AbortHandle, JoinError};
use tracing::{debug, warn};

use super::Client;
use crate::event_hubs::amqp::failure::{Class, Failure};
use crate::event_hubs::amqp::metrics;
use crate::event_hubs::amqp::rpc::{Rpc, within};
use crate::event_hubs::jitter;
use crate::event_hubs::token::{self, Token, TokenKind, Tokens};

/// A token is renewed when this share of its life is over.
const RENEWED_AFTER: f64 = 0.75;
/// Between attempts to renew one.
const RENEW_RETRY_MIN: Duration = Duration::from_secs(1);
const RENEW_RETRY_MAX: Duration = Duration::from_secs(15);
/// How long saying goodbye may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) struct Open {
    pub(super) number: u64,
    request_timeout: Duration,
    handle: Mutex<ConnectionHandle<()>>,
    cbs: Mutex<Rpc>,
    management: Mutex<Option<Management>>,
    /// Of `$cbs`. Dropping it would end it.
    cbs_session: SessionHandle<()>,
    /// No token could be had before the last one expired.
    is_expired: AtomicBool,
    renewal: OnceLock<AbortHandle>,
    /// Whether it was given up.
    gone: watch::Sender<bool>,
}

/// Whoever waits for the peer has to hear that nobody believes in it any more: a peer that is gone half says nothing.
pub(crate) struct Gone(watch::Receiver<bool>);

impl Gone {
    pub(crate) async fn wait(&mut self) {
        // Without its sender the connection is gone, too.
        let _ = self.0.wait_for(|is_gone| *is_gone).await;
    }
}

struct Management {
    rpc: Rpc,
    /// Ends with the links.
    _session: SessionHandle<()>,
}

impl Open {
    /// Connects, and puts tokens for all audiences, now and before they expire.
    pub(super) async fn new(client: &Client, number: u64) -> Result<Arc<Self>, Failure> {
        let request_timeout = client.way.patience.request;
        let mut handle = client.way.open(&client.container).await?;
        let mut session = begin(&mut handle, request_timeout).await?;
        let cbs = Rpc::attach(&mut session, "$cbs", &client.link_name("cbs"), request_timeout).await?;
        let open = Arc::new(Open {
            number,
            request_timeout,
            handle: Mutex::new(handle),
            cbs: Mutex::new(cbs),
            management: Mutex::new(None),
            cbs_session: session,
            is_expired: AtomicBool::new(false),
            renewal: OnceLock::new(),
            gone: watch::Sender::new(false),
        });
        let audiences = client.audiences();
        let expires = open.put_tokens(&client.tokens, &audiences).await?;
        let renewal = renew(Arc::downgrade(&open), Arc::clone(&client.tokens), audiences, expires);
        let _ = open.renewal.set(tokio::spawn(renewal).abort_handle());
        Ok(open)
    }

    pub(super) fn is_usable(&self) -> bool {
        // Whoever holds the handle is beginning a session, and will find out.
        let is_closed = self.handle.try_lock().is_ok_and(|handle| handle.is_closed());
        // Without `$cbs` no token can be renewed.
        !is_closed && !*self.gone.borrow() && !self.cbs_session.is_ended() && !self.is_expired.load(Ordering::Relaxed)
    }

    pub(super) async fn session(self: &Arc<Self>) -> Result<SessionHandle<()>, Failure> {
        let open = Arc::clone(self);
        let beginning = async move {
            open.to_the_end(async { begin(&mut *open.handle.lock().await, open.request_timeout).await }).await
        };
        joined(tokio::spawn(beginning).await)
    }

    pub(super) fn gone(&self) -> Gone {
        Gone(self.gone.subscribe())
    }

    /// It is of no use any more, and who waits on it hears so.
    pub(super) fn give_up(&self) {
        self.gone.send_replace(true);
    }

    /// Unless the connection is given up; gives it up itself where it is of no use, since perhaps nobody waits for this any more.
    async fn to_the_end<T>(&self, future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let mut gone = self.gone();
        let done = tokio::select! {
            done = future => done,
            () = gone.wait() => Err(Failure::given_up()),
        };
        if done.as_ref().is_err_and(Failure::breaks_connection) {
            self.give_up();
        }
        done
    }

    pub(super) async fn close(&self) {
        if let Ok(mut handle) = self.handle.try_lock() {
            let _ = tokio::time::timeout(CLOSE_TIMEOUT, handle.close()).await;
        }
    }

    /// Asks `$management`, over links that are attached when they are needed; one question after the other.
    pub(super) async fn manage(
        self: &Arc<Self>,
        name: String,
        properties: ApplicationProperties,
    ) -> Result<Value, Failure> {
        let open = Arc::clone(self);
        joined(tokio::spawn(async move { open.to_the_end(open.ask(&name, properties)).await }).await)
    }

    /// Each step of it is bounded. Waiting for one's turn is not: it is no silence of the peer's.
    async fn ask(self: &Arc<Self>, name: &str, properties: ApplicationProperties) -> Result<Value, Failure> {
        let mut place = self.management.lock().await;
        let mut management = match place.take() {
            Some(management) => management,
            None => {
                let mut session = self.session().await?;
                let rpc = Rpc::attach(&mut session, "$management", name, self.request_timeout).await?;
                Management { rpc, _session: session }
            }
        };
        let answer = management.rpc.call(properties, Value::Null).await;
        // After any other failure, or when it is given up, they are not trusted.
        if answer.as_ref().err().is_none_or(Failure::leaves_links) {
            *place = Some(management);
        }
        answer
    }

    /// Returns when the first of them expires.
    async fn put_tokens(&self, tokens: &Tokens, audiences: &[String]) -> Result<SystemTime, Failure> {
        let mut first: Option<SystemTime> = None;
        for audience in audiences {
            let token = get_token(tokens, audience).await?;
            let kind = match token.kind {
                TokenKind::Sas => "servicebus.windows.net:sastoken",
                TokenKind::Jwt => "jwt",
            };
            let expires = token.expires.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
            let expires = Timestamp::from_milliseconds(i64::try_from(expires).unwrap_or(i64::MAX));
            let properties = ApplicationProperties::builder()
                .insert("operation", "put-token")
                .insert("type", kind)
                .insert("name", audience.as_str())
                .insert("expiration", SimpleValue::Timestamp(expires))
                .build();
            let body = Value::String(token.text.reveal().to_owned());
            self.cbs.lock().await.call(properties, body).await?;
            first = Some(first.map_or(token.expires, |first| first.min(token.expires)));
        }
        Ok(first.unwrap_or_else(token::wall))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(renewal) = self.renewal.get() {
            renewal.abort();
        }
    }
}

fn joined<T>(done: Result<Result<T, Failure>, JoinError>) -> Result<T, Failure> {
    done.unwrap_or_else(|error| Err(Failure::new(Class::Lost, "task", error.to_string())))
}

async fn begin(handle: &mut ConnectionHandle<()>, timeout: Duration) -> Result<SessionHandle<()>, Failure> {
    within(timeout, "begin", async { Ok(Session::begin(handle).await?) }).await
}

/// For as long as the connection is held.
async fn renew(open: Weak<Open>, tokens: Arc<Tokens>, audiences: Vec<String>, mut expires: SystemTime) {
    loop {
        let life = expires.duration_since(token::wall()).unwrap_or_default();
        tokio::time::sleep(life.mul_f64(RENEWED_AFTER).max(RENEW_RETRY_MIN)).await;
        loop {
            let Some(open) = open.upgrade() else { return };
            let renewed = open.put_tokens(&tokens, &audiences).await;
            let is_renewed = renewed.as_ref().is_ok_and(|until| *until > expires);
            metrics::renewed(is_renewed);
            match renewed {
                Ok(until) => {
                    expires = until;
                    if is_renewed {
                        break;
                    }
                    debug!("the token for the event hub is still the one that expires soon, trying again");
                }
                Err(failure) => {
                    warn!(reason = failure.reason, "token for the event hub not renewed, trying again");
                    if !failure.leaves_links() || expires <= token::wall() {
                        open.is_expired.store(true, Ordering::Relaxed);
                        return;
                    }
                }
            }
            drop(open);
            tokio::time::sleep(jitter::between(RENEW_RETRY_MIN, RENEW_RETRY_MAX)).await;
        }
    }
}

/// A token, or why there is none in the words of a failure.
pub(super) async fn get_token(tokens: &Tokens, audience: &str) -> Result<Token, Failure> {
    tokens.get(audience).await.map_err(|error| Failure::no_token(&error))
}
