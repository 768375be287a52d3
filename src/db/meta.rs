//! This crate's own rows: who the database is, how far its commits and its migrations went.
//!
//! Invariant: the last commit's number is written with every group, in the same atomic write, so recovery finds exactly
//! the end of the prefix that it recovered.

use crate::keyspaces;
use crate::record;

record! {
    /// Which database this is.
    #[derive(Copy)]
    pub struct Identity = 1 {
        /// Random, given once. A token of another database is recognised by it.
        pub database_id: [u8; 16],
        /// Raised by each restore of a backup, so that positions given out before are below all new ones.
        pub restore_generation: u16,
    }
}

record! {
    /// How far the rows are migrated.
    pub(crate) struct Schema = 1 {
        /// All rows are of this schema, but for those that the migration to the next one has been over.
        pub schema: u32,
        /// How far that migration came.
        pub done: Option<Vec<u8>>,
    }
}

keyspaces! {
    pub(crate) const OWN_KEYSPACES;
    /// Written when the database is made or restored; read at the start; never deleted.
    pub(crate) IdentityRow = 1 "identity" Point { () => Identity }
    /// The number of the last commit. Written with every group of commits, in its atomic write, and synced to find out whether a read-only
    /// store takes writes again; read at the start.
    pub(crate) LastCommit = 2 "last_commit" Counter { () => u64 }
    /// Written when the database is made, and with each step of a migration in its batch; read at the start.
    pub(crate) SchemaRow = 4 "schema" Counter { () => Schema }
}
