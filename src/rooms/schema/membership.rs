//! How a user stands to a room, as it is stored.
//!
//! Owns: the five words as rows hold them, and what they are to the rules, which know no rows ([`auth::Membership`]). All of this crate
//! and above speaks of these; the rules' own are named only where a room answers to them.

use plop_db::tags;
use plop_state::{Pdu, Rules, auth};

tags! {
    /// How a user stands to a room (client-server API, `m.room.member`).
    pub enum Membership {
        Join = 1,
        Invite = 2,
        Knock = 3,
        Leave = 4,
        Ban = 5,
    }
}

impl Membership {
    /// What a member event sets; `None` for a word that is no membership in this room version.
    pub fn of(event: &Pdu, rules: &Rules) -> Option<Self> {
        auth::Membership::of(event, rules).map(|membership| match membership {
            auth::Membership::Join => Self::Join,
            auth::Membership::Invite => Self::Invite,
            auth::Membership::Knock => Self::Knock,
            auth::Membership::Leave => Self::Leave,
            auth::Membership::Ban => Self::Ban,
        })
    }

    /// The word in `content.membership`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Invite => "invite",
            Self::Knock => "knock",
            Self::Leave => "leave",
            Self::Ban => "ban",
        }
    }
}

impl From<Membership> for auth::Membership {
    fn from(membership: Membership) -> Self {
        match membership {
            Membership::Join => Self::Join,
            Membership::Invite => Self::Invite,
            Membership::Knock => Self::Knock,
            Membership::Leave => Self::Leave,
            Membership::Ban => Self::Ban,
        }
    }
}
