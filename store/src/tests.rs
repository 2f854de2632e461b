//! URLs, messages and secrets; the emulator where `ATALAIA_TEST_AZURITE` names one.

use object_store::ObjectStoreExt;
use types::Secret;

use super::*;

#[test]
fn urls_say_where() {
    let folder = tempfile::tempdir().expect("temp folder");
    let config = Config { account: Some("acc".into()), ..Config::default() };
    for (url, display, prefix) in [
        ("az://scored/a/b/", "az://scored/a/b", "a/b"),
        ("az://scored", "az://scored", ""),
        ("abfss://c@other.dfs.core.windows.net/p", "abfss://c@other.dfs.core.windows.net/p", "p"),
        ("https://other.blob.core.windows.net/c/p/q", "abfss://c@other.dfs.core.windows.net/p/q", "p/q"),
        ("http://127.0.0.1:10001/devstoreaccount1/c/p", "az://c/p", "p"),
        ("http://azurite:10000/devstoreaccount1/c", "az://c", ""),
        ("memory://name/x", "memory://name/x", "x"),
        ("memory://name/", "memory://name", ""),
    ] {
        let location = open(url, &config).unwrap_or_else(|e| panic!("{url}: {e}"));
        assert_eq!((location.display.as_str(), location.prefix.as_ref()), (display, prefix), "{url}");
    }
    let s3 = Config { region: Some("eu-west-1".into()), ..Config::default() };
    assert_eq!(open("s3://bucket/p", &s3).expect("opens").display, "s3://bucket/p");

    let root = folder.path().canonicalize().expect("exists");
    for (text, want) in [
        (format!("{}/a/../b/", root.display()), root.join("b")),
        (format!("file://{}/with%20space", root.display()), root.join("with space")),
        (format!("{}/with space/ü#1%", root.display()), root.join("with space/ü#1%")),
    ] {
        let location = open(&text, &config).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(location.local_root.as_ref(), Some(&want), "{text}");
    }
    let relative = open("some/folder", &config).expect("opens").local_root.expect("local");
    assert!(relative.is_absolute() && relative.ends_with("some/folder"));
}

#[test]
fn wrong_urls_are_told_apart() {
    let config = Config::default();
    for (url, want) in [
        ("", "is not a usable location"),
        ("ftp://host/x", "no store goes by `ftp://`"),
        ("az://", "is missing"),
        ("https://acc.blob.core.windows.net/", "expected `https://account"),
        ("http://acc.blob.core.windows.net/c/p", "is not encrypted"),
        ("https://acc.blob.core.windows.net/c?sv=1&sig=CANARY", "carries a secret"),
        ("abfss://user:CANARY@acc.dfs.core.windows.net/c", "carries a secret"),
    ] {
        let error = open(url, &config).expect_err(url);
        let text = format!("{error} {error:?} {:?}", error.hint());
        assert!(text.contains(want), "{url}: {text}");
        assert!(!text.contains("CANARY"), "{text}");
        assert_eq!(error.kind(), Kind::Input);
        assert!(error.hint().is_some());
    }
}

#[test]
fn containment_sees_nesting_but_not_likeness() {
    let config = Config { account: Some("acc".into()), ..Config::default() };
    let open = |url: &str| open(url, &config).expect(url);
    assert!(open("az://c").contains(&open("az://c/x")));
    assert!(open("az://c/x/").contains(&open("az://c/x")));
    assert!(!open("az://c/x").contains(&open("az://c/xy")));
    assert!(!open("az://c/x").contains(&open("az://d/x")));
    assert!(!open("az://c/x").contains(&open("abfss://c@other.dfs.core.windows.net/x")));
    assert!(open("az://c").contains(&open("https://acc.blob.core.windows.net/c/x")));
    assert!(open("/tmp/a").contains(&open("/tmp/b/../a/c")));
}

