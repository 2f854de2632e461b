//! `atalaia`: watches fleets of devices. Parse, run, map the result to an exit status.

use std::process::ExitCode;

use atalaia::{cli, core_dumps, failure};

/// In place of the C library's for librdkafka as well: its threads allocate what our workers give back.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    core_dumps::off();
    match cli::Cli::read().run() {
        Ok(status) => status,
        Err(error) => {
            failure::print(&error);
            ExitCode::FAILURE
        }
    }
}
