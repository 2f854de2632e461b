//! What is asked from outside the group, and what is wrong with the settings.

use std::time::Duration;

use emulator::{Command, Options};
use ingest::contract::gain;
use ingest::event_hubs::{self, Config, EventHubsSource, Questions};
use ingest::{Bound, Claim, Error, Held, Start};
use types::{Position, Secret};

use crate::{HUB, Service, partition, read};

const TIMEOUT: Duration = Duration::from_secs(20);

#[test]
fn a_good_configuration_is_told_the_hub() {
    let service = Service::start(3);
    let info = EventHubsSource::check(&service.config(), TIMEOUT).unwrap();
    assert_eq!((info.name.as_str(), info.partitions), (HUB, 3));

    // Also beside a reader, which goes on.
    let mut source = service.source(Bound::Unbounded);
    gain(&mut *source, 3);
    source.claimed(&partition(0), Claim { number: 1, next: Position(0), offset: None });
    source.start(&partition(0), Position(0)).unwrap();
    service.fill(3, 30);
    read(&mut *source, 0, 10);
    assert_eq!(EventHubsSource::check(&service.config(), TIMEOUT).unwrap(), info);
    service.fill(3, 30);
    assert_eq!(read(&mut *source, 0, 10).len(), 10);
    source.leave();
}

#[test]
fn each_fault_of_a_configuration_has_its_name() {
    let service = Service::start(1);
    let good =
        std::fs::read_to_string(service.config().connection_string.unwrap().reference().split_once(':').unwrap().1)
            .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let with = |text: String, group: &str| {
        let path = folder.path().join("connection-string");
        std::fs::write(&path, text).unwrap();
        Config {
            connection_string: Some(Secret::parse(&format!("file:{}", path.display())).unwrap()),
            consumer_group: group.into(),
            ..Config::default()
        }
    };
    let check = |config: &Config| match EventHubsSource::check(config, Duration::from_secs(5)) {
        Err(Error::EventHubs(error)) => error,
        other => panic!("{other:?}"),
    };
    let key = Options::default().key;
    let wrong_key = check(&with(good.replace(&key, "another"), "atalaia"));
    assert!(matches!(wrong_key, event_hubs::Error::Authentication { .. }), "{wrong_key}");
    let no_hub = check(&with(good.replace(HUB, "nothing"), "atalaia"));
    assert!(matches!(no_hub, event_hubs::Error::HubMissing { .. }), "{no_hub}");
    let no_group = check(&with(good.clone(), "nobody"));
    assert!(matches!(no_group, event_hubs::Error::GroupMissing { .. }), "{no_group}");
    let no_tls = check(&with(good.replace("UseDevelopmentEmulator=true", ""), "atalaia"));
    assert!(matches!(no_tls, event_hubs::Error::Unreachable { .. } | event_hubs::Error::Tls { .. }), "{no_tls}");
    // Nobody listens there.
    let away = check(&with(good.replace("sb://127.0.0.1:", "sb://127.0.0.2:"), "atalaia"));
    assert!(matches!(away, event_hubs::Error::Unreachable { .. }), "{away}");
    for error in [wrong_key, no_hub, no_group, no_tls, away] {
        let text = format!("{error:?} {error}");
        assert!(!text.contains(&key) && !text.contains("sig="), "{text}");
    }
}

#[test]
fn questions_disturb_nobody() {
    let service = Service::start(1);
    service.fill(1, 100);
    let questions = Questions::new(&service.config()).unwrap();
    assert_eq!(questions.partitions().unwrap(), 1);
    let extent = questions.extent(&partition(0)).unwrap();
    assert_eq!((extent.low, extent.high), (Position(0), Position(100)));
    assert_eq!(questions.resolve(&partition(0), Start::Latest).unwrap(), Position(100));
    assert_eq!(questions.resolve(&partition(0), Start::Time(1)).unwrap(), Position(0));
    let held = questions.record_at(&partition(0), Position(7)).unwrap();
    assert!(matches!(held, Held::Record(anchor) if anchor.position == 7), "{held:?}");
    let stranger = questions.extent(&partition(9));
    assert!(matches!(stranger, Err(Error::NoPartition { .. })), "{stranger:?}");

    let mut source = service.source(Bound::Unbounded);
    gain(&mut *source, 1);
    source.claimed(&partition(0), Claim { number: 1, next: Position(0), offset: None });
    source.start(&partition(0), Position(0)).unwrap();
    read(&mut *source, 0, 100);
    // Who reads is not cut off: then it is not known.
    assert_eq!(questions.record_at(&partition(0), Position(7)).unwrap(), Held::Unknown);
    // The reader itself can look.
    assert_eq!(source.record_at(&partition(0), Position(7)).unwrap(), held);
    service.apply(Command::Fill { hub: HUB.into(), partition: 0, count: 10, bytes: 10 });
    assert_eq!(read(&mut *source, 0, 10).len(), 10);
    source.leave();
}
