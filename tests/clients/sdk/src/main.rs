//! Two people with Element X's libraries against a server.
//!
//! Owns: the walk, one step after the other; the first that fails ends it. Does not own: the server (`tests/clients/with_server.py` starts it),
//! what a person can do ([`person`]).

// The futures of the SDK are nested deeper than the default.
#![recursion_limit = "256"]

mod person;
mod verification;
mod walk;

use anyhow::Result;

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let homeserver = std::env::var("HOMESERVER")?;
    walk::everything(&homeserver).await
}
