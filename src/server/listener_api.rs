//! The APIs that a listener can serve.

use std::fmt;

/// What a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerApi {
    Client,
    Federation,
    Metrics,
}

impl fmt::Display for ListenerApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Federation => "federation",
            Self::Metrics => "metrics",
        })
    }
}
