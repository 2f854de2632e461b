//! The generated pages are current, the example files load, and mistakes are named well.

use std::fs;
use std::path::PathBuf;

use crate::reference::reference_markdown;
use crate::schema::schema;
use crate::schema::{Kind, Node};
use crate::tree::Path;
use crate::{Config, Error, Loaded, Sources, load};

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn from_file(name: &str) -> Sources {
    Sources { file: Some(repository().join(name)), ..Sources::default() }
}

fn from_text(name: &str, text: &str, env: &[(&str, &str)], set: &[&str]) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let set = set.iter().map(|argument| (*argument).to_owned()).collect();
    let shown = format!("{}/", folder.path().display());
    load(Sources { file: Some(path), env, set }).map_err(|error| error.to_string().replace(&shown, ""))
}

/// Enough for the rules between settings.
const MINIMAL: &str = "[ingest.kafka]\ntopic = 't'\n[sink]\nurl = 'out'\n[score]\nmodels = 'm'\n";

fn with_overrides(env: &[(&str, &str)], set: &[&str]) -> Result<Config, String> {
    from_text("x.toml", MINIMAL, env, set).map(|loaded| loaded.config)
}

#[test]
fn generated_pages_are_current() {
    let mut schema = serde_json::to_string_pretty(&schema()).unwrap();
    schema.push('\n');
    let pages = [("docs/configuration.md", reference_markdown()), ("docs/configuration.schema.json", schema)];
    for (name, current) in pages {
        let path = repository().join(name);
        if std::env::var_os("ATALAIA_BLESS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, current).unwrap();
            continue;
        }
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == current,
            "`{name}` is not what the doc comments of the settings say; rewrite it with `make bless`, which is \
             `ATALAIA_BLESS=1 cargo test -p atalaia-config`"
        );
    }
}

#[test]
fn the_page_describes_each_setting_once() {
    let page = reference_markdown();
    let schema = schema();
    let settings = settings(Node::root(&schema), &Path::default());
    let described = page.lines().filter(|line| line.starts_with("- **`")).count();
    // `models.storage` refers to `storage`.
    assert_eq!(described, settings.len() - 1);
    assert!(page.contains("The same settings as [`[storage]`](#storage)."));
}

#[test]
fn the_example_loads_as_it_is() {
    let loaded = load(from_file("config/pipeline.example.toml")).unwrap();
    assert_eq!(loaded.config.pipeline, "plant-7");
    assert_eq!(loaded.config.ingest.kafka.group, "plant-7", "left out: pipelines do not share a group by mistake");
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}

#[test]
fn the_example_shows_every_setting_and_each_is_right() {
    let text = fs::read_to_string(repository().join("config/pipeline.example.toml")).unwrap();
    let full: String = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if setting.starts_with(|c: char| c.is_ascii_lowercase() || c == '"' || c == '[') => setting,
            _ => line,
        })
        .fold(String::new(), |text, line| text + line + "\n");
    if let Err(message) = from_text("full.toml", &full, &[], &[]) {
        // With every credential and every place of the device at once there are two rules that it breaks.
        let line = |key: &str| 1 + full.lines().position(|line| line.starts_with(key)).unwrap();
        let expected = format!(
            "the configuration has 2 problems:\n  - `ingest.decode.device_name` and `ingest.decode.device_property` are both set, \
             and either says it all: leave one of them out (given in `full.toml` line {})\n  - `storage.key` and `storage.sas` \
             are both set: keep one (given in `full.toml` line {})",
            line("device_property = "),
            line("sas = ")
        );
        assert_eq!(message, expected);
    }
    let table: toml::Table = toml::from_str(&full).unwrap();
    let value = serde_json::to_value(&table).unwrap();
    let schema = schema();
    for path in settings(Node::root(&schema), &Path::default()) {
        let at = path.keys().iter().try_fold(&value, |at, key| at.get(key));
        assert!(at.is_some(), "`{path}` is not in config/pipeline.example.toml");
    }
}

