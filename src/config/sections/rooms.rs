//! `[rooms]`: what is kept of rooms.

use std::num::NonZeroU32;

use crate::schema::section;

section! {
    /// What is kept of rooms.
    pub struct Rooms {
        /// For how many days the original of a redacted event stays on disk, for an admin who has to look into abuse. No
        /// client and no other server gets it.
        pub keep_redacted_days: u32 = 7,
        /// For how many hours at most users may have events sent later, as calls do to end a membership whose client has
        /// vanished (MSC4140). 0: not at all.
        pub delayed_events_max_hours: u32 = 24,
        /// Most events that one user may have scheduled so at a time.
        pub delayed_events_per_user: NonZeroU32 = const { NonZeroU32::new(100).unwrap() },
    }
}
