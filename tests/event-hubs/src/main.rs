//! The emulator as a program: prints where it listens as one line of JSON, serves until it is killed.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use emulator::{Emulator, HubOptions, Options, PARTITIONS_MAX, TlsFiles};

/// An Event Hubs namespace for tests.
#[derive(Parser)]
struct Arguments {
    /// A hub and its partitions, as NAME:PARTITIONS; may be repeated.
    #[arg(long = "hub", required = true, value_parser = hub)]
    hubs: Vec<HubOptions>,
    /// A consumer group beside $Default; may be repeated.
    #[arg(long = "consumer-group")]
    consumer_groups: Vec<String>,
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where commands are taken, one JSON object a line.
    #[arg(long, default_value = "127.0.0.1:0")]
    control: SocketAddr,
    #[arg(long, default_value = "RootManageSharedAccessKey")]
    key_name: String,
    #[arg(long, default_value = "SAS_KEY_VALUE")]
    key: String,
    /// Accept unsigned tokens of this audience.
    #[arg(long)]
    accept_jwt: Option<String>,
    /// Offsets that are no numbers.
    #[arg(long)]
    geo_offsets: bool,
    /// Keep events in this folder.
    #[arg(long)]
    data: Option<PathBuf>,
    #[arg(long, requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    #[arg(long, requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    #[arg(long, default_value_t = 65_536)]
    max_frame_size: u32,
    #[arg(long, default_value_t = 240_000)]
    idle_time_out_ms: u32,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let names: Vec<String> = arguments.hubs.iter().map(|hub| hub.name.clone()).collect();
    let emulator = Emulator::start(options(arguments)).await?;
    let strings: serde_json::Map<String, serde_json::Value> =
        names.iter().map(|name| (name.clone(), emulator.connection_string(name).into())).collect();
    let line = serde_json::json!({
        "address": emulator.address().to_string(),
        "control": emulator.control_address().to_string(),
        "connection_string": names.first().map(|name| emulator.connection_string(name)),
        "connection_strings": strings,
    });
    #[expect(clippy::print_stdout, reason = "whoever starts it reads the ports here")]
    {
        println!("{line}");
    }
    tokio::signal::ctrl_c().await?;
    Ok(())
}

fn options(arguments: Arguments) -> Options {
    let tls = arguments.tls_cert.zip(arguments.tls_key).map(|(certificate, key)| TlsFiles { certificate, key });
    Options {
        listen: arguments.listen,
        control: arguments.control,
        hubs: arguments.hubs,
        consumer_groups: arguments.consumer_groups,
        key_name: arguments.key_name,
        key: arguments.key,
        accept_jwt: arguments.accept_jwt,
        geo_offsets: arguments.geo_offsets,
        data: arguments.data,
        tls,
        max_frame_size: arguments.max_frame_size.max(512),
        idle_time_out_ms: arguments.idle_time_out_ms,
    }
}

fn hub(text: &str) -> Result<HubOptions, String> {
    let (name, partitions) = text.rsplit_once(':').ok_or("a hub is NAME:PARTITIONS")?;
    let partitions: usize = partitions.parse().map_err(|error| format!("{error}"))?;
    if name.is_empty() || name.contains('/') || !(1..=PARTITIONS_MAX).contains(&partitions) {
        return Err(format!("a hub has a name and 1 to {PARTITIONS_MAX} partitions"));
    }
    Ok(HubOptions { name: name.to_owned(), partitions })
}