fn settings(node: Node<'_>, at: &Path) -> Vec<Path> {
    node.keys()
        .flat_map(|key| {
            let (child, path) = (node.property(key).unwrap(), at.child(key));
            match child.kind() {
                Kind::Section if !child.is_optional() => settings(child, &path),
                _ => vec![path],
            }
        })
        .collect()
}

#[test]
fn the_reference_job_reads_files_and_streams_a_topic() {
    let mut sources = from_file("config/reference.toml");
    sources.set = ["ingest.files.path=CSV", "score.models=FOLDER", "sink.url=FOLDER"].map(String::from).to_vec();
    let config = load(sources).unwrap().config;
    assert_eq!(
        (config.ingest.files.path.as_str(), config.score.models.as_str(), config.sink.url.as_str()),
        ("CSV", "FOLDER", "FOLDER")
    );

    let mut sources = from_file("config/reference.toml");
    sources.set = ["ingest.source=kafka", "ingest.kafka.brokers=a:1,b:2", "ingest.kafka.topic=readings"]
        .map(String::from)
        .to_vec();
    let config = load(sources).unwrap().config;
    assert_eq!(config.ingest.source, ingest::SourceKind::Kafka);
    assert_eq!(config.ingest.kafka.brokers, "a:1,b:2");
}

#[test]
fn arguments_overrule_the_environment_which_overrules_the_file() {
    let text = format!("pipeline = 'file'\n{MINIMAL}");
    let loaded = from_text("x.toml", &text, &[("ATALAIA__PIPELINE", "env")], &["pipeline=set"]).unwrap();
    assert_eq!(loaded.config.pipeline, "set");
    let loaded = from_text("x.toml", &text, &[("atalaia__Pipeline", "env"), ("ATALAIA_LOG", "x")], &[]).unwrap();
    assert_eq!(loaded.config.pipeline, "env");
    assert_eq!(loaded.origins["pipeline"].to_string(), "the environment variable `atalaia__Pipeline`");
    let loaded = from_text("x.toml", &text, &[], &[]).unwrap();
    assert!(loaded.origins["pipeline"].to_string().ends_with("x.toml` line 1"));
    assert_eq!(loaded.origins.get("aggregate.window"), None);
}

#[test]
fn json_is_read_by_name_and_by_content() {
    let text = r#"{ "ingest": { "kafka": { "topic": "5" } }, "sink": { "url": "out", "min_rows": 5 } }"#;
    for name in ["x.json", "x.conf"] {
        let config = from_text(name, text, &[], &[]).unwrap().config;
        assert_eq!((config.ingest.kafka.topic.as_str(), config.sink.min_rows), ("5", 5));
    }
}

#[test]
fn overrides_are_read_as_their_setting_wants_them() {
    let features = |text: &str| with_overrides(&[], &[&format!("score.features={text}")]).unwrap().score.features;
    use score::Statistic::{Max, Mean, Min};
    let list =
        |statistics: &[score::Statistic]| statistics.iter().map(|&one| one.into()).collect::<Vec<score::Feature>>();
    assert_eq!(features("mean,min"), list(&[Mean, Min]));
    assert_eq!(features("[\"max\"]"), list(&[Max]));
    assert_eq!(features(" mean , max "), list(&[Mean, Max]));

    let config = with_overrides(&[], &["ingest.kafka.topic=5", "sink.min_rows=1_000", "pipeline=\"p\""]).unwrap();
    assert_eq!((config.ingest.kafka.topic.as_str(), config.sink.min_rows), ("5", 1000));
    assert_eq!(config.pipeline, "p", "a text in double quotes is read as TOML reads it");

    let config = with_overrides(
        &[
            ("ATALAIA__INGEST__KAFKA__PROPERTIES", "{\"a.b\" = \"1\", c = 2}"),
            ("ATALAIA__INGEST__KAFKA__PROPERTIES__SECURITY_PROTOCOL", "SSL"),
            ("ATALAIA__INGEST__KAFKA__SECRETS__SASL_PASSWORD", "env:X"),
        ],
        &["ingest.kafka.properties.fetch.wait.max.ms=7", "ingest.kafka.properties.\"x.y\"=a=b"],
    )
    .unwrap();
    let properties: Vec<(&str, &str)> =
        config.ingest.kafka.properties.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(
        properties,
        [("a.b", "1"), ("c", "2"), ("fetch.wait.max.ms", "7"), ("security.protocol", "SSL"), ("x.y", "a=b")]
    );
    assert!(config.ingest.kafka.secrets.contains_key("sasl.password"));

    let config =
        with_overrides(&[("ATALAIA__MODELS__STORAGE__EMULATOR", "TRUE")], &["ingest.decode.device=[\"a.b\",\"c\"]"]);
    let config = config.unwrap();
    assert!(config.model_storage().emulator && !config.storage.emulator);
    assert_eq!(config.ingest.decode.device, ingest::decode::Path::Keys(vec!["a.b".into(), "c".into()]));
}

