//! What an answer is made for.
//!
//! Owns: [`RequestContext`], kept while the answer is written. Does not own: what is done with it; each provider takes what it needs.

use std::collections::BTreeSet;
use std::sync::Arc;

use plop_base::Actor;
use plop_rooms::StoreFault;
use plop_state_store::RoomNumber;
use ruma::{OwnedUserId, UserId};

use crate::filter::SyncFilter;
use crate::request::StateAt;
use crate::scene::Scene;
use crate::sent_members::Sending;
use crate::shared::Shared;

/// Who asks, and for what.
pub struct RequestContext {
    pub shared: Arc<Shared>,
    pub actor: Actor,
    pub user: OwnedUserId,
    pub filter: Arc<SyncFilter>,
    pub state_at: StateAt,
    /// Users whose messages, receipts and typing are not shown.
    pub ignored: Arc<BTreeSet<OwnedUserId>>,
    /// What the device has of member events, where it loads them lazily.
    pub sending: Option<Sending>,
    /// What notifies the user, once it is known that there is anything to tell.
    pub notified: Option<plop_unread::NotifiedUser>,
}

impl RequestContext {
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// A room as it is now; `None` for one that is not here.
    pub async fn scene(&self, room: RoomNumber) -> Result<Option<Scene<'_>>, StoreFault> {
        Scene::open(&self.shared.parts.rooms, &self.actor, &self.user, room).await
    }
}