#[tokio::test]
async fn no_secret_gets_out_of_errors_and_forms() {
    let folder = tempfile::tempdir().expect("temp folder");
    let file = folder.path().join("secret");
    let sas = "?sv=2024-01-01&ss=b&sig=CANARY123%3D";
    std::fs::write(&file, sas).expect("written");
    let secret = Some(Secret::parse(&format!("file:{}", file.display())).expect("a reference"));
    // Nothing listens on port 1.
    let config = Config { sas: secret, ..Config::default() };
    let location = open("http://127.0.0.1:1/devstoreaccount1/c/p", &config).expect("opens");
    let error = check(&location).await.expect_err("nobody listens");
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert_eq!(error.kind(), Kind::Retry);
    for text in
        [format!("{location:?} {location}"), format!("{error} {error:?} {:?}", error.hint()), format!("{config:?}")]
    {
        assert!(!text.contains("CANARY"), "{text}");
    }

    std::fs::write(&file, "not base64 CANARY").expect("written");
    let config = Config { key: config.sas.clone(), ..Config::default() };
    let error = open("abfss://c@acc.dfs.core.windows.net/p", &config).expect_err("not a key");
    assert!(!format!("{error} {error:?}").contains("CANARY"), "{error}");
}

#[tokio::test]
async fn an_unknown_host_is_a_matter_of_names() {
    let config = Config {
        account: Some("acc".into()),
        endpoint: Some("https://no-such-host.invalid".into()),
        ..Config::default()
    };
    let key = tempfile::NamedTempFile::new().expect("temp file");
    std::fs::write(key.path(), "a2V5").expect("written");
    let secret = Secret::parse(&format!("file:{}", key.path().display())).expect("a reference");
    let location = open("az://c", &Config { key: Some(secret), ..config }).expect("opens");
    let error = check(&location).await.expect_err("no such host");
    assert!(matches!(error, Error::Unresolved { .. }), "{error:?}");
}

#[tokio::test]
async fn local_folders_are_looked_at() {
    let folder = tempfile::tempdir().expect("temp folder");
    let url = folder.path().join("new/deep").display().to_string();
    let location = open(&url, &Config::default()).expect("opens");
    let error = check(&location).await.expect_err("not made yet");
    let there = format!("`{}` is there", folder.path().canonicalize().expect("exists").display());
    let hint = error.hint().expect("a remedy");
    assert!(matches!(error, Error::FolderMissing { .. }) && hint.starts_with(&there), "{error:?}: {hint}");
    check_writable(&location).await.expect("can be made");
    check(&location).await.expect("is there now");
    assert_eq!(std::fs::read_dir(&url).expect("exists").count(), 0, "nothing is left behind");

    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("written");
    let location = open(&file.join("x").display().to_string(), &Config::default()).expect("opens");
    let error = check_writable(&location).await.expect_err("below a file");
    assert!(matches!(error, Error::NotWritable { .. }), "{error:?}");
}

#[tokio::test]
async fn memory_is_shared_by_name() {
    let config = Config::default();
    let open = |url: &str| open(url, &config).expect(url);
    let (one, two, other) = (open("memory://shared/a"), open("memory://shared/b"), open("memory://not-shared"));
    one.store.put(&one.path("x/y"), "hello".into()).await.expect("put");
    let found = two.store.get(&one.path("x/y")).await.expect("there").bytes().await.expect("bytes");
    assert_eq!(found, "hello");
    assert!(other.store.head(&one.path("x/y")).await.is_err());
}

#[tokio::test]
async fn a_large_object_has_time_where_a_small_one_has_none() {
    let (answer, url) = slow_server();
    let config = Config { request_timeout: types::Span::from_millis(200), ..Config::default() };
    let large = open_for(&url, &config, 60_000_000).expect("opens");
    let path = large.path("x");
    let waiting = tokio::spawn(async move { large.store.put(&path, "1".into()).await });

    let small = open(&url, &config).expect("opens");
    let error = small.store.put(&small.path("x"), "1".into()).await.expect_err("nobody answers");
    let told = Error::from_store(&small, &error);
    assert_eq!(told.to_string(), Error::timed_out(&small).to_string());
    assert_eq!(told.kind(), Kind::Retry);

    answer.send(()).expect("waits");
    waiting.await.expect("runs").expect("is answered in time");
}

