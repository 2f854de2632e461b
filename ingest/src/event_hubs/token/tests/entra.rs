//! Entra ID's identities against a stand-in for each endpoint; answers in the form that Microsoft documents.

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use types::Secret;

use super::fake::{Fake, Reply};
use crate::Kind;
use crate::event_hubs::token::entra::Entra;
use crate::event_hubs::token::http::Patience;
use crate::event_hubs::token::keeper::Keeper;
use crate::event_hubs::token::{Error, SCOPE, Token, TokenKind};
use crate::event_hubs::{Config, Entra as EntraConfig, EntraMethod};

const PATIENCE: Patience = Patience { connect: Duration::from_secs(5), total: Duration::from_secs(10) };
const BEGIN: u64 = 1_800_000_000;

thread_local! {
    /// Seconds since 1970, on this test's thread.
    static NOW: Cell<u64> = const { Cell::new(BEGIN) };
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW.get())
}

fn granted(token: &str, seconds: u64) -> Reply {
    let body = format!(
        r#"{{"token_type":"Bearer","expires_in":{seconds},"ext_expires_in":{seconds},"access_token":"{token}"}}"#
    );
    Reply::Say(200, None, body)
}

fn denied(status: u16, error: &str, description: &str) -> Reply {
    Reply::Say(status, None, format!(r#"{{"error":"{error}","error_description":"{description}"}}"#))
}

fn try_entra(entra: &EntraConfig, environment: &[(&str, &str)]) -> Result<Entra, Error> {
    let config = Config { entra: entra.clone(), ..Config::default() };
    let find = |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    Entra::with_patience(&config, SCOPE.into(), &find, PATIENCE)
}

fn entra(entra: &EntraConfig, environment: &[(&str, &str)]) -> Entra {
    try_entra(entra, environment).unwrap()
}

/// An application with a secret in a file, at an authority of ours.
fn application(authority: &str, folder: &Path) -> EntraConfig {
    let file = folder.join("secret");
    fs::write(&file, "hunter2\n").unwrap();
    EntraConfig {
        method: EntraMethod::ClientSecret,
        client_id: Some("app-1".into()),
        tenant_id: Some("tenant-1".into()),
        client_secret: Some(Secret::parse(&format!("file:{}", file.display())).unwrap()),
        authority: Some(authority.into()),
        ..EntraConfig::default()
    }
}

async fn ask(entra: &Entra) -> Result<Token, Error> {
    entra.ask(now()).await
}

fn jwt(text: &str, seconds: u64) -> Token {
    Token {
        kind: TokenKind::Jwt,
        text: crate::event_hubs::hidden::Hidden::new(text),
        expires: now() + Duration::from_secs(seconds),
    }
}

#[tokio::test]
async fn a_workload_identity_shows_what_the_file_holds_now() {
    let fake = Fake::start(&[granted("first", 3_599), granted("second", 3_599)]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("azure-identity-token");
    fs::write(&file, "assertion-1\n").unwrap();
    let path = file.display().to_string();
    let entra = entra(
        &EntraConfig::default(),
        &[
            ("AZURE_CLIENT_ID", "app-1"),
            ("AZURE_TENANT_ID", "tenant-1"),
            ("AZURE_FEDERATED_TOKEN_FILE", &path),
            ("AZURE_AUTHORITY_HOST", &format!("{}/", fake.address)),
        ],
    );
    assert_eq!(ask(&entra).await, Ok(jwt("first", 3_599)));
    fs::write(&file, "assertion-2").unwrap();
    assert_eq!(ask(&entra).await, Ok(jwt("second", 3_599)));

    let asked = fake.asked();
    for (asked, assertion) in asked.iter().zip(["assertion-1", "assertion-2"]) {
        assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/tenant-1/oauth2/v2.0/token"));
        assert_eq!(asked.headers["content-type"], "application/x-www-form-urlencoded");
        let expected = [
            ("client_assertion", assertion),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_id", "app-1"),
            ("grant_type", "client_credentials"),
            ("scope", "https://eventhubs.azure.net/.default"),
        ];
        let fields: Vec<_> = asked.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(fields, expected);
    }
    assert_eq!(asked.len(), 2);

    fs::remove_file(&file).unwrap();
    let missing = ask(&entra).await.unwrap_err();
    assert!(matches!(missing, Error::TokenFile { .. }) && missing.to_string().contains(&path), "{missing}");
}

#[tokio::test]
async fn an_application_shows_its_secret_and_only_to_the_authority() {
    let fake = Fake::start(&[
        granted("token", 3_599),
        denied(401, "invalid_client", "AADSTS7000215: Invalid client secret provided: hunter2.\\r\\nTrace ID: 1"),
    ])
    .await;
    let folder = tempfile::tempdir().unwrap();
    let entra = entra(&application(&fake.address, folder.path()), &[("AZURE_CLIENT_ID", "another")]);
    assert_eq!(ask(&entra).await, Ok(jwt("token", 3_599)));
    let fields = fake.asked().remove(0).fields;
    assert_eq!((fields["client_secret"].as_str(), fields["client_id"].as_str()), ("hunter2", "app-1"));

    let refused = ask(&entra).await.unwrap_err();
    let expected = format!(
        "`{}/tenant-1/oauth2/v2.0/token` refuses the application `app-1`: status 401, AADSTS7000215: Invalid client secret \
         provided: [redacted].",
        fake.address
    );
    assert_eq!(refused.to_string(), expected);
    assert_eq!(refused.kind(), Kind::Input);
    assert!(refused.hint().unwrap().contains("not its id"));
    assert!(!format!("{refused:?} {entra:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_machine_is_asked_through_imds() {
    let body = r#"{"access_token":"vm","client_id":"x","expires_in":"86399","expires_on":"1","resource":"r","token_type":"Bearer"}"#;
    let fake = Fake::start(&[
        Reply::Say(200, None, body.into()),
        denied(400, "invalid_request", "Identity not found"),
        Reply::Say(404, None, String::new()),
        Reply::Say(410, None, String::new()),
    ])
    .await;
    let environment = [("AZURE_POD_IDENTITY_AUTHORITY_HOST", fake.address.as_str())];
    let system = entra(&EntraConfig::default(), &environment);
    assert_eq!(ask(&system).await, Ok(jwt("vm", 86_399)));
    let asked = fake.asked().remove(0);
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("GET", "/metadata/identity/oauth2/token"));
    assert_eq!(asked.headers["metadata"], "true");
    let fields: Vec<_> = asked.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(fields, [("api-version", "2018-02-01"), ("resource", "https://eventhubs.azure.net")]);

    let assigned = EntraConfig {
        method: EntraMethod::ManagedIdentity,
        client_id: Some("user-assigned".into()),
        ..EntraConfig::default()
    };
    let user = entra(&assigned, &environment);
    let refused = ask(&user).await.unwrap_err();
    assert_eq!(fake.asked()[1].fields["client_id"], "user-assigned");
    assert!(refused.to_string().contains("managed identity `user-assigned`"), "{refused}");
    assert!(refused.hint().unwrap().contains("assign one"));
    // It starts, or is being renewed.
    for _ in 0..2 {
        assert_eq!(ask(&user).await.unwrap_err().kind(), Kind::Retry);
    }
}

#[tokio::test]
async fn app_service_is_asked_where_the_environment_says() {
    let body = r#"{"access_token":"app","expires_on":"1800086400","resource":"r","token_type":"Bearer"}"#;
    let fake = Fake::start(&[
        Reply::Say(200, None, body.into()),
        Reply::Say(
            400,
            None,
            r#"{"statusCode":400,"message":"No User Assigned or Delegated Managed Identity found"}"#.into(),
        ),
    ])
    .await;
    let endpoint = format!("{}/msi/token/", fake.address);
    let environment = [("IDENTITY_ENDPOINT", endpoint.as_str()), ("IDENTITY_HEADER", "hunter2")];
    let entra = entra(&EntraConfig::default(), &environment);
    assert_eq!(ask(&entra).await, Ok(jwt("app", 86_400)));
    let asked = fake.asked().remove(0);
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("GET", "/msi/token/"));
    assert_eq!(asked.headers["x-identity-header"], "hunter2");
    assert_eq!(asked.fields["api-version"], "2019-08-01");
    let refused = ask(&entra).await.unwrap_err();
    assert!(refused.to_string().contains("No User Assigned") && refused.hint().unwrap().contains("assign one"));
    assert!(!format!("{refused:?} {entra:?}").contains("hunter2"));
}

#[test]
fn settings_that_cannot_stand_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let application = application("https://login.example", folder.path());
    let workload = EntraConfig { method: EntraMethod::WorkloadIdentity, client_secret: None, ..application.clone() };
    for (entra, environment, word) in [
        (EntraConfig { client_id: None, ..application.clone() }, vec![], "`AZURE_CLIENT_ID`"),
        (EntraConfig { tenant_id: None, ..application.clone() }, vec![("AZURE_TENANT_ID", "")], "`AZURE_TENANT_ID`"),
        (EntraConfig { client_secret: None, ..application.clone() }, vec![], "client_secret"),
        (EntraConfig { method: EntraMethod::Auto, ..application.clone() }, vec![], "`client-secret`"),
        (workload.clone(), vec![], "`AZURE_FEDERATED_TOKEN_FILE`"),
        (EntraConfig { authority: Some("http://login.example".into()), ..application.clone() }, vec![], "`https://`"),
        (EntraConfig { authority: Some("login.example".into()), ..application.clone() }, vec![], "no URL"),
        (EntraConfig { tenant_id: Some("../x".into()), ..application.clone() }, vec![], "`../x`"),
        (EntraConfig::default(), vec![("IDENTITY_ENDPOINT", "http://arc")], "Azure Arc"),
        (EntraConfig::default(), vec![("IDENTITY_ENDPOINT", "arc"), ("IDENTITY_HEADER", "x")], "IDENTITY_ENDPOINT"),
    ] {
        let error = try_entra(&entra, &environment).unwrap_err();
        assert!(matches!(error, Error::Setting { .. }) && error.to_string().contains(word), "{word}: {error}");
        assert_eq!(error.kind(), Kind::Input);
    }
    // With all that a pod has, `auto` is its workload identity; without any of it, the machine's.
    let pod = [("AZURE_CLIENT_ID", "a"), ("AZURE_TENANT_ID", "t"), ("AZURE_FEDERATED_TOKEN_FILE", "f")];
    for (environment, expected) in
        [(&pod[..], "workload identity `a`"), (&pod[..2], "managed identity `a`"), (&[], "managed identity")]
    {
        let found = format!("{:?}", entra(&EntraConfig::default(), environment));
        assert!(found.contains(&format!("identity: {expected:?}")), "{found}");
    }
}

#[tokio::test]
async fn what_is_no_answer_is_told_with_where_it_came_from() {
    let folder = tempfile::tempdir().unwrap();
    let long = format!(r#"{{"access_token":"{}","expires_in":1}}"#, "a".repeat(300_000));
    for (reply, word) in [
        (Reply::Say(200, None, "<html>hunter2</html>".into()), "no JSON"),
        (Reply::Say(200, None, r#"{"access_token":7,"expires_in":1}"#.into()), "no JSON"),
        (Reply::Say(200, None, r#"{"access_token":"hunter2 x","expires_in":1}"#.into()), "unreadable"),
        (Reply::Say(200, None, r#"{"access_token":"hunter2","expires_in":0}"#.into()), "expired"),
        (Reply::Say(200, None, r#"{"access_token":"hunter2","expires_in":-5}"#.into()), "number of seconds"),
        (Reply::Say(200, None, r#"{"access_token":"hunter2","expires_in":18446744073709551615}"#.into()), "expired"),
        (Reply::Say(200, None, r#"{"access_token":"hunter2","expires_on":"1799999999"}"#.into()), "expired"),
        (Reply::Say(200, None, r#"{"access_token":"hunter2"}"#.into()), "number of seconds"),
        (Reply::Say(302, Some(("location", "/elsewhere")), String::new()), "302"),
        (Reply::Say(200, None, long), "longer than"),
        (Reply::Hang, "too long"),
    ] {
        let fake = Fake::start(&[reply]).await;
        let patience = Patience { total: Duration::from_millis(700), ..PATIENCE };
        let config = Config { entra: application(&fake.address, folder.path()), ..Config::default() };
        let entra = Entra::with_patience(&config, SCOPE.into(), &|_| None, patience).unwrap();
        let error = ask(&entra).await.unwrap_err();
        let message = format!("{error} {error:?}");
        assert_eq!(error.kind(), Kind::Retry, "{message}");
        assert!(
            message.contains(word) && message.contains(&fake.address) && message.contains("app-1"),
            "{word}: {message}"
        );
        assert!(error.hint().is_some() && !message.contains("hunter2"), "{message}");
        assert_eq!(fake.asked().len(), 1, "redirections are not followed");
    }
    let nobody = entra(&application("http://127.0.0.1:1", folder.path()), &[]);
    let error = ask(&nobody).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }) && error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn the_endpoint_says_when_to_ask_again() {
    let folder = tempfile::tempdir().unwrap();
    for (status, header, expected) in [
        (429, Some(("retry-after", "17")), Some(17)),
        (503, Some(("retry-after", "Fri, 15 Jan 2027 08:01:40 GMT")), Some(100)),
        (503, Some(("retry-after", "Fri, 15 Jan 2021 08:01:40 GMT")), None),
        (500, Some(("retry-after", "soon")), None),
        (504, None, None),
    ] {
        let fake = Fake::start(&[Reply::Say(status, header, String::new())]).await;
        let error = ask(&entra(&application(&fake.address, folder.path()), &[])).await.unwrap_err();
        let Error::Busy { retry_after, status: told, .. } = &error else { panic!("{error}") };
        assert_eq!((*told, *retry_after), (status, expected.map(Duration::from_secs)));
    }
}

async fn keeper(replies: &[Reply], folder: &Path) -> (Keeper, Fake) {
    NOW.set(BEGIN);
    let fake = Fake::start(replies).await;
    (Keeper::new(entra(&application(&fake.address, folder), &[]), now), fake)
}

async fn text(keeper: &Keeper) -> Result<String, Error> {
    keeper.get().await.map(|token| token.text.reveal().to_owned())
}

#[tokio::test]
async fn a_token_is_kept_and_refreshed_before_it_expires() {
    let folder = tempfile::tempdir().unwrap();
    let busy = Reply::Say(503, Some(("retry-after", "120")), String::new());
    let (keeper, fake) = keeper(&[granted("a", 4_000), busy.clone(), busy, granted("b", 4_000)], folder.path()).await;
    for (seconds, expected, asked) in [
        (0, "a", 1),
        (2_999, "a", 1),
        // Refused; the old one goes on, and nobody asks until it may be.
        (3_000, "a", 2),
        (3_119, "a", 2),
        (3_120, "a", 3),
        (3_240, "b", 4),
        (6_239, "b", 4),
    ] {
        NOW.set(BEGIN + seconds);
        assert_eq!((text(&keeper).await, fake.asked().len()), (Ok(expected.to_owned()), asked), "after {seconds} s");
    }
}

#[tokio::test]
async fn without_a_token_the_failure_is_told_until_it_may_be_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let refused = denied(400, "invalid_client", "AADSTS700016: Application was not found");
    let (keeper, fake) =
        keeper(&[granted("a", 100), refused.clone(), refused.clone(), refused, granted("b", 100)], folder.path()).await;
    for (seconds, is_token, asked) in [
        (0, true, 1),
        (75, true, 2),
        (75, true, 2),
        (76, true, 3),
        (77, true, 3),
        // Expired: the failure is told.
        (100, false, 4),
        (103, false, 4),
        (104, true, 5),
    ] {
        NOW.set(BEGIN + seconds);
        let told = text(&keeper).await;
        assert_eq!((told.is_ok(), fake.asked().len()), (is_token, asked), "after {seconds} s: {told:?}");
        assert!(told.err().is_none_or(|error| error.hint().unwrap().contains("client_id")));
    }
    // A clock that is set back by a year does not keep the token from being renewed when it comes back.
    NOW.set(BEGIN - 31_536_000);
    assert!(text(&keeper).await.is_ok());
}

#[tokio::test]
async fn many_ask_as_one() {
    let folder = tempfile::tempdir().unwrap();
    NOW.set(BEGIN);
    let fake = Fake::held(&[granted("a", 4_000), granted("b", 4_000)]).await;
    let keeper = Keeper::new(entra(&application(&fake.address, folder.path()), &[]), now);
    let release = async {
        while fake.asked().is_empty() {
            tokio::task::yield_now().await;
        }
        fake.release();
    };
    let (first, second, third, ()) = tokio::join!(text(&keeper), text(&keeper), text(&keeper), release);
    assert_eq!((first, second, third, fake.asked().len()), (Ok("a".into()), Ok("a".into()), Ok("a".into()), 1));
}

#[tokio::test]
async fn while_one_refreshes_others_have_the_token_at_hand() {
    let folder = tempfile::tempdir().unwrap();
    let (keeper, fake) = keeper(&[granted("a", 4_000), Reply::Hang], folder.path()).await;
    assert_eq!(text(&keeper).await, Ok("a".into()));
    NOW.set(BEGIN + 3_500);
    let mut refreshing = Box::pin(text(&keeper));
    while fake.asked().len() < 2 {
        let pending = tokio::time::timeout(Duration::from_millis(1), &mut refreshing).await;
        assert!(pending.is_err());
    }
    assert_eq!(text(&keeper).await, Ok("a".into()));
    assert_eq!(fake.asked().len(), 2);
}
