//! The binary, rank 6: reads the command line and the configuration, then serves or does one command.

use std::process::ExitCode;

mod cli;
mod health_check;
mod maintenance;
mod server;

fn main() -> ExitCode {
    cli::run().into()
}