/// What is wrong with an otherwise good file to which this is added, or with these arguments.
fn complaint(text: &str, set: &[&str]) -> String {
    let document = format!("{text}\n{MINIMAL}");
    match from_text("x.toml", &document, &[], set) {
        Ok(_) => "nothing".into(),
        Err(message) => message,
    }
}

#[test]
fn unknown_settings_are_named_with_the_nearest_one() {
    for (text, message) in [
        (
            "[aggregate]\nwindwo = '1h'",
            "unknown setting `aggregate.windwo` in `x.toml` line 2: did you mean `aggregate.window`?",
        ),
        ("[agregate]\nwindow = '1h'", "unknown setting `agregate` in `x.toml` line 1: did you mean `aggregate`?"),
        ("window = '1h'", "unknown setting `window` in `x.toml` line 1: did you mean `aggregate.window`?"),
        ("[run]\nfeatures = []", "unknown setting `run.features` in `x.toml` line 2: did you mean `score.features`?"),
        (
            "[aggregate]\nallowed_lateness = '1s'",
            "unknown setting `aggregate.allowed_lateness` in `x.toml` line 2: here it is `aggregate.out_of_orderness`",
        ),
        (
            "[ingest.decode]\nzebra = 1",
            "unknown setting `ingest.decode.zebra` in `x.toml` line 2: `ingest.decode` has `columns`, ",
        ),
    ] {
        let found = complaint(text, &[]);
        assert!(found.starts_with(message), "{found}");
    }
    for (argument, message) in [
        ("sink.urll=x", "unknown setting `sink.urll` in `--set`: did you mean `sink.url`?"),
        (
            "ingest.kafka.security.protocol=SSL",
            "unknown setting `ingest.kafka.security.protocol` in `--set`: properties of the client library go below `ingest.kafka.properties`",
        ),
        ("ingest.kafka.topic.name=x", "unknown setting `ingest.kafka.topic.name` in `--set`"),
        ("sink.url", "`--set sink.url` has no value: write `--set section.key=value`"),
    ] {
        let found = complaint("", &[argument]);
        assert!(found.starts_with(message), "{found}");
    }
}

