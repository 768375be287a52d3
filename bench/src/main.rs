//! `plop-bench`: measures a Matrix homeserver through its public client-server API, and kills it to see what stays.
//!
//! Owns the command line. What is measured is the table in `scenarios.rs`; `bench/README.md` says how to run it.

mod client;
mod compare;
mod crash;
mod http;
mod load;
mod measure;
mod process;
mod progress;
mod report;
mod run;
mod scenarios;
mod server;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::report::Report;
use crate::scenarios::SCENARIOS;

/// Measures a Matrix homeserver through its public client-server API.
#[derive(Debug, Parser)]
#[command(name = "plop-bench")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run scenarios against a server.
    Run(Box<run::Options>),
    /// Kill a server under load again and again, and check that nothing acknowledged is lost.
    Crash(Box<crash::Options>),
    /// List the scenarios and their goals.
    List,
    /// Compare two reports and say which goals are met.
    Compare {
        /// The report of the server whose goals they are.
        ours: PathBuf,
        /// The report of the server that it is compared with.
        theirs: PathBuf,
    },
}

/// One thread: the server needs the other core more than the generator does.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let done: Result<ExitCode, Box<dyn std::error::Error>> = match Arguments::parse().command {
        Command::Run(options) => run::run(*options).await.map_err(Into::into),
        Command::Crash(options) => crash::crash(*options).await.map_err(Into::into),
        Command::List => {
            for scenario in SCENARIOS {
                println!("{:<22} {:?}: {}", scenario.name, scenario.goal, scenario.what);
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Compare { ours, theirs } => compare_files(&ours, &theirs).map_err(Into::into),
    };
    done.unwrap_or_else(|error| {
        eprintln!("plop-bench: {error}");
        ExitCode::FAILURE
    })
}

fn compare_files(ours: &std::path::Path, theirs: &std::path::Path) -> Result<ExitCode, report::ReportError> {
    print!("{}", compare::table(&Report::read(ours)?, &Report::read(theirs)?));
    Ok(ExitCode::SUCCESS)
}
