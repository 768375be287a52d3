//! The words of room state that decide over access: membership, join rule, history visibility.
//!
//! Each is read from content that anybody may have written: an unknown word or a wrong type is an answer, never
//! an error.

use crate::json::Value;
use crate::pdu::Pdu;
use crate::version::Rules;

/// What `content.membership` of an `m.room.member` event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Membership {
    Join,
    Invite,
    Knock,
    Leave,
    Ban,
}

impl Membership {
    /// What a member event sets; `None` for what is no membership in this room version (`knock` came with
    /// version 7).
    pub fn of(event: &Pdu, rules: &Rules) -> Option<Self> {
        Self::parse(event.membership(), rules)
    }

    pub(super) fn parse(membership: Option<&str>, rules: &Rules) -> Option<Self> {
        match membership? {
            "join" => Some(Self::Join),
            "invite" => Some(Self::Invite),
            "knock" if rules.spec.authorization.knocking => Some(Self::Knock),
            "leave" => Some(Self::Leave),
            "ban" => Some(Self::Ban),
            _ => None,
        }
    }
}

/// What `content.join_rule` of the `m.room.join_rules` event means in the room's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JoinRule {
    Public,
    /// Also when the room has no join rule, or one that is no string: the rules give no default, and this is the
    /// one on which other servers agree.
    #[default]
    Invite,
    Knock,
    Restricted,
    KnockRestricted,
    /// `private`, and every word that this room version does not know: nobody can join by such a rule.
    Closed,
}

impl JoinRule {
    /// What a join rules event means.
    pub fn of(event: &Pdu, rules: &Rules) -> Self {
        let content = event.content_object();
        let rules = &rules.spec.authorization;
        match content.get("join_rule").and_then(Value::as_str) {
            None | Some("invite") => Self::Invite,
            Some("public") => Self::Public,
            Some("knock") if rules.knocking => Self::Knock,
            Some("restricted") if rules.restricted_join_rule => Self::Restricted,
            Some("knock_restricted") if rules.knock_restricted_join_rule => Self::KnockRestricted,
            Some(_) => Self::Closed,
        }
    }

    /// Whether users may knock.
    pub fn allows_knock(self) -> bool {
        matches!(self, Self::Knock | Self::KnockRestricted)
    }

    /// Whether a member of another room may join by it.
    pub fn is_restricted(self) -> bool {
        matches!(self, Self::Restricted | Self::KnockRestricted)
    }
}

/// What `content.history_visibility` of the `m.room.history_visibility` event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HistoryVisibility {
    WorldReadable,
    /// Also when nothing is set or the value is not understood (client-server API, "Room history visibility").
    #[default]
    Shared,
    Invited,
    Joined,
}

impl HistoryVisibility {
    /// What a history visibility event sets.
    pub fn of(event: &Pdu) -> Self {
        let content = event.content_object();
        match content.get("history_visibility").and_then(Value::as_str) {
            Some("world_readable") => Self::WorldReadable,
            Some("invited") => Self::Invited,
            Some("joined") => Self::Joined,
            Some(_) | None => Self::Shared,
        }
    }
}
