//! What an answer is made for.
//!
//! Owns: [`Asking`]. Does not own: what is done with it; each provider takes what it needs.

use std::collections::BTreeSet;
use std::sync::Arc;

use ruma::{OwnedUserId, UserId};

use crate::core::Core;
use crate::filter::SyncFilter;
use crate::request::StateAt;
use crate::sent_members::Sending;

/// Who asks, and for what.
pub struct Asking<'a> {
    pub core: &'a Core,
    pub user: &'a UserId,
    pub filter: &'a SyncFilter,
    pub state_at: StateAt,
    /// All of the state is wanted of every room.
    pub full_state: bool,
    /// Users whose messages, receipts and typing are not shown.
    pub ignored: Arc<BTreeSet<OwnedUserId>>,
    /// What the device has of member events, where it loads them lazily.
    pub sending: Option<Sending>,
    /// What notifies the user.
    pub notified: plop_unread::Reader,
}
