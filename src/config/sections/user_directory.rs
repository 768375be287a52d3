//! `[user_directory]`: whom users find by name.

use crate::schema::section;

section! {
    /// Whom users find by name.
    pub struct UserDirectory {
        /// Whether everybody finds every user of this server. Otherwise users find those with whom they share a room, and those in
        /// rooms that everybody may join or look into.
        pub all_local_users: bool = false,
    }
}
