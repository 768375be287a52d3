//! What users may see, as the specification says it.

/// How many steps the script has: before anybody comes, and after each change of members.
pub const STEPS: usize = 5;

/// How a user stands to the room when the message of a step is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    Out,
    Invited,
    Joined,
}

use Then::{Invited, Joined, Out};

pub const VISIBILITIES: [&str; 4] = ["world_readable", "shared", "invited", "joined"];

/// Every fate of a user.
pub const STANDINGS: [Standing; 6] = [
    Standing { name: "never", stood: [Out; STEPS] },
    Standing { name: "invited", stood: [Out, Invited, Invited, Invited, Invited] },
    Standing { name: "joined", stood: [Out, Invited, Joined, Joined, Joined] },
    Standing { name: "left", stood: [Out, Invited, Joined, Out, Out] },
    Standing { name: "banned", stood: [Out, Invited, Joined, Out, Out] },
    Standing { name: "rejoined", stood: [Out, Invited, Joined, Out, Joined] },
];

/// What becomes of a user.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    pub name: &'static str,
    pub stood: [Then; STEPS],
}

impl Standing {
    /// Whether the user may see the message of a step (client-server API, "Room History Visibility", "Server behaviour": the five rules).
    pub fn sees(&self, visibility: &str, step: usize) -> bool {
        let joins_later = self.stood[step..].contains(&Joined);
        match (visibility, self.stood[step]) {
            ("world_readable", _) | (_, Joined) => true,
            ("shared", _) => joins_later,
            ("invited", Invited) => true,
            _ => false,
        }
    }

    /// Whether the user gets at what lists events, or the state, of the room: "in all cases except `world_readable`, a user needs to join a room to view events
    /// in that room", and whoever has been there sees what there was.
    pub fn has_access(&self, visibility: &str) -> bool {
        visibility == "world_readable" || self.stood.contains(&Joined)
    }

    /// Which of [`STANDINGS`] it is.
    pub fn number(&self) -> usize {
        STANDINGS.iter().position(|standing| standing.name == self.name).expect("one of them")
    }

    /// Whether the user is in the room at the end.
    pub fn is_joined(&self) -> bool {
        self.stood[STEPS - 1] == Joined
    }

    /// The step whose state the user reads: the last one, or the one at which they left ("the state of the room as it was when they left").
    pub fn state_of(&self, visibility: &str) -> Option<usize> {
        match self.stood.iter().rposition(|then| *then == Joined) {
            Some(step) => Some(step),
            None => (visibility == "world_readable").then_some(STEPS - 1),
        }
    }
}
