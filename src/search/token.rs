//! Tokens of pages of results.
//!
//! Owns: [`PageToken`] and its opaque text. Does not own: what is on a page.
//!
//! Invariants: a token says where the page before ended and nothing about who got it: with another user's token one sees what one may see oneself. Any text
//! is read without error or damage.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use plop_db::codec::{decode, encode};
use plop_db::record;
use ruma::{OwnedRoomId, OwnedUserId};

/// What every token begins with: the kind of token and the version of its form.
const PREFIX: &str = "f2_";

/// All results, those of a room or a sender, those of a sender in a room.
const MAX_LEVELS: usize = 3;
/// More than any index has documents.
const MAX_PASSED: u64 = u32::MAX as u64;

record! {
    /// The place behind a result.
    pub struct PageToken = 2 {
        pub(crate) by_rank: bool,
        /// The sort key of the last result ([`crate::collecting`]): where those go on that are in the order of the stream.
        pub(crate) behind: (u64, u64, u64),
        /// Where those go on that are in the order of their rank, which changes with every new event: behind so many documents among all, from there behind so many
        /// of a group, and so on to the group whose results are wanted.
        pub(crate) levels: Vec<LevelRow>,
        /// Results so far.
        pub(crate) seen: u64,
    }
}

record! {
    /// So many documents of a group, whether the user may see them or not.
    #[derive(Default)]
    pub struct LevelRow = 1 {
        pub(crate) group: GroupRow,
        pub(crate) passed: u64,
    }
}

record! {
    /// A group of results; all of them, if it says nothing.
    #[derive(Default)]
    pub struct GroupRow = 1 {
        pub(crate) room: Option<OwnedRoomId>,
        pub(crate) sender: Option<OwnedUserId>,
    }
}

/// A text that is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a token of search results")]
pub struct NoToken;

impl PageToken {
    /// The same place among the results of a room, of which the page had so many.
    #[must_use]
    pub fn in_room(&self, room: OwnedRoomId, shown: usize) -> Self {
        self.narrowed(|group| group.room = Some(room), shown)
    }

    /// The same place among the results of a sender.
    #[must_use]
    pub fn of_sender(&self, sender: OwnedUserId, shown: usize) -> Self {
        self.narrowed(|group| group.sender = Some(sender), shown)
    }

    fn narrowed(&self, narrow: impl FnOnce(&mut GroupRow), shown: usize) -> Self {
        let mut token = self.clone();
        let before = token.levels.last().map(|level| level.group.clone()).unwrap_or_default();
        let mut group = before.clone();
        narrow(&mut group);
        if group != before {
            token.levels.push(LevelRow { group, passed: 0 });
            token.seen = shown as u64;
        }
        token
    }
}

impl fmt::Display for PageToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", BASE64.encode(encode(self)))
    }
}

impl FromStr for PageToken {
    type Err = NoToken;

    fn from_str(text: &str) -> Result<Self, NoToken> {
        let text = text.strip_prefix(PREFIX).ok_or(NoToken)?;
        let token: Self = decode(&BASE64.decode(text).map_err(|_| NoToken)?).map_err(|_| NoToken)?;
        let is_possible = (1..=MAX_LEVELS).contains(&token.levels.len())
            && token.levels.iter().all(|level| level.passed <= MAX_PASSED);
        if is_possible { Ok(token) } else { Err(NoToken) }
    }
}

#[cfg(test)]
mod tests {
    use ruma::{owned_room_id, owned_user_id};

    use super::*;

    #[test]
    fn a_token_is_read_back() {
        let levels = vec![LevelRow { passed: 12, ..LevelRow::default() }];
        let mut token = PageToken { by_rank: true, behind: (1, u64::MAX, 0), levels, seen: 10 };
        let room = token.in_room(owned_room_id!("!a:b.c"), 3);
        for token in [room.of_sender(owned_user_id!("@a:b.c"), 2), room, token.clone()] {
            assert_eq!(token.to_string().parse(), Ok(token));
        }
        token.levels[0].passed = u64::MAX;
        assert_eq!(token.to_string().parse::<PageToken>(), Err(NoToken), "nobody has come so far");
        // Each is a search.
        for levels in [0, MAX_LEVELS + 1] {
            token.levels = vec![LevelRow::default(); levels];
            assert_eq!(token.to_string().parse::<PageToken>(), Err(NoToken), "{levels}");
        }
        for text in ["", "f2_", "f2_AA", "f3_AA", "f2_\u{e9}", "f2_!!!"] {
            assert_eq!(text.parse::<PageToken>(), Err(NoToken), "{text}");
        }
    }
}
