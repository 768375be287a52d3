//! Tokens of history pages.
//!
//! Owns: [`HistoryToken`], a place in graph order, and its opaque text. Does not own: what lies at that place ([`super::history`]).
//!
//! Invariants: a token names a place between events and nothing about who got it: another user's token shows the other what they may see
//! themselves. Every token that was given out stays valid; any text is read without error or damage.

use std::fmt;
use std::str::FromStr;

use plop_db::codec::{decode, encode};

use crate::history_place::HistoryPlace;

/// A point in the history of a room: right below the event that stands at a place, whether there is one or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HistoryToken(HistoryPlace);

/// What every token begins with: the kind of token and the version of its form.
const PREFIX: &str = "h1_";

/// A text that is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a token of a history page")]
pub struct NoToken;

impl HistoryToken {
    /// The place right below an event.
    pub fn below(place: HistoryPlace) -> Self {
        Self(place)
    }

    /// The place right above an event.
    pub fn above(place: HistoryPlace) -> Self {
        Self(place.above())
    }

    /// The first place above this one that an event can have.
    pub(super) fn place(self) -> HistoryPlace {
        self.0
    }
}

impl fmt::Display for HistoryToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        encode(&self.0).iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for HistoryToken {
    type Err = NoToken;

    fn from_str(text: &str) -> Result<Self, NoToken> {
        let digits = text.strip_prefix(PREFIX).ok_or(NoToken)?;
        let bytes: Option<Vec<u8>> = digits
            .as_bytes()
            .chunks(2)
            .map(|pair| {
                let [high, low] = pair else { return None };
                Some(digit(*high)? << 4 | digit(*low)?)
            })
            .collect();
        decode(&bytes.ok_or(NoToken)?).map(Self).map_err(|_| NoToken)
    }
}

/// The value of a hexadecimal digit as [`HistoryToken`] writes them.
fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back() {
        let lowest = HistoryToken::below(decode(&encode(&0_u64)).expect("a place"));
        let highest = HistoryToken::below(decode(&encode(&u64::MAX)).expect("a place"));
        let first = HistoryToken::below(HistoryPlace::FIRST);
        assert!(first < HistoryToken::above(HistoryPlace::FIRST));
        for token in [lowest, first, HistoryToken::above(HistoryPlace::FIRST), highest] {
            assert_eq!(token.to_string().parse(), Ok(token));
        }
    }

    #[test]
    fn other_texts_are_no_tokens() {
        for text in ["", "h1_", "h1_0", "h1_zz", "h1_ffff", "h2_00", "s12_3", "h1_\u{e9}\u{e9}", "h1_0101ff"]
        {
            assert_eq!(text.parse::<HistoryToken>(), Err(NoToken), "{text}");
        }
        let upper = HistoryToken::below(HistoryPlace::FIRST).to_string().to_uppercase();
        assert_eq!(upper.parse::<HistoryToken>(), Err(NoToken));
        assert_eq!("h1_".to_owned().repeat(10_000).parse::<HistoryToken>(), Err(NoToken));
    }
}
