//! What the state store keeps.
//!
//! Owns: the declarations and their rows. Every key but the secret's begins with the room, so that a room can be deleted by ranges; no
//! operation deletes rooms or purges history yet.

use plop_db::record;

use crate::numbers::{EventNumber, Generation, RoomNumber};
use crate::secret::{KeyHash, NodeName};
use crate::tree::node::Node;

plop_db::keyspaces! {
    pub const KEYSPACES;

    /// The secret of the database's keyed hashes. Written once, when the database is made; read at each start; never deleted, never
    /// changed: every node and key hash depends on it. Redactions do not touch it.
    pub StateSecret = 20 "state_secret" Point { () => [u8; 32] }

    /// Nodes of the state trees. Written with the event that makes a new state, in one batch with what refers to its root; read by
    /// everything that looks at state; deleted as a whole generation when history is purged or the room deleted. Redactions
    /// do not touch it: it holds hashes and event numbers only. A node's name is the keyed hash of its content, and its
    /// children exist in the same generation.
    pub StateNodes = 21 "state_nodes" Point { (RoomNumber, Generation, NodeName) => NodeRow }

    /// The auth events of each state event that was not rejected and whose whole auth chain is known (an outlier that is rejected when it is
    /// judged keeps its row). Written with the event; read
    /// by state resolution and for auth chains; deleted with the room. Redactions do not touch it. Every event named in a row
    /// has a row itself: that is what makes chains complete.
    pub AuthLinks = 22 "auth_links" Point { (RoomNumber, EventNumber) => AuthLinksRow }

    /// The reverse of `auth_links`: which events cite an event as an auth event (cited first, then citing). Written and deleted
    /// together with it.
    pub AuthCitations = 23 "auth_citations" Scan { (RoomNumber, EventNumber, EventNumber) => () }
}

record! {
    /// A node of a state tree.
    pub struct NodeRow = 1 {
        pub node: Node,
    }
}

record! {
    /// Where an event stands in the auth graph.
    pub struct AuthLinksRow = 1 {
        /// One more than the greatest auth depth of its auth events; 0 for an event without any. So an event's is above that of
        /// everything in its auth chain.
        pub auth_depth: u64,
        /// The (type, state key) of the event.
        pub key: KeyHash,
        /// Its auth events, sorted.
        pub auth: Vec<EventNumber>,
        /// How many events of the same key stand before it, each citing the one before (a user's memberships, the power levels).
        pub length: u64,
        /// The last one of those.
        pub earlier: Option<EventNumber>,
        /// One further back, so placed that any of them is reached in O(log length) steps.
        pub jump: Option<EventNumber>,
    }
}
