//! [`StateKey`], what a room's state is a map from.

use std::{borrow::Cow, fmt};

/// The pair (event type, state key) under which a state event stands in a room's state.
///
/// The type is kept as the exact text of the event: ruma's enums fold some types into one (an unstable name and its
/// stable successor), but in a room's state they are two entries. Names that every room has cost no allocation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateKey {
    kind: Cow<'static, str>,
    key: Box<str>,
}

impl StateKey {
    /// A state key from the event's type and state key.
    pub fn new(kind: &str, key: impl Into<Box<str>>) -> Self {
        let kind = well_known(kind).map_or_else(|| Cow::Owned(kind.to_owned()), Cow::Borrowed);
        Self { kind, key: key.into() }
    }

    /// The event type.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The event's `state_key`.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// `m.room.create`
    pub fn create() -> Self {
        Self::new("m.room.create", "")
    }

    /// `m.room.power_levels`
    pub fn power_levels() -> Self {
        Self::new("m.room.power_levels", "")
    }

    /// `m.room.join_rules`
    pub fn join_rules() -> Self {
        Self::new("m.room.join_rules", "")
    }

    /// `m.room.member` of a user
    pub fn member(user: &str) -> Self {
        Self::new("m.room.member", user)
    }
}

impl fmt::Debug for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({:?}, {:?})", self.kind, self.key)
    }
}

fn well_known(kind: &str) -> Option<&'static str> {
    const NAMES: [&str; 20] = [
        "m.room.member",
        "m.room.create",
        "m.room.power_levels",
        "m.room.join_rules",
        "m.room.history_visibility",
        "m.room.guest_access",
        "m.room.name",
        "m.room.topic",
        "m.room.avatar",
        "m.room.canonical_alias",
        "m.room.aliases",
        "m.room.encryption",
        "m.room.third_party_invite",
        "m.room.tombstone",
        "m.room.server_acl",
        "m.room.pinned_events",
        "m.room.policy",
        "m.space.child",
        "m.space.parent",
        "m.call.member",
    ];
    NAMES.into_iter().find(|name| *name == kind)
}
