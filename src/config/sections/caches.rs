//! `[caches]`: memory for what is read often.

use std::num::NonZeroU64;

use crate::schema::section;

section! {
    /// Memory for what is read often, besides the database's own.
    pub struct Caches {
        /// For pictures of rooms: members and the state that everything is checked against, in MiB. A room takes about
        /// 20 KiB, each member 160 bytes.
        pub rooms_mib: NonZeroU64 = const { NonZeroU64::new(48).unwrap() },
        /// For events, in MiB.
        pub events_mib: NonZeroU64 = const { NonZeroU64::new(24).unwrap() },
        /// For nodes of room states, in MiB. A state of 100,000 entries is about 8 MiB.
        pub states_mib: NonZeroU64 = const { NonZeroU64::new(24).unwrap() },
        /// For links of auth chains, in MiB.
        pub auth_chains_mib: NonZeroU64 = const { NonZeroU64::new(8).unwrap() },
    }
}
