//! `[rooms]`: what is kept of rooms.

use crate::schema::section;

section! {
    /// What is kept of rooms.
    pub struct Rooms {
        /// For how many days the original of a redacted event stays on disk, for an admin who has to look into abuse. No
        /// client and no other server gets it.
        pub keep_redacted_days: u32 = 7,
    }
}
