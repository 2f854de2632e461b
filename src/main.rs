//! `atalaia`: watches fleets of devices. Parse, run, map the result to an exit status.

use std::process::ExitCode;

use atalaia::{cli, core_dumps, report};
use clap::Parser;

/// In place of the C library's for librdkafka as well: its threads allocate what our workers give back.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    core_dumps::off();
    match cli::Cli::parse().run() {
        Ok(status) => status,
        Err(error) => {
            report::print(&error);
            ExitCode::FAILURE
        }
    }
}
