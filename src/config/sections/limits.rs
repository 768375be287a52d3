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
        /// Whether requests of one user are limited by the budgets that follow; whoever is above one gets 429 and when to
        /// come again. Off only for tests and measurements.
        pub requests: bool = true,
        /// Requests that change something, of one user: what comes in a second for long, ...
        pub writes_per_second: NonZeroU32 = const { NonZeroU32::new(10).unwrap() },
        /// ... and at once. A join or an invitation counts for 5 of them, a new room for 20.
        pub writes_at_once: NonZeroU32 = const { NonZeroU32::new(200).unwrap() },
        /// Reads that cost more than a look-up (pages and lists of rooms), of one user: in a second for long, ...
        pub reads_per_second: NonZeroU32 = const { NonZeroU32::new(20).unwrap() },
        /// ... and at once. A search counts for 5 of them; a large answer of `/sync` for one in 64 KiB.
        pub reads_at_once: NonZeroU32 = const { NonZeroU32::new(200).unwrap() },
        /// Such reads without a session, of one IPv4 address or one IPv6 /64: in a second for long, ...
        pub stranger_reads_per_second: NonZeroU32 = const { NonZeroU32::new(2).unwrap() },
        /// ... and at once.
        pub stranger_reads_at_once: NonZeroU32 = const { NonZeroU32::new(60).unwrap() },
        /// Full answers of `/sync` to one user that are made or sent at a time.
        pub full_syncs_at_once: NonZeroU32 = const { NonZeroU32::new(2).unwrap() },
        /// Largest body of a request, in KiB, where an endpoint says nothing else.
        pub body_kib: NonZeroU32 = const { NonZeroU32::new(1_024).unwrap() },
        /// The same for requests without a session: logins, registrations.
        pub stranger_body_kib: NonZeroU32 = const { NonZeroU32::new(64).unwrap() },
        /// Most memory, in MiB, for bodies that are being read; a quarter of it again for those without a session.
        /// Above it requests are refused for a moment.
        pub bodies_mib: NonZeroU32 = const { NonZeroU32::new(256).unwrap() },
    }
}
