//! Races to create one object: exactly one writer may win, and what it wrote is seen at once. Everything that is exactly
//! once rests on this, so it is tried on each kind of store; services where their addresses are in the environment.
//!
//! `ATALAIA_TEST_RACES=60x16` asks for more races and writers than the few of a usual run.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::{ObjectStoreExt, PutMode, PutPayload};
use store::{Config, Error, Location, open};
use tokio::sync::Barrier;
use types::Secret;

#[derive(Debug, Clone, Copy)]
struct Size {
    races: usize,
    writers: usize,
}

impl Size {
    fn wanted() -> Self {
        let text = std::env::var("ATALAIA_TEST_RACES").unwrap_or_else(|_| "10x8".to_owned());
        let (races, writers) = text.split_once('x').expect("as in `60x16`");
        Size { races: races.parse().expect("a number"), writers: writers.parse().expect("a number") }
    }
}

/// How the writers of one race fared.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    winners: Vec<usize>,
    losers: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_writer_wins_in_memory() {
    run_races(&open("memory://races/here", &Config::default()).expect("opens")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_writer_wins_in_a_folder() {
    let above = tempfile::tempdir().expect("temp folder");
    let location = open(&above.path().join("out").display().to_string(), &Config::default()).expect("opens");
    run_races(&location).await;
    assert_eq!(std::fs::read_dir(above.path().join(".out-tmp")).expect("made").count(), 0, "nothing is left behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_writer_wins_in_azurite() {
    let Ok(endpoint) = std::env::var("ATALAIA_TEST_AZURITE") else {
        assert!(std::env::var_os("ATALAIA_TEST_REQUIRED").is_none(), "ATALAIA_TEST_AZURITE is not set");
        eprintln!("SKIPPED: ATALAIA_TEST_AZURITE is not set");
        return;
    };
    let config = Config { emulator: true, endpoint: Some(endpoint), ..Config::default() };
    let location = open(&format!("az://races-{}/here", std::process::id()), &config).expect("opens");
    store::emulator::create_container(&location).await.expect("created");
    run_races(&location).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_writer_wins_in_s3() {
    // Not among the services that are promised.
    let Ok(endpoint) = std::env::var("ATALAIA_TEST_S3") else {
        eprintln!("SKIPPED: ATALAIA_TEST_S3 is not set");
        return;
    };
    let folder = tempfile::tempdir().expect("temp folder");
    let file = folder.path().join("any");
    std::fs::write(&file, "any").expect("written");
    let any = Secret::parse(&format!("file:{}", file.display())).expect("a reference");
    let config = Config {
        endpoint: Some(endpoint),
        region: Some("us-east-1".to_owned()),
        access_key_id: Some(any.clone()),
        secret_access_key: Some(any),
        allow_plaintext: true,
        ..Config::default()
    };
    let location = open(&format!("s3://atalaia/races-{}", std::process::id()), &config).expect("opens");
    store::check_writable(&location).await.expect("the bucket is there");
    run_races(&location).await;
}

#[test]
fn one_writer_wins_among_processes() {
    let above = tempfile::tempdir().expect("temp folder");
    let folder = above.path().join("out");
    let size = Size::wanted();
    let mut racers: Vec<Racer> =
        (0..4).map(|number| Racer::begin(&folder.display().to_string(), number, size.writers.div_ceil(4))).collect();
    for race in 0..size.races {
        racers.iter_mut().for_each(|racer| racer.tell(race));
        let winners: usize = racers.iter_mut().map(Racer::hear).sum();
        assert_eq!(winners, 1, "race {race}");
    }
    for racer in racers {
        racer.end();
    }
    let files = std::fs::read_dir(folder.join("log")).expect("made").count();
    assert_eq!(files, size.races, "nothing but what was created is seen");
    assert_eq!(std::fs::read_dir(above.path().join(".out-tmp")).expect("made").count(), 0, "nothing is left behind");
}

/// Not a test by itself: what each process of the test above does. Told a race's number, it answers with its winners.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "started by one_writer_wins_among_processes"]
async fn racing_process() {
    let Ok(folder) = std::env::var("ATALAIA_RACE_FOLDER") else { return };
    let number = |name: &str| std::env::var(name).expect("set").parse::<usize>().expect("a number");
    let (first, writers) = (number("ATALAIA_RACE_FIRST"), number("ATALAIA_RACE_WRITERS"));
    let location = open(&folder, &Config::default()).expect("opens");
    for line in std::io::stdin().lines() {
        let race = line.expect("a line").parse().expect("a number");
        let tally = run_race(&location, race, first..first + writers).await;
        println!("\nwinners {}", tally.winners.len());
    }
}

async fn run_races(location: &Location) {
    let size = Size::wanted();
    for race in 0..size.races {
        let tally = run_race(location, race, 0..size.writers).await;
        assert_eq!((tally.winners.len(), tally.losers), (1, size.writers - 1), "race {race}: {tally:?}");
        let found = location.store.get(&name(location, race)).await.expect("there").bytes().await.expect("bytes");
        assert_eq!(found, content(tally.winners[0]), "race {race}: the winner's bytes, whole");
    }
}

/// All writers at once; whoever wins sees the object in the list, whole.
async fn run_race(location: &Location, race: usize, writers: std::ops::Range<usize>) -> Tally {
    let barrier = Arc::new(Barrier::new(writers.len()));
    let tasks: Vec<_> = writers
        .map(|writer| {
            let (location, barrier) = (location.clone(), Arc::clone(&barrier));
            tokio::spawn(async move {
                let path = name(&location, race);
                let bytes = content(writer);
                barrier.wait().await;
                match location.store.put_opts(&path, PutPayload::from(bytes.clone()), PutMode::Create.into()).await {
                    Ok(_) => {
                        let listed: Vec<_> = location
                            .store
                            .list(Some(&location.path("log")))
                            .try_collect()
                            .await
                            .expect("can be listed");
                        let seen = listed.iter().find(|object| object.location == path);
                        assert_eq!(seen.map(|object| object.size), Some(bytes.len() as u64), "race {race}: {listed:?}");
                        Some(writer)
                    }
                    Err(error) => {
                        let told = Error::from_store(&location, &error);
                        assert!(matches!(told, Error::Exists { .. }), "race {race}: {error:?}");
                        None
                    }
                }
            })
        })
        .collect();
    let mut tally = Tally::default();
    for task in tasks {
        match task.await.expect("does not panic") {
            Some(writer) => tally.winners.push(writer),
            None => tally.losers += 1,
        }
    }
    tally
}

fn name(location: &Location, race: usize) -> object_store::path::Path {
    location.path(&format!("log/{race:020}"))
}

/// Of a size by which the writer is told.
fn content(writer: usize) -> Vec<u8> {
    vec![b'a' + (writer % 26) as u8; 20_000 + writer]
}

/// Another process with writers of its own.
struct Racer {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Racer {
    fn begin(folder: &str, number: usize, writers: usize) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("known"))
            .args(["--ignored", "--exact", "racing_process", "--nocapture"])
            .env("ATALAIA_RACE_FOLDER", folder)
            .env("ATALAIA_RACE_FIRST", (number * writers).to_string())
            .env("ATALAIA_RACE_WRITERS", writers.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let to = child.stdin.take().expect("piped");
        let from = BufReader::new(child.stdout.take().expect("piped"));
        Racer { child, to, from }
    }

    fn tell(&mut self, race: usize) {
        writeln!(self.to, "{race}").expect("listens");
    }

    fn hear(&mut self) -> usize {
        let lines = (&mut self.from).lines().map_while(Result::ok);
        let mut answers = lines.filter_map(|line| line.strip_prefix("winners ").map(str::to_owned));
        answers.next().expect("answers").parse().expect("a number")
    }

    fn end(self) {
        let Racer { mut child, to, from } = self;
        drop(to);
        let rest: Vec<_> = from.lines().map_while(Result::ok).collect();
        assert!(child.wait().expect("ends").success(), "{rest:?}");
    }
}
