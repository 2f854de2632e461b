//! The bare consumers as others would build them: with the C library's allocator.
#![allow(clippy::print_stdout, reason = "a program for people")]

#[path = "../drain.rs"]
mod drain;
#[path = "../steady.rs"]
mod steady;

use clap::Parser;

/// Reads so many records of a topic and throws them away
#[derive(Parser)]
struct Args {
    #[arg(long, value_name = "BROKERS")]
    kafka: String,
    topic: String,
    events: u64,
    kind: drain::Kind,
}

fn main() -> anyhow::Result<()> {
    let Args { kafka, topic, events, kind } = Args::parse();
    drain::drain(&kafka, &topic, events, kind)
}
