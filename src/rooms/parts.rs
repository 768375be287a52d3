//! The parts that every operation of this crate needs, put together once ([`Rooms::open`](crate::rooms::Rooms::open)).
//!
//! Owns: nothing but the references. Invariants: cheap to clone through its `Arc`; holds no room.

use std::time::Duration;

use plop_base::clock::Clock;
use plop_base::random::Random;
use plop_db::Db;
use plop_state::Rules;
use plop_state::sign::SigningKey;
use plop_state_store::StateStore;
use ruma::{OwnedEventId, OwnedServerName, OwnedUserId};

use crate::event_store::EventStore;
use crate::invitations::Invitations;
use crate::state_lists::StateLists;

/// The parts below this crate, and this server's identity.
pub struct Core {
    pub db: Db,
    pub state: StateStore,
    pub events: EventStore,
    pub(crate) state_lists: StateLists,
    pub server: OwnedServerName,
    pub key: SigningKey,
    pub clock: Clock,
    pub random: Random,
    /// How long the original of a redacted event is kept.
    pub redaction_retention: Duration,
    /// Whose invitations cannot be rejected.
    pub notices_user: Option<OwnedUserId>,
    pub(crate) invitations: Invitations,
}

impl Core {
    /// The id of a new event, in versions whose servers choose it; none either if the server's name is too long for one, and then the event
    /// is refused.
    pub fn new_event_id(&self, rules: &Rules) -> Option<OwnedEventId> {
        let id = rules.spec.event_format.require_event_id.then(|| self.new_id('$'))?;
        OwnedEventId::try_from(id).ok()
    }

    /// A new identifier of this server: sigil, opaque part, server name.
    pub fn new_id(&self, sigil: char) -> String {
        // 18 letters and digits are 107 bits: never drawn twice.
        const LETTERS: usize = 18;
        format!("{sigil}{}:{}", self.random.token(LETTERS), self.server)
    }
}