#[test]
fn wrong_values_are_named_with_their_place_and_what_is_expected() {
    for (text, message) in [
        (
            "[aggregate]\nwindow = 5",
            "`aggregate.window` in `x.toml` line 2: expected a span of time like `500ms`, `30s`, `5m`, `1h` or `7d`, found the number `5`; put it in quotes",
        ),
        (
            "[aggregate]\nwindow = '5'",
            "`aggregate.window` in `x.toml` line 2: `5` is not a span of time: write it with a unit, like `500ms`, `30s`, `5m`, `1h` or `7d`",
        ),
        (
            "[aggregate]\nclock = 'devices'",
            "`aggregate.clock` in `x.toml` line 2: `devices` is not `device` or `partition`: did you mean `device`?",
        ),
        (
            "[run]\nbatch_records = '12'",
            "`run.batch_records` in `x.toml` line 2: expected a whole number, found the text `12`",
        ),
        ("[run]\nbatch_records = -1", "`run.batch_records` in `x.toml` line 2: -1 is below 0"),
        ("aggregate = 5", "`aggregate` in `x.toml` line 1: expected a section, found the number `5`"),
        (
            "[ingest]\nstart = 'newest'",
            "`ingest.start` in `x.toml` line 2: `newest` is not a start: write `earliest`, `latest` or a time like `2026-01-31T06:00:00Z`",
        ),
        ("[ingest.decode]\ndelimiter = ';;'", "`ingest.decode.delimiter` in `x.toml` line 2: "),
        ("[aggregate", "the configuration file `x.toml` is not TOML: line 1, column 11: "),
    ] {
        let found = complaint(text, &[]);
        assert!(found.starts_with(message), "{found}");
    }
    for (text, expected) in [
        ("[ingest.kafka]\ntopic = events", Some("topic = \"…\"")),
        ("[aggregate]\nwindow = 10m   # ten minutes", Some("window = \"…\"")),
        ("[sink]\nurl = az://results", Some("url = \"…\"")),
        ("[score]\nfeatures = [mean, count]", Some("features = [\"…\", \"…\"]")),
        ("[aggregate", None),
        ("[run]\nworkers = ", None),
        ("[sink]\nurl = \"out", None),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.toml");
        fs::write(&path, text).unwrap();
        let error = load(Sources { file: Some(path), ..Sources::default() }).unwrap_err();
        let hint = error.hint().unwrap();
        match expected {
            Some(quoted) => assert_eq!(hint, format!("a text stands in quotes: `{quoted}`"), "{text}"),
            None => assert!(hint.starts_with("the file was read as TOML"), "{text}: {hint}"),
        }
        assert!(!hint.contains("events") && !error.to_string().contains("events"), "what stands there may be a secret");
    }
    assert_eq!(complaint("", &["sink.min_rows=many"]), "`sink.min_rows` in `--set`: expected a whole number");
    let two = complaint("[aggregate]\nwindow = 5\nclock = 'x'", &[]);
    assert!(two.starts_with("the configuration has 2 problems:\n  - `aggregate.clock`"), "{two}");
}

/// A rule about a setting that is wrong, or was meant by one that is unknown, would only mislead.
#[test]
fn what_is_wrong_is_said_at_once_and_what_follows_from_it_is_not() {
    let alone = |text: &str, set: &[&str]| from_text("x.toml", text, &[], set).unwrap_err();
    let all =
        complaint("[run]\nbatch_records = 'x'\n[aggregate]\nclose_after = '1s'\noffset = '2h'\nwindoww = '1h'", &[]);
    for part in [
        "the configuration has 4 problems:",
        "`run.batch_records` in `x.toml` line 2",
        "unknown setting `aggregate.windoww`",
        "`aggregate.close_after` (1s) is below `aggregate.out_of_orderness` (30s)",
        "`aggregate.offset` is 2h",
        "(given in `x.toml` line 4)",
    ] {
        assert!(all.contains(part), "`{part}` is missing in {all}");
    }
    for (text, set) in [
        ("[ingest.kafka]\ntopic = 5\n[sink]\nurl = 'out'", &[][..]),
        ("[ingest.kafka]\ntopic = 't'\n[sink]\nurll = 'out'", &[]),
        ("[ingest]\nsource = 'kafk'\n[sink]\nurl = 'out'", &[]),
        (MINIMAL, &["aggregate.out_of_orderness=x", "aggregate.close_after=1s"]),
    ] {
        let found = alone(text, set);
        assert!(!found.contains("problems"), "{text} {set:?}: {found}");
    }
}

