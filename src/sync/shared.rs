//! What every request needs, built once by the composition root.
//!
//! Owns: the references, and what is kept in memory between requests. Does not own: any of what they do.

use std::collections::BTreeSet;
use std::sync::Arc;

use plop_accounts::Accounts;
use plop_base::{Clock, Tasks};
use plop_db::Db;
use plop_e2ee::to_device::ToDevice;
use plop_ephemeral::schema::ReceiptChanges;
use plop_ephemeral::{LivePosition, Presence, Typing};
use plop_rooms::Rooms;
use plop_rooms::schema::Timeline;
use plop_state_store::RoomNumber;
use plop_unread::Unread;
use ruma::OwnedRoomId;

use crate::as_of::AsOf;
use crate::changes::SharedChanges;
use crate::filter::SyncFilters;
use crate::ids::RoomIds;
use crate::ignored::IgnoredUsers;
use crate::key_counts::KeyCounts;
use crate::last_changes::LastChanges;
use crate::memberships::Memberships;
use crate::presence_profiles::PresenceProfiles;
use crate::presence_rooms::{PresenceRooms, Sources};
use crate::sent_members::SentMembers;
use crate::sliding::bumps::Bumps;
use crate::sliding::connections::Connections;
use crate::sliding::labels::Labels;
use crate::sliding::order::Orders;
use crate::tails::Tails;
use crate::waiters::Waiters;

/// Bytes of what is in spaces that are kept, about.
const CACHED_SPACES: u64 = 16 << 20;

/// The parts below this crate.
pub struct Parts {
    pub db: Db,
    pub clock: Clock,
    /// Says when the process stops.
    pub tasks: Tasks,
    pub rooms: Rooms,
    pub accounts: Accounts,
    pub typing: Arc<Typing>,
    pub presence: Arc<Presence>,
    pub to_device: ToDevice,
    pub unread: Unread,
}

/// What is remembered for sliding sync.
pub struct Sliding {
    pub connections: Connections,
    pub orders: Orders,
    pub labels: Labels,
    pub bumps: Bumps,
    /// What is in a space.
    pub spaces: AsOf<RoomNumber, Arc<BTreeSet<OwnedRoomId>>>,
}

/// The parts, and what is remembered.
pub struct Shared {
    pub parts: Parts,
    pub changes: SharedChanges,
    pub memberships: Memberships,
    pub presence_rooms: PresenceRooms,
    pub presence_profiles: PresenceProfiles,
    pub filters: SyncFilters,
    pub ignored: IgnoredUsers,
    /// Of rooms, where the changes do not reach back.
    pub last_events: LastChanges<Timeline>,
    pub last_receipts: LastChanges<ReceiptChanges>,
    pub ids: RoomIds,
    pub key_counts: KeyCounts,
    pub tails: Tails,
    pub sent_members: SentMembers,
    pub waiters: Arc<Waiters>,
    pub sliding: Sliding,
}

impl Shared {
    /// From here on changes are remembered.
    pub fn new(parts: Parts) -> Self {
        Self {
            changes: SharedChanges::new(&parts.db, parts.rooms.server().to_owned()),
            memberships: Memberships::new(parts.db.clone()),
            presence_rooms: PresenceRooms::new(LivePosition { counter: 0, ..parts.presence.position() }),
            presence_profiles: PresenceProfiles::default(),
            filters: SyncFilters::new(parts.accounts.clone()),
            ignored: IgnoredUsers::default(),
            last_events: LastChanges::default(),
            last_receipts: LastChanges::default(),
            ids: RoomIds::new(parts.db.clone()),
            key_counts: KeyCounts::default(),
            tails: Tails::default(),
            sent_members: SentMembers::default(),
            waiters: Arc::default(),
            sliding: Sliding {
                connections: Connections::new(parts.db.clone(), parts.clock.clone()),
                orders: Orders::new(parts.rooms.clone()),
                labels: Labels::default(),
                bumps: Bumps::default(),
                spaces: AsOf::new(CACHED_SPACES, 4_096, |rooms| 128 + 96 * rooms.len() as u64),
            },
            parts,
        }
    }

    /// Where presence is looked up.
    pub fn sources(&self) -> Sources<'_> {
        Sources { presence: &self.parts.presence, memberships: &self.memberships, changes: &self.changes }
    }
}
