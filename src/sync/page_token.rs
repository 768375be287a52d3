//! Tokens of requests about a room's past, which may be of a history page, of `/sync` or of sliding sync.
//!
//! Owns: [`PageToken`], and its place in the room's history. Does not own: any kind of token.
//!
//! Invariants: a token of `/sync` is converted, never compared with one of a history page.

use std::str::FromStr;

use plop_db::Identity;
use plop_rooms::StoreFault;
use plop_rooms::reader::access::RoomReader;
use plop_rooms::reader::token::HistoryToken;

use crate::sliding::pos::Pos;
use crate::token::{NoToken, SyncToken};

/// A token as requests about a room's past take it: of a history page, of `/sync` or of sliding sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageToken {
    History(HistoryToken),
    Sync(SyncToken),
    /// A position of sliding sync (MSC4186).
    Sliding(Pos),
}

impl FromStr for PageToken {
    type Err = NoToken;

    fn from_str(text: &str) -> Result<Self, NoToken> {
        let sync = |_| text.parse().map(Self::Sync);
        text.parse().map(Self::History).or_else(sync).or_else(|_| text.parse().map(Self::Sliding))
    }
}

impl PageToken {
    /// The place in a room's history. A sync token of another database, or of before a restore, is as good as now.
    pub async fn place(
        &self,
        reader: &RoomReader<'_>,
        database: Identity,
    ) -> Result<HistoryToken, StoreFault> {
        let (of, position) = match self {
            Self::History(token) => return Ok(*token),
            Self::Sync(token) => (token.database, token.position),
            Self::Sliding(pos) => (pos.database, pos.position),
        };
        let now = reader.view().position;
        reader.token_at(if of == database { position } else { now }).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_texts_are_no_tokens() {
        for other in ["", "x", "h1_", "h1_zz", "s2_", "s2_AAAA", "s1_AAAA", "s72594_4483_1934"] {
            assert_eq!(other.parse::<PageToken>(), Err(NoToken), "{other}");
        }
    }
}
