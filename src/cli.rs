//! The command line.
//!
//! Owns: the commands, what they print, and reading the configuration for them. Does not own: what they do.
//!
//! Invariant: only this file prints; everything else logs.

#![expect(
    clippy::disallowed_macros,
    reason = "commands answer on standard output, mistakes on standard error"
)]

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use plop_base::Exit;
use plop_config::Config;

use crate::health_check;
use crate::maintenance::{self, Refusal};
use crate::server;

/// A Matrix homeserver.
///
/// Without a command it serves; without a configuration it serves a try-out on loopback, with its data in ./data.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The configuration file. Each value can also be set by an environment variable: PLOP_SECTION__KEY.
    #[arg(long, global = true, env = "PLOP_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve (the default).
    Serve {
        /// Start although the database's log lost acknowledged writes (a start without this says which).
        #[arg(long)]
        accept_lost_writes: bool,
    },
    /// Ask the running server of this configuration whether it takes requests: ends with 0 if it does, with 1 if not.
    Health,
    /// Copy the database of a stopped server into a folder that does not exist yet, and verify the copy.
    Backup { target: PathBuf },
    /// Make the configured database, which must not exist, from a backup.
    Restore { backup: PathBuf },
    /// Read every row of a stopped server's database and follow every reference.
    Check,
    /// About the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Clone, Copy, Subcommand)]
enum ConfigCommand {
    /// Print the example: every key with its documentation and default.
    Example,
    /// Report every mistake in the configuration at once.
    Check,
    /// Print the values in force: defaults, file and environment together. Secrets are not shown.
    Show,
}

/// Does what the command line asks for.
pub fn run() -> Exit {
    let arguments = Arguments::parse();
    if let Some(Command::Config(ConfigCommand::Example)) = arguments.command {
        print!("{}", Config::example());
        return Exit::Clean;
    }
    // A variable that is not Unicode cannot be one of ours; the loader sees it and says which.
    let environment = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()));
    let config = match Config::load(arguments.config.as_deref(), environment) {
        Ok(config) => config,
        Err(problems) => {
            eprint!("The configuration has mistakes:\n{problems}");
            return Exit::Configuration;
        }
    };
    match arguments.command {
        None => server::run(&config, false, announce),
        Some(Command::Serve { accept_lost_writes }) => server::run(&config, accept_lost_writes, announce),
        Some(Command::Health) => report(health_check::ask(&config)),
        Some(Command::Backup { target }) => report(maintenance::backup(&config, &target)),
        Some(Command::Restore { backup }) => report(maintenance::restore(&config, &backup)),
        Some(Command::Check) => report(maintenance::check(&config)),
        Some(Command::Config(ConfigCommand::Show)) => {
            print!("{}", config.effective());
            Exit::Clean
        }
        Some(Command::Config(ConfigCommand::Check | ConfigCommand::Example)) => {
            println!("The configuration is in order.");
            Exit::Clean
        }
    }
}

/// Tells how the first user registers.
fn announce(token: &str) {
    println!("There is no user yet. The first one registers with the registration token: {token}");
}

fn report(outcome: Result<String, Refusal>) -> Exit {
    match outcome {
        Ok(text) => {
            println!("{text}");
            Exit::Clean
        }
        Err(Refusal { exit, text }) => {
            eprintln!("{text}");
            exit
        }
    }
}
