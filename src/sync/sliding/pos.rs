//! Positions of sliding sync: `pos`, and the token of its to-device extension.
//!
//! Owns: the texts, and what is in them. Does not own: which positions of a connection are alive ([`super::connection`]).
//!
//! Invariants: every text is read without error or damage. A position is of one answer of one connection of one device, and of no other.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use plop_db::{Identity, Position};
use plop_ephemeral::{LivePosition, ProcessStart};

use super::schema::ConnectionId;
use crate::sent_members::AnswerNumber;
use crate::token::{Holder, NoToken, Rest, encode_identity, encode_live};

/// What a position begins with.
const PREFIX: &str = "p1_";
/// What a token of the to-device extension begins with.
const TO_DEVICE_PREFIX: &str = "t1_";
/// Longest text that is looked at: far above that of any token.
const MAX_TEXT_BYTES: usize = 256;

/// An answer to go on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pos {
    pub database: Identity,
    pub connection: ConnectionId,
    pub answer: u64,
    pub position: Position,
    pub typing: LivePosition,
    /// Of the member events that the answer had.
    pub members: AnswerNumber,
}

impl Pos {
    /// The answer's number for member events, if it was of this process.
    pub fn members_of(&self, process: ProcessStart) -> Option<AnswerNumber> {
        Some(self.members).filter(|answer| *answer != AnswerNumber::NONE && self.typing.start == process)
    }
}

impl fmt::Display for Pos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(80);
        encode_identity(&mut bytes, self.database);
        bytes.extend_from_slice(&self.connection);
        bytes.extend_from_slice(&self.answer.to_be_bytes());
        bytes.extend_from_slice(&self.position.to_bytes());
        encode_live(&mut bytes, self.typing);
        bytes.extend_from_slice(&self.members.0.to_be_bytes());
        f.write_str(PREFIX)?;
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Pos {
    type Err = NoToken;

    fn from_str(text: &str) -> Result<Self, NoToken> {
        let bytes = decode(text, PREFIX)?;
        let mut rest = Rest(&bytes);
        let pos = Self {
            database: rest.identity()?,
            connection: rest.take()?,
            answer: u64::from_be_bytes(rest.take()?),
            position: Position::from_bytes(rest.take()?),
            typing: rest.live()?,
            members: AnswerNumber(u64::from_be_bytes(rest.take()?)),
        };
        rest.end().map(|()| pos)
    }
}

/// How far a device has got its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToDevicePos {
    pub database: Identity,
    pub position: Position,
    pub holder: Holder,
}

impl fmt::Display for ToDevicePos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(40);
        encode_identity(&mut bytes, self.database);
        bytes.extend_from_slice(&self.position.to_bytes());
        bytes.extend_from_slice(&self.holder.to_bytes());
        f.write_str(TO_DEVICE_PREFIX)?;
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for ToDevicePos {
    type Err = NoToken;

    fn from_str(text: &str) -> Result<Self, NoToken> {
        let bytes = decode(text, TO_DEVICE_PREFIX)?;
        let mut rest = Rest(&bytes);
        let pos = Self {
            database: rest.identity()?,
            position: Position::from_bytes(rest.take()?),
            holder: Holder::from_bytes(rest.take()?),
        };
        rest.end().map(|()| pos)
    }
}

fn decode(text: &str, prefix: &str) -> Result<Vec<u8>, NoToken> {
    let digits = text.strip_prefix(prefix).filter(|_| text.len() <= MAX_TEXT_BYTES).ok_or(NoToken)?;
    URL_SAFE_NO_PAD.decode(digits).map_err(|_| NoToken)
}

#[cfg(test)]
mod tests {
    use ruma::user_id;

    use super::*;

    #[test]
    fn texts_are_read_back_and_others_are_not() {
        let database = Identity { database_id: [9; 16], restore_generation: 3 };
        let position = Position::from_bytes([1; 12]);
        let typing = LivePosition { start: ProcessStart(7), counter: 4 };
        let members = AnswerNumber(5);
        let pos = Pos { database, connection: [2; 16], answer: 3, position, typing, members };
        let text = pos.to_string();
        assert_eq!(text.parse(), Ok(pos));
        let to_device = ToDevicePos { database, position, holder: Holder::new(user_id!("@a:b"), None) };
        assert_eq!(to_device.to_string().parse(), Ok(to_device));
        let huge = format!("p1_{}", "A".repeat(1 << 20));
        for other in ["", "p1_", "p1_AAAA", "s2_AAAA", "5", &format!("{text}AAAA"), &huge] {
            assert_eq!(other.parse::<Pos>(), Err(NoToken), "{other:.80}");
            assert_eq!(other.parse::<ToDevicePos>(), Err(NoToken), "{other:.80}");
        }
    }
}
