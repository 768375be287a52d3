//! What a room is created with.

use plop_state::json::Object;
use ruma::{OwnedUserId, RoomVersionId};

/// A named set of defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    PrivateChat,
    TrustedPrivateChat,
    PublicChat,
}

/// A state event that the creator wants in the room from the start.
#[derive(Debug, Clone)]
pub struct InitialState {
    pub kind: String,
    pub state_key: String,
    pub content: Object,
}

/// What a room is created with.
#[derive(Debug, Clone)]
pub struct CreateRoom {
    pub version: RoomVersionId,
    pub preset: Preset,
    /// Whether it is listed in the public directory.
    pub published: bool,
    /// The local part of an alias on this server.
    pub alias: Option<String>,
    pub name: Option<String>,
    pub topic: Option<String>,
    pub invite: Vec<OwnedUserId>,
    pub is_direct: bool,
    pub creation_content: Object,
    pub initial_state: Vec<InitialState>,
    pub power_levels_override: Object,
}

impl CreateRoom {
    /// Whether the creator brings an own event of this type.
    pub(super) fn sets(&self, kind: &str) -> bool {
        self.initial_state.iter().any(|event| event.kind == kind && event.state_key.is_empty())
    }
}
