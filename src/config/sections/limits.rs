//! `[limits]`: what one client may take from all.

use std::num::{NonZeroU32, NonZeroU64};

use crate::schema::section;

section! {
    /// What one client may take from all.
    pub struct Limits {
        /// Most open connections of all listeners together. Above it new ones wait in the operating system.
        pub connections: NonZeroU32 = const { NonZeroU32::new(10_000).unwrap() },
        /// Most seconds until a connection has finished its TLS handshake and until a request's head is there; also
        /// how long an idle HTTP/1.1 connection is kept.
        pub head_seconds: NonZeroU64 = const { NonZeroU64::new(30).unwrap() },
        /// Whether logins and registrations are limited by account and address. Off only for tests and measurements.
        pub attempts: bool = true,
        /// Largest body of a request, in KiB, where an endpoint says nothing else.
        pub body_kib: NonZeroU32 = const { NonZeroU32::new(1_024).unwrap() },
    }
}
