//! Signatures: made, given by their place, given within a connection string.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use types::Secret;

use crate::event_hubs::hidden::Hidden;
use crate::event_hubs::token::{Error, Token, TokenKind, Tokens, sas, wall};
use crate::event_hubs::{Config, TokenError};

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Made by `generate_sas_token` of azure-eventhub 5.15.1 and of azure-servicebus 7.15.0 (which agree), and once more with
/// Python's hmac.
#[test]
fn signatures_are_those_of_microsofts_clients() {
    for (resource, policy, key, expires, expected) in [
        (
            "sb://plant.servicebus.windows.net/readings",
            "RootManageSharedAccessKey",
            "SAS_KEY_VALUE",
            1_700_003_600,
            "SharedAccessSignature sr=sb%3A%2F%2Fplant.servicebus.windows.net%2Freadings&sig=kl33qVDP2TWanA7qC68td%2FC5R7jNm4z9bYQtrnYyiB4%3D&se=1700003600&skn=RootManageSharedAccessKey",
        ),
        (
            "sb://127.0.0.1:5673/Mixed.Case_hub-1/consumergroups/$Default",
            "listen",
            "c2VjcmV0LWtleS1vZi0zMi1ieXRlcy1sb25nISEhIQ==",
            2_000_000_000,
            "SharedAccessSignature sr=sb%3A%2F%2F127.0.0.1%3A5673%2FMixed.Case_hub-1%2Fconsumergroups%2F%24Default&sig=%2FlcAn9eYkWVC%2BLjKbwm5ESVNAWjtbOSGKv9X2Qgn%2BPg%3D&se=2000000000&skn=listen",
        ),
        (
            "amqps://plant.servicebus.windows.net/hub/ConsumerGroups/$Default/Partitions/31",
            "read~only",
            "pA+/x=",
            1_800_000_000,
            "SharedAccessSignature sr=amqps%3A%2F%2Fplant.servicebus.windows.net%2Fhub%2FConsumerGroups%2F%24Default%2FPartitions%2F31&sig=dv5C0l%2FsdF1Jq7ZknMlesiZxUfR3tBo99jzyZqYCQfU%3D&se=1800000000&skn=read~only",
        ),
    ] {
        let token = sas::sign(resource, policy, &Hidden::new(key), at(expires - 3_600));
        let expected = Token { kind: TokenKind::Sas, text: Hidden::new(expected), expires: at(expires) };
        assert!(token == expected, "{}", token.text.reveal());
        assert!(!format!("{token:?}").contains("sig="), "{token:?}");
    }
}

#[test]
fn a_signature_that_is_given_holds_until_it_expires() {
    let bare = "sr=sb%3A%2F%2Fh%2Fhub&sig=c2ln&se=1700000000&skn=listen";
    for text in [bare.to_owned(), format!("SharedAccessSignature {bare}\n"), format!(" SharedAccessSignature  {bare}")]
    {
        let token = sas::given(&text, "file:t", at(1_699_999_999)).unwrap();
        assert_eq!(token.text.reveal(), format!("SharedAccessSignature {bare}"));
        assert_eq!(token.expires, at(1_700_000_000));
    }
    let expired = sas::given(bare, "file:t", at(1_700_000_000)).unwrap_err();
    assert_eq!(expired.to_string(), "the signature in `file:t` expired at 2023-11-14T22:13:20Z");
}

#[test]
fn what_is_no_signature_is_refused_without_repeating_it() {
    for (text, word) in [
        ("", "`sr=`"),
        ("hunter2", "`sr=`"),
        ("sr=x&se=1&skn=hunter2", "`sig=`"),
        ("sr=x&sig=hunter2&se=1", "`skn=`"),
        ("sr=x&sig=hunter2&skn=k", "`se=`"),
        ("sr=x&sig=hunter2&se=soon&skn=k", "number"),
        ("sr=x&sig=hunter2&se=99999999999999999&skn=k", "time"),
        ("sr=x&sig=hunter2\n&se=9999999999&skn=k", "one line"),
    ] {
        let error = sas::given(text, "env:SAS", at(0)).unwrap_err();
        assert!(matches!(error, Error::Signature { .. }), "{text}: {error}");
        let message = error.to_string();
        assert!(message.contains(word) && message.contains("env:SAS"), "{text}: {message}");
        assert!(!message.contains("hunter2") && !format!("{error:?}").contains("hunter2"), "{message}");
    }
}

