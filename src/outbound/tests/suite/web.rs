//! Clients, and what they may do.

use std::time::Duration;

use plop_base::{Clock, UnixMillis};
pub use plop_bed::web::{Web, ok, redirect};
use plop_outbound::{Client, Limits, Settings};

/// Limits that no test reaches by accident.
pub const LIMITS: Limits = Limits { bytes: 1 << 20, time: Duration::from_secs(30), redirects: 3 };

/// A client to which only what is public is open, and names lead where `names` says.
pub fn closed(names: impl Fn(&str) -> Vec<&'static str> + Send + Sync + 'static) -> Client {
    client(&[], names)
}

/// The same with loopback open.
pub fn open() -> Client {
    client(&["127.0.0.0/8"], |_| vec!["127.0.0.1"])
}

fn client(open: &[&str], names: impl Fn(&str) -> Vec<&'static str> + Send + Sync + 'static) -> Client {
    let open = open.iter().map(|network| network.parse().expect("a network")).collect();
    let names = move |name: &str| {
        names(name).into_iter().map(|address| address.parse().expect("an address")).collect()
    };
    Client::with_names(Settings { open, ..Settings::default() }, Clock::simulated(UnixMillis(0)), names)
        .expect("a client")
}