#[tokio::test]
async fn a_conflict_of_creates_in_s3_does_not_say_that_the_object_exists() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        let body = "<Error><Code>ConditionalRequestConflict</Code><Message>in progress</Message></Error>";
        for mut connection in listener.incoming().flatten() {
            assert_ne!(connection.read(&mut [0; 4096]).unwrap_or_default(), 0, "a request");
            let head = format!("HTTP/1.1 409 Conflict\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            connection.write_all((head + body).as_bytes()).expect("written");
        }
    });
    let key = tempfile::NamedTempFile::new().expect("temp file");
    std::fs::write(key.path(), "any").expect("written");
    let any = Some(Secret::parse(&format!("file:{}", key.path().display())).expect("a reference"));
    let config = Config {
        endpoint: Some(endpoint),
        region: Some("us-east-1".to_owned()),
        access_key_id: any.clone(),
        secret_access_key: any,
        allow_plaintext: true,
        ..Config::default()
    };
    let location = open("s3://bucket/p", &config).expect("opens");
    let create = object_store::PutMode::Create.into();
    let error = location.store.put_opts(&location.path("x"), "1".into(), create).await.expect_err("refused");
    let told = Error::from_store(&location, &error);
    assert!(matches!(told, Error::Answer { .. }), "{error:?}");
    assert_eq!(told.kind(), Kind::Retry);
}

/// Takes requests, and answers none until it is told to.
fn slow_server() -> (std::sync::mpsc::SyncSender<()>, String) {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/devstoreaccount1/c", listener.local_addr().expect("bound"));
    let (sender, told) = std::sync::mpsc::sync_channel(1);
    let connections = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let accepted = std::sync::Arc::clone(&connections);
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            assert_ne!(connection.read(&mut [0; 4096]).unwrap_or_default(), 0, "a request");
            accepted.lock().expect("whole").push(connection);
        }
    });
    std::thread::spawn(move || {
        while told.recv().is_ok() {
            for mut connection in connections.lock().expect("whole").drain(..) {
                // Some have hung up.
                let _ = connection.write_all(b"HTTP/1.1 201 Created\r\nETag: \"1\"\r\nContent-Length: 0\r\n\r\n");
            }
        }
    });
    (sender, url)
}

#[tokio::test]
async fn the_emulator_is_spoken_to_in_each_way() {
    let Ok(endpoint) = std::env::var("ATALAIA_TEST_AZURITE") else {
        assert!(std::env::var_os("ATALAIA_TEST_REQUIRED").is_none(), "ATALAIA_TEST_AZURITE is not set");
        eprintln!("SKIPPED: ATALAIA_TEST_AZURITE is not set");
        return;
    };
    let container = format!("store-{}", std::process::id());
    let configured = Config { emulator: true, endpoint: Some(endpoint.clone()), ..Config::default() };
    let one = open(&format!("az://{container}/p"), &configured).expect("opens");
    let two = open(&format!("{endpoint}/devstoreaccount1/{container}/p"), &Config::default()).expect("opens");

    let error = check(&one).await.expect_err("no container yet");
    let want = format!("container `{container}` does not exist in account `devstoreaccount1`");
    assert_eq!(error.to_string(), want);
    assert_eq!((error.kind(), error.hint().as_deref()), (Kind::Input, Some("create it, the service never does")));
    let put = one.store.put(&one.path("x"), "1".into()).await.expect_err("no container yet");
    assert!(matches!(Error::from_store(&one, &put), Error::ContainerMissing { .. }), "{put:?}");
    let get = one.store.get(&one.path("x")).await.expect_err("no container yet");
    assert!(matches!(Error::from_store(&one, &get), Error::ContainerMissing { .. }), "{get:?}");

    emulator::create_container(&one).await.expect("created");
    emulator::create_container(&one).await.expect("is there");
    check(&one).await.expect("usable");
    let missing = one.store.get(&one.path("x")).await.expect_err("empty");
    assert!(matches!(Error::from_store(&one, &missing), Error::NotFound { .. }), "{missing:?}");
    one.store.put(&one.path("x y/ü"), "hello".into()).await.expect("put");
    assert_eq!(two.store.get(&two.path("x y/ü")).await.expect("there").bytes().await.expect("bytes"), "hello");

    let key = tempfile::NamedTempFile::new().expect("temp file");
    std::fs::write(key.path(), "Q0FOQVJZ").expect("written");
    let secret = Secret::parse(&format!("file:{}", key.path().display())).expect("a reference");
    let wrong = open(&format!("az://{container}/p"), &Config { key: Some(secret), ..configured }).expect("opens");
    let error = check(&wrong).await.expect_err("wrong key");
    assert!(matches!(error, Error::Denied { .. }), "{error:?}");
    assert!(!format!("{error:?}").contains("ignature"), "{error:?}");
}

