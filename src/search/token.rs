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
const PREFIX: &str = "f1_";

record! {
    /// The place behind a result.
    pub struct PageToken = 1 {
        pub(crate) by_rank: bool,
        /// The sort key of the last result ([`crate::collecting`]): where those go on that are in the order of the stream.
        pub(crate) behind: (u64, u64, u64),
        /// Documents so far: where those go on that are in the order of their rank, which changes with every new event.
        pub(crate) passed: u64,
        /// Results so far.
        pub(crate) seen: u64,
        /// Only results of this group.
        pub(crate) group: Option<GroupRow>,
    }
}

record! {
    /// A group of results.
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
        let mut group = self.group.clone().unwrap_or_default();
        narrow(&mut group);
        if self.group.as_ref() == Some(&group) {
            return self.clone();
        }
        let shown = shown as u64;
        Self { group: Some(group), passed: shown, seen: shown, ..self.clone() }
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
        decode(&BASE64.decode(text).map_err(|_| NoToken)?).map_err(|_| NoToken)
    }
}

#[cfg(test)]
mod tests {
    use ruma::{owned_room_id, owned_user_id};

    use super::*;

    #[test]
    fn a_token_is_read_back() {
        let token = PageToken { by_rank: true, behind: (1, u64::MAX, 0), passed: 12, seen: 10, group: None };
        let room = token.in_room(owned_room_id!("!a:b.c"), 3);
        for token in [room.of_sender(owned_user_id!("@a:b.c"), 2), room, token] {
            assert_eq!(token.to_string().parse(), Ok(token));
        }
        for text in ["", "f1_", "f1_AA", "f2_AA", "f1_\u{e9}", "f1_!!!"] {
            assert_eq!(text.parse::<PageToken>(), Err(NoToken), "{text}");
        }
    }
}