#[test]
fn secrets_written_out_are_refused_and_not_repeated() {
    let hidden = "hunter2";
    for text in [
        format!("[storage]\nkey = '{hidden}'"),
        format!("[storage]\nkey = ['{hidden}']"),
        format!("[models.storage]\nsas = '{hidden}'"),
        format!("[ingest.kafka.properties]\n'sasl.password' = '{hidden}'"),
        format!("[ingest.kafka.properties]\n'ssl.key.password' = '{hidden}'"),
        format!("[ingest.kafka.properties]\n'sasl.oauthbearer.config' = '{hidden}'"),
        format!("[ingest.kafka.properties]\n'sasl.oauthbearer.assertion.private.key.pem' = '{hidden}'"),
        format!("[ingest.kafka.secrets]\n'sasl.password' = '{hidden}'"),
        format!("[ingest.event_hubs]\nconnection_string = 'Endpoint=sb://x/;SharedAccessKey={hidden}'"),
        format!("[ingest.event_hubs.entra]\nclient_secret = '{hidden}'"),
        format!("[storage]\nkey = '{hidden}"),
        format!("[storage]\nsecret = '{hidden}'"),
        format!("[ingest.files]\npath = 'x'\n[storage]\nendpoint = 'https://me:{hidden}@host'"),
    ] {
        let found = complaint(&text, &[]);
        assert!(found != "nothing" && !found.contains(hidden), "{found}");
    }
    for argument in ["storage.key=hunter2", "storage.key: hunter2", "score.models=az://c/m?sv=1&sig=hunter2"] {
        let found = complaint("", &[argument]);
        assert!(found != "nothing" && !found.contains(hidden), "{found}");
    }
}

