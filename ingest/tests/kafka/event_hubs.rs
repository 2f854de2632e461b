//! The Kafka endpoint of Event Hubs: a broker that speaks as the service does. What an authority signs the broker does not
//! check here; what it gives, for how long, and that it is asked again in time, it does.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ingest::contract::{self, Subject};
use ingest::event_hubs::{Config, Entra, EntraMethod, Protocol, TokenError, over_kafka};
use ingest::kafka::{KafkaSource, Outgoing};
use ingest::{Bound, Error, Kind, Polled, Source};
use types::{Position, Secret};

use super::{POLL, WAIT, brokers, config as plain, create, fill, first_error};

/// Gives unsigned tokens for whoever asks.
struct Authority {
    address: String,
    shared: Arc<Shared>,
}

struct Shared {
    lifetime_seconds: u64,
    /// What is said before the first token.
    refusals: Mutex<Vec<(u16, &'static str)>>,
    is_busy: AtomicBool,
    asked: AtomicU64,
}

impl Authority {
    fn start(lifetime_seconds: u64, refusals: &[(u16, &'static str)]) -> Authority {
        let shared = Arc::new(Shared {
            lifetime_seconds,
            refusals: Mutex::new(refusals.iter().rev().copied().collect()),
            is_busy: AtomicBool::new(false),
            asked: AtomicU64::new(0),
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let answering = Arc::clone(&shared);
        let router = Router::new().fallback(move || {
            let answer = answering.answer();
            async move { answer }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        thread::spawn(move || {
            runtime.block_on(async { axum::serve(tokio::net::TcpListener::from_std(listener)?, router).await })
        });
        Authority { address, shared }
    }

    fn asked(&self) -> u64 {
        self.shared.asked.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn answer(&self) -> (StatusCode, String) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if let Some((status, body)) = self.refusals.lock().unwrap().pop() {
            return (StatusCode::from_u16(status).unwrap(), body.into());
        }
        if self.is_busy.load(Ordering::Relaxed) {
            return (StatusCode::SERVICE_UNAVAILABLE, String::new());
        }
        let now = wall().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let claims = format!(r#"{{"sub":"atalaia","iat":{now},"exp":{}}}"#, now + self.lifetime_seconds);
        let [header, claims] = [r#"{"alg":"none"}"#, &claims].map(|part| URL_SAFE_NO_PAD.encode(part));
        let lifetime = self.lifetime_seconds;
        (
            StatusCode::OK,
            format!(r#"{{"token_type":"Bearer","expires_in":{lifetime},"access_token":"{header}.{claims}."}}"#),
        )
    }
}

#[allow(clippy::disallowed_methods, reason = "brokers go by it")]
fn wall() -> SystemTime {
    SystemTime::now()
}

/// The broker's encrypted listener, the way an event hub is named, by connection string.
fn hub(topic: &str) -> Option<Config> {
    brokers("ATALAIA_TEST_KAFKA_SASL")?;
    Some(Config {
        hub: Some(topic.into()),
        consumer_group: topic.into(),
        protocol: Protocol::Kafka,
        connection_string: Some(Secret::parse("env:ATALAIA_TEST_KAFKA_PASSWORD").unwrap()),
        ca_file: Some(std::env::var("ATALAIA_TEST_KAFKA_CA").expect("it is set beside the address")),
        properties: [("reconnect.backoff.max.ms".to_owned(), "1000".to_owned())].into(),
        ..Config::default()
    })
}

/// The same for an application that has tokens from an authority.
fn by_identity(hub: Config, authority: &Authority) -> Config {
    Config {
        namespace: brokers("ATALAIA_TEST_KAFKA_SASL"),
        connection_string: None,
        entra: Entra {
            method: EntraMethod::ClientSecret,
            client_id: Some("app-1".into()),
            tenant_id: Some("tenant-1".into()),
            client_secret: Some(Secret::parse("env:ATALAIA_TEST_KAFKA_USERNAME").unwrap()),
            authority: Some(authority.address.clone()),
            ..Entra::default()
        },
        ..hub
    }
}

/// In a user's words, and in no others.
fn assert_said(error: &Error, words: &[&str]) {
    let said = format!("{error} | {}", error.hint().unwrap_or_default());
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(!said.contains("ingest.kafka") && !said.contains("SAS_KEY_VALUE"), "{said}");
}

#[test]
fn a_connection_string_and_a_token_keep_the_contract() {
    let Some(address) = brokers("ATALAIA_TEST_KAFKA") else { return };
    let plain = plain(&address, "hub");
    let Some(by_key) = hub(&plain.topic) else { return };
    let payloads = fill(&mut create(&plain, 3), 3, 3_000);
    let authority = Authority::start(3_600, &[]);
    for hub in [by_key.clone(), by_identity(by_key, &authority)] {
        let kafka = over_kafka(&hub).unwrap();
        assert_eq!(KafkaSource::check(&kafka, WAIT).unwrap().partitions, 3);
        let open = || -> Box<dyn Source> { Box::new(KafkaSource::new(&kafka, 0, Bound::PresentEnd, 100).unwrap()) };
        contract::run(&Subject { payloads: Some(payloads.clone()), ..Subject::new(3, Bound::PresentEnd, open) });
    }
    assert_eq!(authority.asked(), 1, "one token serves all clients of a configuration");
}

/// The broker cuts a connection whose token has expired, and none of that may be seen.
#[test]
fn reading_goes_on_when_tokens_expire() {
    let Some(address) = brokers("ATALAIA_TEST_KAFKA") else { return };
    let plain = plain(&address, "expiry");
    let Some(by_key) = hub(&plain.topic) else { return };
    let mut producer = create(&plain, 1);
    let authority = Authority::start(6, &[]);
    let kafka = over_kafka(&by_identity(by_key, &authority)).unwrap();
    let mut source = KafkaSource::new(&kafka, 0, Bound::Unbounded, 100).unwrap();
    let partition = contract::gain(&mut source, 1).remove(0);
    source.start(&partition, Position(0)).unwrap();
    let mut read = 0;
    for number in 1..=12 {
        producer.send(Outgoing { partition: Some(0), payload: Some(b"{}"), ..Outgoing::default() }).unwrap();
        producer.flush(WAIT).unwrap();
        let second = Instant::now() + Duration::from_secs(1);
        let deadline = Instant::now() + WAIT;
        while read < number || Instant::now() < second {
            assert!(Instant::now() < deadline, "record {number} does not come");
            match source.poll(POLL).unwrap() {
                Polled::Records(records) => {
                    read += records.iter().inspect(|record| assert!(record.position < number)).count() as i64;
                }
                Polled::Lost(lost) => panic!("lost {lost:?}"),
                _ => {}
            }
        }
    }
    assert_eq!(read, 12);
    assert!(authority.asked() >= 3, "12 s of tokens that last 6 s: asked {} times", authority.asked());

    // Without a new token the broker does cut the connection; that is waited out.
    authority.shared.is_busy.store(true, Ordering::Relaxed);
    let mut is_waiting = false;
    let mut poll_for = |duration: Duration| {
        let until = Instant::now() + duration;
        let mut records = 0;
        while Instant::now() < until && records == 0 {
            match source.poll(POLL).unwrap() {
                Polled::Records(found) => records = found.len(),
                // The group may have given up on us meanwhile.
                Polled::Gained(gained) => is_waiting = !gained.is_empty(),
                Polled::Lost(_) => is_waiting = false,
                _ => {}
            }
            if is_waiting {
                match source.start(&partition, Position(12)) {
                    Ok(()) => is_waiting = false,
                    Err(error) => assert_eq!(error.kind(), Kind::Retry, "{error}"),
                }
            }
        }
        records
    };
    assert_eq!(poll_for(Duration::from_secs(8)), 0);
    producer.send(Outgoing { partition: Some(0), payload: Some(b"{}"), ..Outgoing::default() }).unwrap();
    producer.flush(WAIT).unwrap();
    assert_eq!(poll_for(Duration::from_secs(3)), 0, "the broker serves an expired session");
    authority.shared.is_busy.store(false, Ordering::Relaxed);
    assert_eq!(poll_for(Duration::from_secs(60)), 1);
    source.leave();
}

#[test]
fn an_authority_that_is_busy_is_waited_for() {
    let Some(address) = brokers("ATALAIA_TEST_KAFKA") else { return };
    let plain = plain(&address, "busy");
    let Some(by_key) = hub(&plain.topic) else { return };
    let mut payloads: BTreeMap<u32, Vec<Option<Vec<u8>>>> = fill(&mut create(&plain, 1), 1, 10);
    let authority = Authority::start(3_600, &[(503, ""), (429, "")]);
    let kafka = over_kafka(&by_identity(by_key, &authority)).unwrap();
    let mut source = KafkaSource::new(&kafka, 0, Bound::PresentEnd, 100).unwrap();
    let partition = contract::gain(&mut source, 1).remove(0);
    source.start(&partition, Position(0)).unwrap();
    let records = contract::wait_for(&mut source, |event| match event {
        Polled::Records(records) => Some(records.iter().map(|record| record.payload.map(<[u8]>::to_vec)).collect()),
        _ => None,
    });
    assert_eq!(payloads.remove(&0), Some(records));
    assert_eq!(authority.asked(), 3);
}

#[test]
fn what_is_wrong_is_said_in_the_words_of_event_hubs() {
    let Some(address) = brokers("ATALAIA_TEST_KAFKA") else { return };
    let plain = plain(&address, "wrong");
    let Some(good) = hub(&plain.topic) else { return };
    create(&plain, 1);
    let folder = tempfile::tempdir().unwrap();
    let wrong = std::env::var("ATALAIA_TEST_KAFKA_PASSWORD").unwrap().replace("SAS_KEY_VALUE", "SAS_KEY_VALUE2");
    std::fs::write(folder.path().join("wrong"), wrong).unwrap();
    let wrong = Secret::parse(&format!("file:{}", folder.path().join("wrong").display())).unwrap();

    let refused = Authority::start(60, &[(401, REFUSED); 100]);
    let away = Authority::start(60, &[(503, ""); 100]);
    // Its tokens have expired for the broker, but not for us.
    let late = Authority::start(0, &[(200, LATE); 100]);
    let cases: [(Config, &[&str]); 6] = [
        (
            Config { connection_string: Some(wrong), ..good.clone() },
            &["refuse the credentials", "`ingest.event_hubs.connection_string`"],
        ),
        (Config { ca_file: None, ..good.clone() }, &["no trusted TLS connection", "`ingest.event_hubs.ca_file`"]),
        (
            Config { hub: Some("missing".into()), ..good.clone() },
            &["`missing` does not exist", "`ingest.event_hubs.hub`"],
        ),
        (by_identity(good.clone(), &refused), &["AADSTS7000215", "application `app-1`", "not its id"]),
        (by_identity(good.clone(), &late), &["refuse the credentials", "Azure Event Hubs Data Receiver"]),
        (by_identity(good, &away), &["has no time", "status 503"]),
    ];
    for (number, (hub, words)) in cases.into_iter().enumerate() {
        let kafka = over_kafka(&hub).unwrap();
        let error = KafkaSource::check(&kafka, Duration::from_secs(8)).unwrap_err();
        assert_said(&error, words);
        // What may heal is waited for.
        if number == 5 {
            assert!(matches!(error, Error::Token(TokenError::Busy { .. })), "{error:?}");
        } else {
            assert_said(&first_error(&kafka), words);
        }
    }
}

const REFUSED: &str =
    r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided."}"#;

/// Claims: `{"sub":"atalaia","iat":1,"exp":2}`.
const LATE: &str =
    r#"{"expires_in":3600,"access_token":"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhdGFsYWlhIiwiaWF0IjoxLCJleHAiOjJ9."}"#;
