//! What accounts store: every keyspace of this crate and the rows in them.

use plop_db::codec::Tail;
use ruma::OwnedUserId;

plop_db::keyspaces! {
    pub const KEYSPACES;

    /// The profile of a local user, one row for each field, as JSON text. Written by profile operations; read by profile requests and
    /// by rooms for member events; deleted with the account. Redactions do not touch it. A field that is not set has no row.
    pub Profiles = 60 "profiles" Scan { (OwnedUserId, String) => Tail<String> }
}