#[test]
fn rules_between_settings_name_both() {
    for (set, parts) in [
        (&["pipeline=a b"][..], &["`pipeline` is `a b`", "1 to 100 letters", "(given in `--set`)"][..]),
        (&["sink.url=gs://bucket/out"], &["`sink.url`: no store goes by `gs://`: known are folders"]),
        (&["sink.url=ftp://host/out"], &["no store goes by `ftp://`"]),
        (&["sink.url=s3:/bucket/out"], &["`sink.url`: `s3:/bucket/out` is not", "two slashes belong behind `s3:`"]),
        (&["sink.late=az:container"], &["`sink.late`", "two slashes belong behind `az:`"]),
        (&["sink.url=http://host/out"], &["`sink.url`: `http://host/out`", "az://container/prefix"]),
        (
            &["sink.url=http://a.blob.core.windows.net/c/p"],
            &["`http://a.blob.core.windows.net` is not encrypted: use https"],
        ),
        (&["score.models=gs://models"], &["`score.models`: no store goes by `gs://`"]),
        (&["telemetry.logs=ftp://logs"], &["`telemetry.logs`: no store goes by `ftp://`"]),
        (&["ingest.source=files", "ingest.files.path=s3://b/x.csv"], &["`ingest.files.path` is a URL"]),
        (&["ingest.kafka.brokers=kafka"], &["`ingest.kafka.brokers` has `kafka`", "write `kafka:9092`"]),
        (&["ingest.kafka.brokers=a:9092,b:x"], &["`ingest.kafka.brokers` has `b:x`", "write `b:9092`"]),
        (&["ingest.kafka.brokers=kafka://a:9092"], &["`ingest.kafka.brokers` holds a URL", "`host:port` alone"]),
        (&["ingest.kafka.brokers=http://a"], &["`ingest.kafka.brokers` holds a URL"]),
        (
            &["ingest.decode.shape=wide", "ingest.decode.ignore=ts"],
            &["`ingest.decode.time` and `ingest.decode.ignore`"],
        ),
        (
            &["ingest.source=files", "ingest.files.path=x", "ingest.decode.format=csv", "ingest.decode.decimal=\",\""],
            &["`ingest.decode.decimal` and `ingest.decode.delimiter` are both ','", "delimiter = \";\""],
        ),
        (&["ingest.kafka.topic="], &["`ingest.source` is `kafka`", "`ingest.kafka.topic` is empty"]),
        (&["ingest.kafka.topic=a b"], &["`ingest.kafka.topic` is `a b`"]),
        (
            &["ingest.kafka.brokers=kafka:9092", "ingest.kafka.properties.security.protocol=PLAINTEXT"],
            &[
                "`ingest.kafka.properties.\"security.protocol\"` is `PLAINTEXT`",
                "`ingest.kafka.allow_plaintext = true`",
            ],
        ),
        (&["ingest.source=event-hubs"], &["`ingest.event_hubs.connection_string`", "`namespace`"]),
        (
            &["ingest.source=event-hubs", "ingest.event_hubs.namespace=a.b.net:5671"],
            &["`ingest.event_hubs.hub` is missing"],
        ),
        (
            &["ingest.source=event-hubs", "ingest.event_hubs.namespace=sb://a"],
            &["`ingest.event_hubs.namespace`", "full host name"],
        ),
        (
            &[
                "ingest.source=event-hubs",
                "ingest.event_hubs.connection_string=env:A",
                "ingest.event_hubs.sas_token=env:B",
            ],
            &["`connection_string` and a `sas_token`"],
        ),
        (
            &[
                "ingest.source=event-hubs",
                "ingest.event_hubs.connection_string=env:A",
                "ingest.event_hubs.entra.client_id=b",
            ],
            &["`ingest.event_hubs.entra`", "keep one"],
        ),
        (
            &["ingest.source=event-hubs", "ingest.event_hubs.properties.sasl.password=x"],
            &["`ingest.event_hubs.properties` holds the secret `sasl.password`"],
        ),
        (&["ingest.source=event-hubs", "ingest.event_hubs.entra.method=client-secret"], &["`client_secret`"]),
        (
            &["ingest.source=event-hubs", "ingest.event_hubs.ownership.expiry=10s"],
            &["`ingest.event_hubs.ownership.expiry` is 10s and `renew_interval` 10s"],
        ),
        (&["ingest.source=files"], &["`ingest.source` is `files`", "`ingest.files.path` is empty"]),
        (&["ingest.source=files", "ingest.files.path=out"], &["`sink.url`", "`ingest.files.path`"]),
        (&["ingest.decode.format=csv"], &["`ingest.decode.format` is `csv`", "`ingest.decode.columns`"]),
        (&["ingest.decode.sensors=a"], &["`ingest.decode.sensors`", "`ingest.decode.shape`"]),
        (&["ingest.decode.value=ts"], &["`ingest.decode.time`", "`ingest.decode.value`"]),
        (&["aggregate.window=500ms"], &["`aggregate.window` is 500ms"]),
        (&["aggregate.offset=2h"], &["`aggregate.offset` is 2h", "`aggregate.window` 1h"]),
        (&["aggregate.close_after=1s"], &["`aggregate.close_after`", "`aggregate.out_of_orderness`"]),
        (&["aggregate.device_ttl=1h"], &["`aggregate.device_ttl`", "1h 20m 30s"]),
        (&["score.features="], &["`score.features` is empty"]),
        (&["score.features=mean,mean"], &["`score.features` names `mean` twice"]),
        (&["score.template=model_{device}"], &["`score.template`", "`{sensor}`", "`score.key`"]),
        (
            &["score.template={device}_{sensor}", "score.key=device"],
            &["`score.template`", "`{sensor}`", "must not occur"],
        ),
        (&["score.mapping=/etc/mapping.csv"], &["`score.mapping`", "below `score.models`"]),
        (&["score.min_readings=0"], &["`score.min_readings` is 0"]),
        (&["sink.url="], &["`sink.url` is empty", "`sink.state`"]),
        (&["sink.late=out/predictions"], &["`sink.predictions` and `sink.late` are the same folder"]),
        (&["sink.state=out/late/state"], &["`sink.late` and `sink.state` lie one in the other"]),
        (&["sink.commit_interval=0"], &["`sink.commit_interval` is 0"]),
        (&["storage.key=env:A", "storage.sas=env:B"], &["`storage.key` and `storage.sas`"]),
        (&["storage.access_key_id=env:A"], &["`storage.secret_access_key`"]),
        (&["storage.endpoint=http://x"], &["`storage.endpoint`", "`storage.allow_plaintext`"]),
        (&["telemetry.metrics=9464"], &["`telemetry.metrics` is `9464`"]),
        (&["telemetry.status=9465"], &["`telemetry.status` is `9465`"]),
        (&["telemetry.status=127.0.0.1:9464"], &["`telemetry.status` and `telemetry.metrics` are the same address"]),
        (&["telemetry.status=:9465"], &["`telemetry.status` is `:9465`", "`127.0.0.1:9465`"]),
        (&["telemetry.status=on"], &["`telemetry.status` is `on`"]),
        (&["telemetry.stuck_after=59s"], &["`telemetry.stuck_after` is below 1m"]),
        (&["telemetry.log=loud"], &["`telemetry.log` is `loud`"]),
        (&["run.workers=0"], &["`run.workers` is 0"]),
    ] {
        let found = complaint("", set);
        for part in parts {
            assert!(found.contains(part), "{set:?}: {found}");
        }
    }
    assert_eq!(complaint("", &["telemetry.log=info,ingest=debug", "telemetry.metrics=off"]), "nothing");
    for set in [
        &["ingest.kafka.brokers=[::1]:9092, kafka.plant.example:9093"][..],
        &["sink.url=https://a.blob.core.windows.net/c/p"],
        &["sink.url=http://127.0.0.1:10000/devstoreaccount1/c"],
        &["sink.url=file:///var/out"],
        &["sink.url=memory://x/"],
        &["sink.url=C:out"],
    ] {
        assert_eq!(complaint("", set), "nothing", "{set:?}");
    }
    assert_eq!(complaint("", &["telemetry.metrics=127.0.0.1:0", "telemetry.status=127.0.0.1:0"]), "nothing");
}