#[test]
fn failures_have_a_word_for_metrics_and_answers_have_none() {
    let place = || "az://c".to_owned();
    let answered = |reason: &str| Error::Answer { place: place(), reason: reason.to_owned() };
    for (error, word) in [
        (Error::NotFound { place: place(), path: "x".into() }, None),
        (Error::Exists { place: place(), path: "x".into() }, None),
        (answered("503 Service Unavailable: ServerBusy"), Some("throttled")),
        (answered("429 Too Many Requests"), Some("throttled")),
        (answered("500 Internal Server Error"), Some("answer")),
        (Error::Timeout { place: place() }, Some("timeout")),
        (Error::ContainerMissing { container: "c".into(), account: "a".into() }, Some("missing")),
        (Error::Denied { place: place(), reason: "403".into() }, Some("denied")),
    ] {
        assert_eq!(error.word(), word, "{error}");
    }
}

#[tokio::test]
async fn a_look_at_rights_leaves_nothing_behind() {
    let location = open("memory://rights/x", &Config::default()).expect("opens");
    check_rights(&location).await.expect("memory takes everything");
    assert!(location.store.list_with_delimiter(None).await.expect("lists").objects.is_empty());
    let folder = tempfile::tempdir().expect("temp folder");
    let location = open(&folder.path().join("new").display().to_string(), &Config::default()).expect("opens");
    check_rights(&location).await.expect("can be made");
    assert!(std::fs::read_dir(folder.path().join("new")).expect("made").next().is_none());
}

/// As Azure words it; the emulator says less.
#[test]
fn a_signature_that_has_expired_is_told_from_missing_rights() {
    let location = open("memory://signed/x", &Config::default()).expect("opens");
    let refused = |detail: &str| {
        let body = format!(
            "Server returned error response: status code: 403 Forbidden: <Error><Code>AuthenticationFailed</Code><Message>Server \
             failed to authenticate the request.\nRequestId:1</Message>{detail}</Error>"
        );
        Error::from_store(&location, &object_store::Error::Unauthenticated { path: "x".into(), source: body.into() })
    };
    let expired = refused(
        "<AuthenticationErrorDetail>Signature not valid in the specified time frame: Start [Thu, 01 Jan 2026 00:00:00 GMT] - \
         Expiry [Fri, 02 Jan 2026 00:00:00 GMT] - Current [Sat, 03 Jan 2026 00:00:00 GMT]</AuthenticationErrorDetail>",
    );
    assert_eq!(
        expired.to_string(),
        "the signature (SAS) for `memory://signed/x` is not valid now: from Thu, 01 Jan 2026 00:00:00 GMT, to Fri, 02 Jan 2026 \
         00:00:00 GMT, the service's clock says Sat, 03 Jan 2026 00:00:00 GMT"
    );
    assert!(expired.hint().is_some_and(|hint| hint.contains("`storage.sas`")));
    assert_eq!((expired.kind(), expired.word()), (Kind::Input, Some("denied")));
    let forged = "<AuthenticationErrorDetail>Signature did not match. String to sign used was CANARY</AuthenticationErrorDetail>";
    for other in [refused(forged), refused("")] {
        assert!(matches!(other, Error::Denied { .. }) && !format!("{other:?}").contains("CANARY"), "{other:?}");
    }
}
