//! How fast is the native Event Hubs source? Fills a hub of an emulator in this process, then drains it: through the source, and
//! through bare receivers of `fe2o3-amqp`, in turns. The emulator takes its share of the processors, the same for both.
//!
//! `cargo run --release -p atalaia-ingest --example event_hubs_drain -- [EVENTS] [PARTITIONS] [BYTES] [BATCH]`
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::io::Write;
use std::time::{Duration, Instant};

use emulator::{Command, Emulator, Options};
use fe2o3_amqp::link::CreditMode;
use fe2o3_amqp::{Connection, Receiver, Sender, Session};
use fe2o3_amqp_types::definitions::SenderSettleMode;
use fe2o3_amqp_types::messaging::{
    AmqpValue, ApplicationProperties, Body, FilterSet, Message, Properties, Source as Address,
};
use ingest::event_hubs::{Config, EventHubsSource, Static};
use ingest::{Bound, Polled, Source, Start, Wanted};
use serde_amqp::Value;
use serde_amqp::described::Described;
use serde_amqp::descriptor::Descriptor;
use serde_amqp::primitives::Symbol;
use tokio::runtime::{Builder, Runtime};
use types::Secret;

const HUB: &str = "drain";

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>().expect("a number"));
    let events = arguments.next().unwrap_or(400_000);
    let partitions = arguments.next().unwrap_or(4);
    let bytes = arguments.next().unwrap_or(100);
    let batch = arguments.next().unwrap_or(4096);
    let server = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let emulator = server
        .block_on(Emulator::start(Options { accept_jwt: Some("drain".into()), ..Options::hub(HUB, partitions) }))
        .unwrap();
    for partition in 0..partitions {
        emulator.apply(Command::Fill { hub: HUB.into(), partition, count: events / partitions, bytes }).unwrap();
    }
    let events = events / partitions * partitions;
    let client = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for _ in 0..3 {
        report("source", events, || through_source(&emulator, &client, partitions, batch));
        report("bare receivers", events, || client.block_on(through_receivers(&emulator, partitions, events)));
    }
}

/// Events, and polls that brought some.
fn through_source(emulator: &Emulator, runtime: &Runtime, partitions: usize, batch: usize) -> (usize, usize) {
    let mut secret = tempfile::NamedTempFile::new().unwrap();
    secret.write_all(emulator.connection_string(HUB).as_bytes()).unwrap();
    let connection_string = Secret::parse(&format!("file:{}", secret.path().display())).unwrap();
    let config = Config { connection_string: Some(connection_string), ..Config::default() };
    let membership = Box::new(Static::new(0, 1));
    let handle = runtime.handle().clone();
    let mut source =
        EventHubsSource::new(&config, 0, Bound::PresentEnd, batch, Wanted::default(), membership, handle).unwrap();
    let (mut events, mut batches, mut ended) = (0, 0, 0);
    while ended < partitions {
        match source.poll(Duration::from_millis(100)).unwrap() {
            Polled::Gained(gained) => {
                for partition in gained {
                    let first = source.resolve(&partition, Start::Earliest).unwrap();
                    source.start(&partition, first).unwrap();
                }
            }
            Polled::Records(records) => {
                events += records.len();
                batches += 1;
            }
            Polled::Ended { .. } => ended += 1,
            _ => {}
        }
    }
    source.leave();
    (events, batches)
}

/// One connection, a session and a task for each partition, as the source has.
async fn through_receivers(emulator: &Emulator, partitions: usize, events: usize) -> (usize, usize) {
    let stream = tokio::net::TcpStream::connect(emulator.address()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut connection = Connection::builder()
        .container_id("bare")
        .hostname("127.0.0.1")
        .max_frame_size(1024 * 1024)
        .sasl_profile(fe2o3_amqp::sasl_profile::SaslProfile::Anonymous)
        .open_with_stream(stream)
        .await
        .unwrap();
    let mut session = Session::begin(&mut connection).await.unwrap();
    put_token(emulator, &mut session).await;
    let mut tasks = tokio::task::JoinSet::new();
    for partition in 0..partitions {
        let mut session = Session::begin(&mut connection).await.unwrap();
        let selector = "apache.org:selector-filter:string";
        let described = Described {
            descriptor: Descriptor::Name(Symbol::from(selector)),
            value: Value::String("amqp.annotation.x-opt-offset > '-1'".into()),
        };
        let mut filter = FilterSet::new();
        filter.insert(Symbol::from(selector), Value::Described(Box::new(described)));
        let address = format!("{HUB}/ConsumerGroups/$Default/Partitions/{partition}");
        let mut receiver = Receiver::builder()
            .name(format!("bare-{partition}"))
            .source(Address::builder().address(address).filter(filter).build())
            .sender_settle_mode(SenderSettleMode::Settled)
            .credit_mode(CreditMode::Manual)
            .attach(&mut session)
            .await
            .unwrap();
        let events = events / partitions;
        tasks.spawn(async move {
            const CREDIT: u32 = 2000;
            receiver.set_credit(CREDIT).await.unwrap();
            for number in 0..events {
                let delivery = receiver.recv::<Body<Value>>().await.unwrap();
                std::hint::black_box(&delivery);
                if number % 500 == 499 {
                    receiver.set_credit(CREDIT).await.unwrap();
                }
            }
            receiver.close().await.unwrap();
            drop(session);
        });
    }
    tasks.join_all().await;
    let _ = connection.close().await;
    (events, events)
}

/// The emulator takes unsigned tokens where it was told to.
async fn put_token(emulator: &Emulator, session: &mut fe2o3_amqp::session::SessionHandle<()>) {
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let token = format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode(r#"{"aud":"drain","exp":4102444800}"#));
    let mut sender = Sender::builder().name("cbs-out").target("$cbs").attach(session).await.unwrap();
    let mut receiver =
        Receiver::builder().name("cbs-in").source("$cbs").target("cbs-in").attach(session).await.unwrap();
    let message = Message::builder()
        .properties(Properties::builder().message_id(1_u64).reply_to("cbs-in").build())
        .application_properties(
            ApplicationProperties::builder()
                .insert("operation", "put-token")
                .insert("type", "jwt")
                .insert("name", format!("sb://{}/{HUB}", emulator.address()))
                .build(),
        )
        .body(AmqpValue(Value::String(token)))
        .build();
    sender.send(message).await.unwrap();
    let answer = receiver.recv::<Body<Value>>().await.unwrap();
    receiver.accept(&answer).await.unwrap();
    let status = answer.message().application_properties.as_ref().unwrap().0.get("status-code");
    println!("token: {status:?}");
}

fn report(name: &str, expected: usize, drain: impl FnOnce() -> (usize, usize)) {
    let (started, cpu) = (Instant::now(), cpu_seconds());
    let (events, calls) = drain();
    assert_eq!(events, expected, "{name}");
    let (wall, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    println!(
        "{name:>16}: {:.0} thousand events/s, {:.0} thousand per CPU-second (with the emulator's), {:.0} events a call",
        events as f64 / wall / 1e3,
        events as f64 / cpu / 1e3,
        events as f64 / calls as f64
    );
}

/// User and system time of this process, the emulator's included.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}
