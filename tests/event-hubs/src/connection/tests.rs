//! What Microsoft's clients do not show: frames as they lie on the wire, of a client written by hand.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::codec::{Reader, Value};
use crate::frames::{self, Performative};
use crate::{Command, Emulator, Links, Options, sas};

/// A peer may be slow on a busy machine; nothing is concluded from less.
const PATIENCE: Duration = Duration::from_secs(20);

struct Client {
    stream: TcpStream,
}

/// A frame's code, its fields (each checked to be there), and what follows.
#[derive(Debug, PartialEq)]
struct Received {
    code: u8,
    fields: Vec<Value>,
    payload: Vec<u8>,
}

impl Client {
    async fn connect(emulator: &Emulator) -> Self {
        let mut client = Self::shake(emulator).await;
        client.open(65_536, 0).await;
        client
    }

    async fn shake(emulator: &Emulator) -> Self {
        let mut stream = TcpStream::connect(emulator.address()).await.unwrap();
        stream.write_all(b"AMQP\x03\x01\x00\x00").await.unwrap();
        let mut client = Self { stream };
        assert_eq!(client.header().await, *b"AMQP\x03\x01\x00\x00");
        let mechanisms = client.receive().await;
        assert_eq!((mechanisms.code, mechanisms.fields[0].names().contains(&"ANONYMOUS")), (0x40, true));
        client.send(frames::SASL, 0x41, vec![Value::symbol("ANONYMOUS"), Value::Null, Value::Null], &[]).await;
        assert_eq!(client.receive().await.fields[0], Value::Ubyte(0));
        client.stream.write_all(b"AMQP\x00\x01\x00\x00").await.unwrap();
        assert_eq!(client.header().await, *b"AMQP\x00\x01\x00\x00");
        client
    }

    async fn open(&mut self, frame_bytes: u32, idle_ms: u32) {
        let open =
            vec![Value::string("client"), Value::Null, Value::Uint(frame_bytes), Value::Null, Value::Uint(idle_ms)];
        self.send(frames::AMQP, frames::OPEN, open, &[]).await;
        assert_eq!(self.expect(frames::OPEN).await.fields.len(), 10);
        let begin = vec![Value::Null, Value::Uint(0), Value::Uint(5000), Value::Uint(5000)];
        self.send(frames::AMQP, frames::BEGIN, begin, &[]).await;
        assert_eq!(self.expect(frames::BEGIN).await.fields.len(), 8);
    }

    async fn header(&mut self) -> [u8; 8] {
        let mut header = [0; 8];
        self.stream.read_exact(&mut header).await.unwrap();
        header
    }

    async fn send(&mut self, kind: u8, code: u8, fields: Vec<Value>, payload: &[u8]) {
        let mut out = BytesMut::new();
        frames::frame(&mut out, kind, 0, |out| {
            Value::described(code.into(), Value::List(fields)).write(out);
            out.extend_from_slice(payload);
        });
        self.stream.write_all(&out).await.unwrap();
    }

    /// The next frame; an empty one has the code 0.
    async fn receive(&mut self) -> Received {
        tokio::time::timeout(PATIENCE, self.try_receive()).await.expect("a frame in time").expect("a frame")
    }

    async fn try_receive(&mut self) -> std::io::Result<Received> {
        let size = self.stream.read_u32().await? as usize;
        let mut frame = vec![0; size - 4];
        self.stream.read_exact(&mut frame).await?;
        if frame.len() == 4 {
            return Ok(Received { code: 0, fields: vec![], payload: vec![] });
        }
        let (performative, payload) = Performative::read(&frame[4..]).map_err(std::io::Error::other)?;
        let fields = (0..).map_while(|index| performative.value(index)).collect();
        Ok(Received { code: performative.code, fields, payload: payload.to_vec() })
    }

    async fn expect(&mut self, code: u8) -> Received {
        let received = self.receive().await;
        assert_eq!(received.code, code, "{received:?}");
        received
    }

    /// The next frame of a kind, passing over others.
    async fn next(&mut self, code: u8) -> Received {
        loop {
            let received = self.receive().await;
            if received.code == code {
                return received;
            }
        }
    }

