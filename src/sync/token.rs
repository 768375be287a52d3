//! Sync tokens: `next_batch` and `since`.
//!
//! Owns: [`SyncToken`], which maps each stream to a position, its opaque text, and whether a token can be gone on from. Does not own: what changed since.
//!
//! Invariants: a token holds positions and nothing of what lies there, so somebody else's token shows a user no more than their own. Every text
//! is read without error or damage. A token of another database, of before a restore or from the future is no place to go on from: who
//! brings it gets the full answer. A token of another process is, for streams that live in memory, as none.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use plop_db::{Identity, Position};
use plop_ephemeral::{LivePosition, ProcessStart};
use ruma::{DeviceId, UserId};

use crate::sent_members::AnswerNumber;

/// What every token begins with: the kind of token and the version of its form.
const PREFIX: &str = "s2_";

/// Longest text that is looked at: far above that of any token.
const MAX_TEXT_BYTES: usize = 256;

/// For whom a token was made: the few bytes that tell one device from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder([u8; 6]);

impl Holder {
    /// The device, or the user as a whole for actors without one.
    pub fn new(user: &UserId, device: Option<&DeviceId>) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(user.as_bytes()).update(&[0]);
        hasher.update(device.map_or(&[], DeviceId::as_bytes));
        let [a, b, c, d, e, f, ..] = *hasher.finalize().as_bytes();
        Self([a, b, c, d, e, f])
    }

    pub fn to_bytes(self) -> [u8; 6] {
        self.0
    }

    pub fn from_bytes(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }
}

/// How far a client has come in every stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncToken {
    pub database: Identity,
    /// Streams of the database.
    pub position: Position,
    /// To-device messages come in pages, so they may be behind.
    pub to_device: Position,
    pub typing: LivePosition,
    pub presence: LivePosition,
    pub holder: Holder,
    /// Of the answer that it came with.
    pub answer: AnswerNumber,
}

/// A text that is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a token of /sync")]
pub struct NoToken;

impl SyncToken {
    /// The answer that it came with, if that was of this process.
    pub fn answer_of(&self, process: ProcessStart) -> Option<AnswerNumber> {
        Some(self.answer).filter(|answer| *answer != AnswerNumber::NONE && self.typing.start == process)
    }

    /// Whether a client can go on from here: the database is the same, and it has come as far.
    pub fn is_known_to(&self, database: Identity, published: Position) -> bool {
        self.database == database && self.position.max(self.to_device) <= published
    }
}

impl fmt::Display for SyncToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(88);
        encode_identity(&mut bytes, self.database);
        bytes.extend_from_slice(&self.position.to_bytes());
        bytes.extend_from_slice(&self.to_device.to_bytes());
        encode_live(&mut bytes, self.typing);
        encode_live(&mut bytes, self.presence);
        bytes.extend_from_slice(&self.holder.0);
        bytes.extend_from_slice(&self.answer.0.to_be_bytes());
        f.write_str(PREFIX)?;
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for SyncToken {
    type Err = NoToken;

    fn from_str(text: &str) -> Result<Self, NoToken> {
        let digits = text.strip_prefix(PREFIX).filter(|_| text.len() <= MAX_TEXT_BYTES).ok_or(NoToken)?;
        let bytes = URL_SAFE_NO_PAD.decode(digits).map_err(|_| NoToken)?;
        let mut rest = Rest(&bytes);
        let database = rest.identity()?;
        let position = Position::from_bytes(rest.take()?);
        let to_device = Position::from_bytes(rest.take()?);
        let (typing, presence) = (rest.live()?, rest.live()?);
        let holder = Holder(rest.take()?);
        let answer = AnswerNumber(u64::from_be_bytes(rest.take()?));
        rest.end()?;
        Ok(Self { database, position, to_device, typing, presence, holder, answer })
    }
}

/// Appends which database a token is of.
pub fn encode_identity(bytes: &mut Vec<u8>, database: Identity) {
    bytes.extend_from_slice(&database.database_id);
    bytes.extend_from_slice(&database.restore_generation.to_be_bytes());
}

/// Appends a position in a stream that lives in memory.
pub fn encode_live(bytes: &mut Vec<u8>, position: LivePosition) {
    bytes.extend_from_slice(&position.start.0.to_be_bytes());
    bytes.extend_from_slice(&position.counter.to_be_bytes());
}

/// Bytes of a token that are still to be read.
pub struct Rest<'a>(pub &'a [u8]);

impl Rest<'_> {
    pub fn take<const N: usize>(&mut self) -> Result<[u8; N], NoToken> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(NoToken)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub fn live(&mut self) -> Result<LivePosition, NoToken> {
        let start = ProcessStart(u64::from_be_bytes(self.take()?));
        Ok(LivePosition { start, counter: u64::from_be_bytes(self.take()?) })
    }

    pub fn identity(&mut self) -> Result<Identity, NoToken> {
        Ok(Identity { database_id: self.take()?, restore_generation: u16::from_be_bytes(self.take()?) })
    }

    /// Nothing is left.
    pub fn end(self) -> Result<(), NoToken> {
        if self.0.is_empty() { Ok(()) } else { Err(NoToken) }
    }
}

#[cfg(test)]
mod tests {
    use ruma::{device_id, user_id};

    use super::*;

    fn token() -> SyncToken {
        let live = |counter| LivePosition { start: ProcessStart(7), counter };
        SyncToken {
            database: Identity { database_id: [9; 16], restore_generation: 3 },
            position: Position::from_bytes([1; 12]),
            to_device: Position::from_bytes([2; 12]),
            typing: live(4),
            presence: live(u64::MAX),
            holder: Holder::new(user_id!("@a:b"), Some(device_id!("D"))),
            answer: AnswerNumber(5),
        }
    }

    #[test]
    fn a_token_is_read_back() {
        let text = token().to_string();
        assert_eq!(text.parse(), Ok(token()));
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{text}");
    }

    #[test]
    fn other_texts_are_no_tokens() {
        let text = token().to_string();
        let cut = text.get(..text.len() - 2).unwrap_or_default();
        let long = format!("{text}AAAA");
        let huge = format!("s2_{}", "A".repeat(1 << 20));
        for other in
            ["", "s2_", "s2_AAAA", "s1_AAAA", "s72594_4483_1934", "h1_", "s2_\u{e9}", cut, &long, &huge]
        {
            assert_eq!(other.parse::<SyncToken>(), Err(NoToken), "{other:.80}");
        }
    }

    #[test]
    fn devices_are_told_apart() {
        let user = user_id!("@a:b");
        let holders = [
            Holder::new(user, None),
            Holder::new(user, Some(device_id!("D"))),
            Holder::new(user, Some(device_id!("E"))),
            Holder::new(user_id!("@b:b"), Some(device_id!("D"))),
        ];
        for (index, one) in holders.iter().enumerate() {
            assert!(holders.iter().skip(index + 1).all(|other| one != other));
        }
    }
}
