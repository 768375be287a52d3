//! `[caches]`: memory for what is read often.

use std::num::NonZeroU64;

use crate::schema::section;

section! {
    /// Memory for what is read often, besides the database's own.
    pub struct Caches {
        /// For pictures of rooms: members and the state that everything is checked against, in MiB. A member takes about
        /// 160 bytes.
        pub rooms_mib: NonZeroU64 = const { NonZeroU64::new(64).unwrap() },
        /// For events, in MiB.
        pub events_mib: NonZeroU64 = const { NonZeroU64::new(32).unwrap() },
        /// For nodes of room states, in MiB. A state of 100,000 entries is about 8 MiB.
        pub states_mib: NonZeroU64 = const { NonZeroU64::new(32).unwrap() },
        /// For links of auth chains, in MiB.
        pub auth_chains_mib: NonZeroU64 = const { NonZeroU64::new(8).unwrap() },
    }
}