    async fn attach(
        &mut self,
        handle: u32,
        receives: bool,
        address: &str,
        settled: bool,
        epoch: Option<i64>,
    ) -> Received {
        let terminus = |code, address: Value| Value::described(code, Value::List(vec![address]));
        let (mut source, mut target) = (terminus(0x28, Value::Null), terminus(0x29, Value::Null));
        match receives {
            true => source = terminus(0x28, Value::string(address)),
            false => target = terminus(0x29, Value::string(address)),
        }
        let properties = epoch
            .map_or(Value::Null, |epoch| Value::Map(vec![(Value::symbol("com.microsoft:epoch"), Value::Long(epoch))]));
        let mut fields = vec![Value::Null; 14];
        fields[0] = Value::String(format!("link-{handle}"));
        fields[1] = Value::Uint(handle);
        fields[2] = Value::Bool(receives);
        fields[3] = Value::Ubyte(settled.into());
        (fields[5], fields[6], fields[13]) = (source, target, properties);
        self.send(frames::AMQP, frames::ATTACH, fields, &[]).await;
        let answer = self.next(frames::ATTACH).await;
        assert_eq!(answer.fields.len(), 14);
        answer
    }

    async fn flow(&mut self, handle: u32, delivery_count: u32, credit: u32, drain: bool) {
        let numbers = [1, 5000, 0, 5000, handle, delivery_count, credit].map(Value::Uint);
        let mut fields = numbers.to_vec();
        fields.extend([Value::Null, Value::Bool(drain), Value::Bool(false)]);
        self.send(frames::AMQP, frames::FLOW, fields, &[]).await;
    }

    async fn transfer(&mut self, handle: u32, delivery: u32, more: bool, payload: &[u8]) {
        let tag = Value::Binary(delivery.to_be_bytes().to_vec());
        let fields = vec![
            Value::Uint(handle),
            Value::Uint(delivery),
            tag,
            Value::Uint(0),
            Value::Bool(false),
            Value::Bool(more),
        ];
        self.send(frames::AMQP, frames::TRANSFER, fields, payload).await;
    }

    /// Puts a token for all of the hub; gives the status.
    async fn put_token(&mut self, emulator: &Emulator) -> i64 {
        self.attach(100, false, "$cbs", false, None).await;
        self.attach(101, true, "$cbs", true, None).await;
        self.flow(101, 0, 1, false).await;
        let address = format!("sb://{}/hub", emulator.address());
        let token = sas::sign(&address, u64::MAX / 2, "RootManageSharedAccessKey", "SAS_KEY_VALUE");
        let mut message = BytesMut::new();
        let pair = |key: &str, value: &str| (Value::string(key), Value::string(value));
        let properties = vec![
            pair("operation", "put-token"),
            pair("type", "servicebus.windows.net:sastoken"),
            pair("name", &address),
        ];
        Value::described(0x74, Value::Map(properties)).write(&mut message);
        Value::described(0x77, Value::string(&token)).write(&mut message);
        self.transfer(100, 0, false, &message).await;
        let reply = self.next(frames::TRANSFER).await.payload;
        let mut reader = Reader::new(&reply);
        reader.skip().unwrap();
        reader.descriptor().unwrap();
        reader.value().unwrap().get("status-code").and_then(Value::integer).unwrap()
    }
}

/// The condition and the description of an error.
fn error(value: &Value) -> (&str, &str) {
    let Value::Described(error) = value else { panic!("no error: {value:?}") };
    let text = |index| error.1.field(index).and_then(Value::text).unwrap_or_default();
    (text(0), text(1))
}

async fn start() -> Emulator {
    let emulator = Emulator::start(Options::hub("hub", 2)).await.unwrap();
    fill(&emulator, 10, 100);
    emulator
}

fn fill(emulator: &Emulator, count: usize, bytes: usize) {
    emulator.apply(Command::Fill { hub: "hub".to_owned(), partition: 0, count, bytes }).unwrap();
}

const SOURCE: &str = "hub/ConsumerGroups/$Default/Partitions/0";

#[tokio::test]
async fn credit_bounds_deliveries_and_drain_gives_it_back() {
    let emulator = start().await;
    let mut client = Client::connect(&emulator).await;
    assert_eq!(client.put_token(&emulator).await, 202);
    client.attach(0, true, SOURCE, true, None).await;
    client.flow(0, 0, 3, false).await;
    for _ in 0..3 {
        assert_eq!(client.next(frames::TRANSFER).await.fields[4], Value::Bool(true));
    }
    client.flow(0, 3, 100, true).await;
    for _ in 3..10 {
        client.expect(frames::TRANSFER).await;
    }
    let flow = client.expect(frames::FLOW).await;
    assert_eq!(flow.fields.len(), 11);
    // Handle, delivery count with the credit that was left, no credit, drained.
    assert_eq!(flow.fields[4..7], [Value::Uint(0), Value::Uint(103), Value::Uint(0)]);
    assert_eq!(flow.fields[8], Value::Bool(true));
}

