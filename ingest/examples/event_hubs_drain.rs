//! How fast is the native Event Hubs source? Drains a hub of an emulator through the source, or through bare receivers of
//! `fe2o3-amqp`, and prints what it took. `bench/event_hubs.py` starts the emulator, fills the hub and compares.
//!
//! `cargo run --release -p atalaia-ingest --example event_hubs_drain -- source|bare ADDRESS EVENTS PARTITIONS`
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::io::Write;
use std::time::{Duration, Instant};

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

const BATCH_RECORDS: usize = 4096;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [how, address, events, partitions] = &arguments[..] else { panic!("source|bare ADDRESS EVENTS PARTITIONS") };
    let (events, partitions): (usize, usize) = (events.parse().unwrap(), partitions.parse().unwrap());
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let started = Instant::now();
    let drained = match how.as_str() {
        "source" => through_source(address, &runtime, partitions),
        _ => runtime.block_on(through_receivers(address, partitions, events)),
    };
    assert_eq!(drained, events);
    println!("{} {}", started.elapsed().as_secs_f64(), cpu_seconds());
}

fn through_source(address: &str, runtime: &Runtime, partitions: usize) -> usize {
    let mut secret = tempfile::NamedTempFile::new().unwrap();
    let key = "SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE";
    write!(secret, "Endpoint=sb://{address};{key};EntityPath={HUB};UseDevelopmentEmulator=true").unwrap();
    let connection_string = Secret::parse(&format!("file:{}", secret.path().display())).unwrap();
    let config = Config { connection_string: Some(connection_string), ..Config::default() };
    let membership = Box::new(Static::new(0, 1));
    let handle = runtime.handle().clone();
    let mut source =
        EventHubsSource::new(&config, 0, Bound::PresentEnd, BATCH_RECORDS, Wanted::default(), membership, handle)
            .unwrap();
    let (mut events, mut ended) = (0, 0);
    while ended < partitions {
        match source.poll(Duration::from_millis(100)).unwrap() {
            Polled::Gained(gained) => {
                for partition in gained {
                    let first = source.resolve(&partition, Start::Earliest).unwrap();
                    source.start(&partition, first).unwrap();
                }
            }
            Polled::Records(records) => events += records.len(),
            Polled::Ended { .. } => ended += 1,
            _ => {}
        }
    }
    source.leave();
    events
}

/// One connection, a session and a task for each partition, as the source has.
async fn through_receivers(address: &str, partitions: usize, events: usize) -> usize {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
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
    put_token(address, &mut session).await;
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
    events
}

/// The emulator takes unsigned tokens where it was told to.
async fn put_token(address: &str, session: &mut fe2o3_amqp::session::SessionHandle<()>) {
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
                .insert("name", format!("sb://{address}/{HUB}"))
                .build(),
        )
        .body(AmqpValue(Value::String(token)))
        .build();
    sender.send(message).await.unwrap();
    let answer = receiver.recv::<Body<Value>>().await.unwrap();
    receiver.accept(&answer).await.unwrap();
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}
