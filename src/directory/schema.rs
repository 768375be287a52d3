//! What the directory stores.
//!
//! Owns: the declarations, and nothing that reads or writes them.

use plop_db::record;
use ruma::OwnedUserId;

plop_db::keyspaces! {
    pub const KEYSPACES;

    /// Users by the words of their names and of their localparts, folded. Written and read by the directory; deleted when a user is no longer called
    /// so. Redactions reach it as they reach the names: a user of another server is read anew with each member event.
    pub Words = 222 "directory_words" Scan { (String, OwnedUserId) => () }

    /// Under which words a user stands: the reverse of `directory_words`, written and deleted together with it.
    pub Entries = 223 "directory_entries" Point { OwnedUserId => EntryRow }
}

record! {
    /// The entry of a user.
    #[derive(Default)]
    pub struct EntryRow = 1 {
        /// Each once, in their order.
        pub words: Vec<String>,
    }
}