#[tokio::test]
async fn deliveries_are_cut_into_the_clients_frames_and_stay_within_its_window() {
    let emulator = start().await;
    fill(&emulator, 1, 2000);
    let mut client = Client::shake(&emulator).await;
    client.open(512, 0).await;
    client.put_token(&emulator).await;
    client.attach(0, true, SOURCE, false, None).await;
    client.flow(0, 0, 11, false).await;
    for _ in 0..10 {
        client.next(frames::TRANSFER).await;
    }
    let mut parts = Vec::new();
    loop {
        let part = client.expect(frames::TRANSFER).await;
        assert!(part.payload.len() < 512 && part.fields[4] == Value::Bool(false));
        parts.extend_from_slice(&part.payload);
        if part.fields[5] == Value::Bool(false) {
            break;
        }
    }
    assert!(parts.ends_with(&[b'x'; 2000]) && parts.len() < 2200, "{}", parts.len());
}

#[tokio::test]
async fn a_delivery_may_come_in_many_frames_up_to_the_limit() {
    let emulator = start().await;
    let mut client = Client::connect(&emulator).await;
    client.put_token(&emulator).await;
    client.attach(0, false, "amqps://host:1/hub/Partitions/1", false, None).await;
    let event = crate::message::plain_event(&[7; 50_000]);
    let (front, back) = event.split_at(20_000);
    client.transfer(0, 1, true, front).await;
    client.transfer(0, 1, false, back).await;
    let disposition = client.next(frames::DISPOSITION).await;
    assert_eq!(disposition.fields[1..4], [Value::Uint(1), Value::Uint(1), Value::Bool(true)]);
    assert_eq!(disposition.fields[4], frames::accepted());
    let statistics = emulator.apply(Command::Statistics).unwrap();
    assert_eq!(statistics["hubs"]["hub"]["partitions"][1]["events"], 1);

    for _ in 0..20 {
        client.transfer(0, 2, true, &[0; 60_000]).await;
    }
    let detach = client.next(frames::DETACH).await;
    assert_eq!(error(&detach.fields[2]).0, "amqp:link:message-size-exceeded");
}

#[tokio::test]
async fn without_a_token_or_with_an_expired_one_there_is_no_link() {
    let emulator = start().await;
    let mut client = Client::connect(&emulator).await;
    let answer = client.attach(0, true, SOURCE, true, None).await;
    assert_eq!(answer.fields[5..7], [Value::Null, Value::Null]);
    assert_eq!(error(&client.expect(frames::DETACH).await.fields[2]).0, "amqp:unauthorized-access");

    emulator.apply(Command::RefuseTokens { seconds: 3600.0 }).unwrap();
    assert_eq!(client.put_token(&emulator).await, 401);
    emulator.apply(Command::RefuseTokens { seconds: 0.0 }).unwrap();
    let mut client = Client::connect(&emulator).await;
    assert_eq!(client.put_token(&emulator).await, 202);
    client.attach(0, true, SOURCE, true, None).await;
    emulator.apply(Command::ExpireTokens).unwrap();
    assert_eq!(error(&client.next(frames::DETACH).await.fields[2]).0, "amqp:unauthorized-access");
}

#[tokio::test]
async fn stealing_detaches_and_keeps_lower_epochs_away() {
    let emulator = start().await;
    let mut client = Client::connect(&emulator).await;
    client.put_token(&emulator).await;
    client.attach(0, true, SOURCE, true, Some(7)).await;
    let steal = |seconds| Command::Steal {
        hub: "hub".to_owned(),
        partition: 0,
        group: "$default".to_owned(),
        epoch: None,
        seconds,
    };
    assert_eq!(emulator.apply(steal(3600.0)).unwrap()["epoch"], 8);
    let detach = client.next(frames::DETACH).await;
    assert_eq!(error(&detach.fields[2]).0, "amqp:link:stolen");
    assert!(error(&detach.fields[2]).1.starts_with("New receiver 'thief' with higher epoch of '8'"));
    client.attach(1, true, SOURCE, true, Some(7)).await;
    let detach = client.next(frames::DETACH).await;
    assert!(error(&detach.fields[2]).1.starts_with("Receiver 'nil' with a higher epoch '8' already exists."));
}

