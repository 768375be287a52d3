//! The log: lines on standard error.
//!
//! Invariant: a panic is a line of the log like any other, so that a log of JSON stays one.

use std::io::IsTerminal as _;

use plop_base::tasks::panic_text;
use plop_config::sections::{LogFormat, Logging};
use tracing::error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::fmt;

/// Starts the log of the process.
pub fn start(config: &Logging) {
    // The configuration was checked with the same parser.
    let filter = EnvFilter::try_new(&config.filter).unwrap_or_default();
    let log = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        error!(location, "panic: {}", panic_text(panic.payload()));
    }));
}