#[test]
fn a_file_that_is_not_there_or_not_a_configuration_is_named() {
    let missing = load(from_file("no-such.toml")).unwrap_err();
    assert!(matches!(missing, Error::Missing { .. }) && missing.to_string().contains("no-such.toml"));
    assert!(missing.hint().unwrap().contains("`atalaia init --sample FILE`"));
    let near = load(from_file("config/pipeline.exmple.toml")).unwrap_err().hint().unwrap();
    assert!(near.starts_with("did you mean `") && near.contains("pipeline.example.toml`?"), "{near}");
    let others = load(from_file("config/other-name.toml")).unwrap_err().hint().unwrap();
    assert!(others.contains("reference.toml`") && others.contains(" are there; `atalaia init"), "{others}");
    assert!(!load(from_file("config/other-name.toml")).unwrap_err().hint().unwrap().contains("Cargo.toml"));
    let folder = load(from_file("config")).unwrap_err();
    assert!(folder.hint().is_some_and(|hint| hint.contains("give the file itself")), "{folder}: {:?}", folder.hint());
    let binary = tempfile::NamedTempFile::new().unwrap();
    fs::write(binary.path(), b"PAR1\xff\xfe").unwrap();
    let binary = load(Sources { file: Some(binary.path().to_owned()), ..Sources::default() }).unwrap_err();
    assert!(binary.hint().is_some_and(|hint| hint.contains("text in UTF-8")), "{binary}: {:?}", binary.hint());
    let long = "#".repeat((1 << 20) + 1);
    assert!(from_text("x.toml", &long, &[], &[]).unwrap_err().contains("larger than 1048576 bytes"));
}
