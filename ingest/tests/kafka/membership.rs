//! Partitions that are added, and members with a name of their own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use ingest::contract;
use ingest::kafka::{Config, KafkaSource, Outgoing};
use ingest::{Bound, Polled, Source};
use types::Position;

use crate::admin::Admin;
use crate::{POLL, WAIT, brokers, config, create, fill, wait_until};

#[test]
fn partitions_that_are_added_are_gained_and_counted() {
    let Some(brokers) = brokers("ATALAIA_TEST_KAFKA") else { return };
    for (key, value) in [("group.protocol", "classic"), ("group.protocol", "consumer")] {
        let mut config = config(&brokers, "grown");
        config.properties.insert(key.into(), value.into());
        // A minute, if nobody says otherwise. That metadata grow old (`metadata.max.age.ms`) makes nobody look again.
        config.properties.insert("topic.metadata.refresh.interval.ms".into(), "1000".into());
        let mut producer = create(&config, 2);
        fill(&mut producer, 2, 100);
        let mut source = KafkaSource::new(&config, 0, Bound::Unbounded, 64).unwrap();
        assert_eq!(source.partitions().unwrap(), Some(2));
        contract::read(&mut source, Bound::Unbounded, 2, |_, _| None);

        Admin::new(&config).create_partitions(5);
        wait_until("the brokers say five", || source.partitions().unwrap() == Some(5));
        let mut gained = Vec::new();
        wait_until("the new partitions are gained, and none is lost", || {
            match source.poll(POLL).unwrap() {
                Polled::Gained(more) => gained.extend(more),
                event => assert!(matches!(event, Polled::Idle | Polled::CaughtUp { .. }), "{event:?}"),
            }
            gained.len() == 3
        });
        gained.sort_by_key(|partition| partition.index);
        assert_eq!(gained.iter().map(|partition| partition.index).collect::<Vec<_>>(), [2, 3, 4]);
        for partition in &gained {
            source.start(partition, Position(0)).unwrap();
        }
        let mut producer = ingest::kafka::Producer::new(&config).unwrap();
        producer.send(Outgoing { partition: Some(4), payload: Some(b"first"), ..Outgoing::default() }).unwrap();
        producer.flush(WAIT).unwrap();
        let first = contract::wait_for(&mut source, |event| match event {
            Polled::Records(records) => Some((records.partition().index, records.iter().next().unwrap().position)),
            _ => None,
        });
        assert_eq!(first, (4, 0));
    }
}

const TOPIC: &str = "ATALAIA_TEST_MEMBER_TOPIC";

fn named(brokers: &str, topic: String) -> Config {
    let instance_id = Some("it".to_owned());
    Config { brokers: brokers.into(), group: topic.clone(), topic, instance_id, ..Config::default() }
}

/// A member in a process of its own, that can be killed.
struct Member {
    process: Child,
    lines: Receiver<String>,
}

impl Member {
    fn start(config: &Config) -> Member {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "membership::the_process_of_a_member", "--ignored", "--nocapture"])
            .env(TOPIC, &config.topic)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (line, lines) = sync_channel(64);
        let output = BufReader::new(process.stdout.take().unwrap());
        thread::spawn(move || {
            for found in output.lines().map_while(Result::ok) {
                let _ = line.send(found);
            }
        });
        Member { process, lines }
    }

    /// What it gained, once it has.
    fn gained(&self) -> Option<String> {
        self.lines.try_iter().find_map(|line| line.strip_prefix("gained ").map(str::to_owned))
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
#[ignore = "the process that another test starts and kills"]
fn the_process_of_a_member() {
    let (Some(brokers), Ok(topic)) = (brokers("ATALAIA_TEST_KAFKA"), std::env::var(TOPIC)) else { return };
    let mut source = KafkaSource::new(&named(&brokers, topic), 1, Bound::Unbounded, 64).unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    while Instant::now() < deadline {
        match source.poll(POLL).unwrap() {
            Polled::Gained(gained) if !gained.is_empty() => {
                let mut indices: Vec<_> = gained.iter().map(|partition| partition.index).collect();
                indices.sort_unstable();
                println!("gained {indices:?}");
            }
            event => assert!(matches!(event, Polled::Idle | Polled::Gained(_)), "{event:?}"),
        }
    }
}

#[test]
fn a_named_member_that_comes_back_moves_nobody() {
    let Some(brokers) = brokers("ATALAIA_TEST_KAFKA") else { return };
    let config = named(&brokers, config(&brokers, "named").topic);
    create(&config, 4);
    let mut stays = KafkaSource::new(&config, 0, Bound::Unbounded, 64).unwrap();
    contract::gain(&mut stays, 4);
    let member = Member::start(&config);
    let mut lost = 0;
    let mut theirs = None;
    wait_until("two members share", || {
        if let Polled::Lost(partitions) = stays.poll(POLL).unwrap() {
            lost += partitions.len();
        }
        theirs = theirs.take().or_else(|| member.gained());
        lost == 2 && theirs.is_some()
    });
    // It dies without a word, and comes back.
    member.kill();
    let member = Member::start(&config);
    let mut again = None;
    wait_until("the killed member is back", || {
        undisturbed(&mut stays);
        again = again.take().or_else(|| member.gained());
        again.is_some()
    });
    assert_eq!(again, theirs);
    member.kill();

    // In good order it goes just the same.
    for _ in 0..2 {
        let mut member = KafkaSource::new(&config, 1, Bound::Unbounded, 64).unwrap();
        let mut gained = Vec::new();
        wait_until("the member that left is back", || {
            undisturbed(&mut stays);
            if let Polled::Gained(more) = member.poll(POLL).unwrap() {
                for partition in more {
                    member.start(&partition, Position(0)).unwrap();
                    gained.push(partition.index);
                }
            }
            gained.len() == 2
        });
        gained.sort_unstable();
        assert_eq!(Some(format!("{gained:?}")), theirs);
        member.leave();
    }
    undisturbed_for(&mut stays, Duration::from_secs(5));
}

/// A run that fails before it reads, of its models or its store, is no member that the next one has to wait for.
#[test]
fn who_never_polls_is_no_member() {
    let Some(brokers) = brokers("ATALAIA_TEST_KAFKA") else { return };
    let config = config(&brokers, "unpolled");
    create(&config, 2);
    let mut member = KafkaSource::new(&config, 0, Bound::Unbounded, 64).unwrap();
    contract::gain(&mut member, 2);
    let unpolled = KafkaSource::new(&config, 1, Bound::Unbounded, 64).unwrap();
    undisturbed_for(&mut member, Duration::from_secs(4));
    drop(unpolled);
    undisturbed(&mut member);
}

fn undisturbed_for(source: &mut KafkaSource, span: Duration) {
    let until = Instant::now() + span;
    while Instant::now() < until {
        undisturbed(source);
    }
}

fn undisturbed(source: &mut KafkaSource) {
    let event = source.poll(POLL).unwrap();
    assert!(matches!(event, Polled::Idle), "a member that comes back moves others: {event:?}");
}
