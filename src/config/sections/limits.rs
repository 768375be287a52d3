//! `[limits]`: what one client may take from all.

use std::num::{NonZeroU32, NonZeroU64};

use crate::schema::section;

section! {
    /// What one client may take from all.
    pub struct Limits {
        /// Most open connections of all listeners together, metrics apart. Above it new ones wait in the operating system.
        pub connections: NonZeroU32 = const { NonZeroU32::new(10_000).unwrap() },
        /// Most open connections from one IPv4 address or one IPv6 /64; more are closed at once. Addresses of this
        /// machine, of private networks and of `server.trusted_proxies` are not counted: they may stand for many clients.
        pub connections_per_address: NonZeroU32 = const { NonZeroU32::new(500).unwrap() },
        /// Most seconds until a connection has finished its TLS handshake and until a request's head is there; also
        /// how long an idle connection is kept.
        pub head_seconds: NonZeroU64 = const { NonZeroU64::new(30).unwrap() },
        /// Whether logins and registrations are limited by account and address. Off only for tests and measurements.
        pub attempts: bool = true,
        /// Largest body of a request, in KiB, where an endpoint says nothing else.
        pub body_kib: NonZeroU32 = const { NonZeroU32::new(1_024).unwrap() },
        /// The same for requests without a session: logins, registrations.
        pub stranger_body_kib: NonZeroU32 = const { NonZeroU32::new(64).unwrap() },
        /// Most memory, in MiB, for bodies that are being read; a quarter of it again for those without a session.
        /// Above it requests are refused for a moment.
        pub bodies_mib: NonZeroU32 = const { NonZeroU32::new(256).unwrap() },
    }
}
