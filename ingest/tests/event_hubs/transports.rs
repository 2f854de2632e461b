//! TLS, and AMQP within WebSockets.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use emulator::{Options, TlsFiles};
use fe2o3_amqp_ws::tokio_tungstenite::accept_hdr_async;
use fe2o3_amqp_ws::tungstenite::Message;
use fe2o3_amqp_ws::tungstenite::handshake::server::{Request, Response};
use futures::{SinkExt, StreamExt};
use ingest::contract::{Subject, run};
use ingest::event_hubs::{self, Config, EventHubsSource, Protocol, Static};
use ingest::{Bound, Error, Wanted};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use types::Secret;

use crate::{HUB, Service};

/// A certificate for 127.0.0.1 that signed itself; none where there is no `openssl`.
fn certificate(folder: &Path) -> Option<TlsFiles> {
    let files = TlsFiles { certificate: folder.join("certificate.pem"), key: folder.join("key.pem") };
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args([
            "-subj",
            "/CN=emulator",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=CA:FALSE",
        ])
        .arg("-keyout")
        .arg(&files.key)
        .arg("-out")
        .arg(&files.certificate)
        .output();
    made.is_ok_and(|output| output.status.success()).then_some(files)
}

#[test]
fn certificates_are_trusted_only_when_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let Some(files) = certificate(folder.path()) else {
        assert!(!std::env::var("ATALAIA_TEST_REQUIRED").is_ok_and(|required| required == "1"), "no `openssl`");
        eprintln!("SKIPPED certificates_are_trusted_only_when_that_is_said: there is no `openssl`");
        return;
    };
    let ca_file = files.certificate.display().to_string();
    let service =
        Service::with(Options { tls: Some(files), consumer_groups: vec!["atalaia".into()], ..Options::hub(HUB, 1) });
    let refused = EventHubsSource::check(&service.config(), Duration::from_secs(20));
    assert!(matches!(refused, Err(Error::EventHubs(event_hubs::Error::Tls { .. }))), "{refused:?}");
    let trusting = Config { ca_file: Some(ca_file), ..service.config() };
    let info = EventHubsSource::check(&trusting, Duration::from_secs(20)).unwrap();
    assert_eq!((info.name.as_str(), info.partitions), (HUB, 1));
}

#[test]
fn the_contract_holds_over_websockets() {
    let service = Service::start(1);
    let payloads = service.fill(1, 1000);
    let gate = service.runtime().block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = gate.local_addr().unwrap();
    service.runtime().spawn(serve(gate, service.address()));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("connection-string");
    let through = service.connection_string().replace(&service.address().to_string(), &address.to_string());
    std::fs::write(&path, through).unwrap();
    let config = Config {
        connection_string: Some(Secret::parse(&format!("file:{}", path.display())).unwrap()),
        protocol: Protocol::AmqpWebsockets,
        ..service.config()
    };
    let open = || service.source_with(&config, Bound::PresentEnd, Wanted::default(), Box::new(Static::new(0, 1)));
    run(&Subject { payloads: Some(payloads), ..Subject::new(1, Bound::PresentEnd, open) });
}

/// Takes what comes in WebSockets to a plain port.
async fn serve(gate: TcpListener, behind: SocketAddr) {
    while let Ok((stream, _)) = gate.accept().await {
        tokio::spawn(async move {
            #[allow(clippy::result_large_err)]
            let shake = |request: &Request, mut response: Response| {
                assert_eq!(request.uri().path(), "/$servicebus/websocket/");
                assert_eq!(request.headers()["sec-websocket-protocol"], "amqp");
                response.headers_mut().insert("sec-websocket-protocol", "amqp".parse().unwrap());
                Ok(response)
            };
            let (mut out, mut inward) = accept_hdr_async(stream, shake).await.unwrap().split();
            let (mut read, mut write) = TcpStream::connect(behind).await.unwrap().into_split();
            tokio::spawn(async move {
                let mut buffer = vec![0; 16 * 1024];
                while let Ok(length @ 1..) = read.read(&mut buffer).await {
                    if out.send(Message::binary(buffer[..length].to_vec())).await.is_err() {
                        break;
                    }
                }
            });
            while let Some(Ok(message)) = inward.next().await {
                if write.write_all(&message.into_data()).await.is_err() {
                    break;
                }
            }
        });
    }
}
