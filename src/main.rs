//! `atalaia`: watches fleets of devices. Parse, run, map the result to an exit status.

use std::process::ExitCode;

use atalaia::{cli, report};
use clap::Parser;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(status) => status,
        Err(error) => {
            report::print(&error);
            ExitCode::FAILURE
        }
    }
}