#[tokio::test]
async fn throttling_refuses_links_and_sends_in_the_words_of_the_service() {
    let emulator = start().await;
    let mut client = Client::connect(&emulator).await;
    client.put_token(&emulator).await;
    client.attach(0, false, "hub", false, None).await;
    emulator.apply(Command::Throttle { seconds: 3600.0 }).unwrap();
    client.transfer(0, 1, false, &crate::message::plain_event(b"x")).await;
    let Value::Described(rejected) = client.next(frames::DISPOSITION).await.fields[4].clone() else { panic!() };
    assert_eq!(error(rejected.1.field(0).unwrap()).0, "com.microsoft:server-busy");
    client.attach(1, true, SOURCE, true, None).await;
    assert!(error(&client.next(frames::DETACH).await.fields[2]).1.contains("Error code : 50002"));
}

#[tokio::test]
async fn connections_end_with_an_error_or_without_a_word_or_fall_silent() {
    let emulator = start().await;
    let [mut closed, mut dropped, mut silent] =
        [Client::connect(&emulator).await, Client::connect(&emulator).await, Client::connect(&emulator).await];
    let close =
        Command::Close { connection: Some(1), condition: "amqp:connection:forced".to_owned(), description: None };
    emulator.apply(close).unwrap();
    let close = closed.expect(frames::CLOSE).await;
    assert_eq!(error(&close.fields[0]).0, "amqp:connection:forced");

    emulator.apply(Command::Drop { connection: Some(2) }).unwrap();
    assert!(dropped.try_receive().await.is_err());

    emulator.apply(Command::HalfOpen { connection: Some(3) }).unwrap();
    silent.send(frames::AMQP, frames::CLOSE, vec![Value::Null], &[]).await;
    let heard = tokio::time::timeout(Duration::from_millis(300), silent.try_receive()).await;
    assert!(heard.is_err(), "{heard:?}");
    emulator.apply(Command::Drop { connection: Some(3) }).unwrap();
    assert!(silent.try_receive().await.is_err());
}

#[tokio::test]
async fn links_are_detached_by_hub_partition_and_direction() {
    let emulator = start().await;
    let mut client = Client::connect(&emulator).await;
    client.put_token(&emulator).await;
    client.attach(0, false, "hub/Partitions/0", false, None).await;
    client.attach(1, true, SOURCE, true, None).await;
    let detach = Command::Detach {
        hub: Some("Hub".to_owned()),
        partition: Some(0),
        links: Links::Consumers,
        condition: "com.microsoft:timeout".to_owned(),
        description: Some("why".to_owned()),
    };
    emulator.apply(detach).unwrap();
    let detach = client.next(frames::DETACH).await;
    assert_eq!((&detach.fields[0], error(&detach.fields[2])), (&Value::Uint(1), ("com.microsoft:timeout", "why")));
    client.transfer(0, 1, false, &crate::message::plain_event(b"x")).await;
    client.next(frames::DISPOSITION).await;
}

#[tokio::test]
async fn idle_times_are_kept_on_both_sides() {
    let emulator = Emulator::start(Options { idle_time_out_ms: 600, ..Options::hub("hub", 1) }).await.unwrap();
    let mut client = Client::shake(&emulator).await;
    client.open(512, 200).await;
    // Heartbeats for the client, and the end of one that sends none.
    client.expect(0).await;
    let close = client.next(frames::CLOSE).await;
    assert_eq!(error(&close.fields[0]).0, "amqp:connection:forced");
}

#[tokio::test]
async fn a_client_of_another_protocol_is_told_which_one_is_spoken() {
    let emulator = start().await;
    let mut stream = TcpStream::connect(emulator.address()).await.unwrap();
    stream.write_all(b"AMQP\x00\x01\x00\x00").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"AMQP\x03\x01\x00\x00");

    let mut client = Client::shake(&emulator).await;
    client.stream.write_all(&[0xff; 64]).await.unwrap();
    assert_eq!(error(&client.expect(frames::CLOSE).await.fields[0]).0, "amqp:connection:framing-error");
}

#[tokio::test]
async fn another_emulator_takes_the_place_of_one_that_stopped() {
    let data = tempfile::tempdir().unwrap();
    let options = Options { data: Some(data.path().to_owned()), ..Options::hub("hub", 2) };
    let first = Emulator::start(options.clone()).await.unwrap();
    fill(&first, 10, 100);
    let mut client = Client::connect(&first).await;
    let options = Options { listen: first.address(), control: first.control_address(), ..options };
    first.stop().await;
    assert!(client.try_receive().await.is_err());
    let second = Emulator::start(options).await.unwrap();
    assert_eq!(second.apply(Command::Statistics).unwrap()["hubs"]["hub"]["partitions"][0]["last"], 9);
}