fn write(path: &Path, expires: SystemTime) -> String {
    let seconds = expires.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let text = format!("SharedAccessSignature sr=sb%3A%2F%2Fh%2Fhub&sig=c2ln{seconds}&se={seconds}&skn=listen");
    fs::write(path, format!("{text}\n")).unwrap();
    text
}

#[tokio::test]
async fn a_file_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sas");
    let config = Config {
        namespace: Some("h".into()),
        hub: Some("hub".into()),
        sas_token: Some(Secret::parse(&format!("file:{}", path.display())).unwrap()),
        ..Config::default()
    };
    let tokens = Tokens::new(&config).unwrap();
    let missing = tokens.get("sb://h/hub").await.unwrap_err();
    assert!(missing.to_string().contains("`ingest.event_hubs.sas_token`"), "{missing}");

    let now = wall();
    let old = write(&path, now + Duration::from_secs(3_600));
    assert_eq!(tokens.get("sb://h/hub").await.unwrap().text.reveal(), old);
    let new = write(&path, now + Duration::from_secs(7_200));
    assert_eq!(tokens.get("sb://h/hub").await.unwrap().text.reveal(), new);
    write(&path, now - Duration::from_secs(1));
    let expired = tokens.get("sb://h/hub").await.unwrap_err();
    assert!(matches!(expired, crate::Error::Token(TokenError::Expired { .. })), "{expired}");
    assert_eq!(expired.kind(), crate::Kind::Input);
    assert!(expired.hint().unwrap().contains("read anew"));
}

#[tokio::test]
async fn connection_strings_hold_a_key_or_a_signature() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("connection");
    let signed = write(&folder.path().join("sas"), wall() + Duration::from_secs(60));
    let config = Config {
        connection_string: Some(Secret::parse(&format!("file:{}", path.display())).unwrap()),
        ..Config::default()
    };
    let get = async |credential: &str| {
        fs::write(&path, format!("Endpoint=sb://h/;{credential};EntityPath=hub")).unwrap();
        let tokens = Tokens::new(&config).unwrap();
        tokens.get("sb://h/hub").await.unwrap()
    };
    let token = get(&format!("SharedAccessSignature={signed}")).await;
    assert_eq!((token.kind, token.text.reveal()), (TokenKind::Sas, signed.as_str()));

    let token = get("SharedAccessKeyName=listen;SharedAccessKey=a2V5").await;
    let begun = token.expires - Duration::from_secs(3_600);
    assert!(wall().duration_since(begun).unwrap() < Duration::from_secs(60));
    assert_eq!(token, sas::sign("sb://h/hub", "listen", &Hidden::new("a2V5"), begun));

    let both = Config { sas_token: config.connection_string.clone(), ..config.clone() };
    let refused = Tokens::new(&both).unwrap_err();
    assert!(refused.to_string().contains("`ingest.event_hubs.sas_token`"), "{refused}");
}

#[tokio::test]
async fn a_connection_string_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("connection");
    let put = |credential: &str| fs::write(&path, format!("Endpoint=sb://h/;{credential};EntityPath=hub")).unwrap();
    put("SharedAccessKeyName=listen;SharedAccessKey=b2xk");
    let secret = Secret::parse(&format!("file:{}", path.display())).unwrap();
    let tokens = Tokens::new(&Config { connection_string: Some(secret), ..Config::default() }).unwrap();
    for key in ["b2xk", "bmV3"] {
        put(&format!("SharedAccessKeyName=listen;SharedAccessKey={key}"));
        let token = tokens.get("sb://h/hub").await.unwrap();
        let begun = token.expires - Duration::from_secs(3_600);
        assert!(token == sas::sign("sb://h/hub", "listen", &Hidden::new(key), begun), "{key}");
    }
    let signed = write(&folder.path().join("sas"), wall() + Duration::from_secs(60));
    put(&format!("SharedAccessSignature={signed}"));
    assert_eq!(tokens.get("sb://h/hub").await.unwrap().text.reveal(), signed);

    put("SharedAccessKey=aHVudGVyMg");
    let error = tokens.get("sb://h/hub").await.unwrap_err();
    assert!(error.to_string().contains("`ingest.event_hubs.connection_string`"), "{error}");
    assert!(!format!("{error} {error:?}").contains("aHVudGVyMg"), "{error}");
}
