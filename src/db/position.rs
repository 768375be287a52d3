//! Positions: the order in which batches became part of the store.
//!
//! Owns: the type, its byte form, and the rule by which numbers are handed out ([`PositionBase`]).
//!
//! Invariants: positions rise strictly in commit order; they may have holes, so nothing counts with them; a restart
//! or a restore never uses one again ([`PositionBase::after_restart`]). Nobody outside the committer does arithmetic
//! with one.

use std::fmt;

use crate::codec::{Codec, CodecError, Decoder, Encoder, POSITION_BYTES};

/// A place in the order of commits: the number of the commit and an index inside its batch. Opaque; to be compared and stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    commit: u64,
    index: u32,
}

/// No commit ever has this number: it marks a position that the committer still has to fill in.
const PENDING: u64 = u64::MAX;

/// Bits of a commit number that count commits; the 16 above them hold the restore generation.
const COUNTER_BITS: u32 = 48;

impl Position {
    /// Below every position that a batch can take.
    pub const START: Position = Position { commit: 0, index: 0 };

    /// The position that the batch holding it will take. In a key or value of a [`crate::Batch`] it is replaced by
    /// (number of the commit, `index`); anywhere else it is above every real position.
    pub const fn pending(index: u32) -> Position {
        Position { commit: PENDING, index }
    }

    /// Twelve bytes in the order of positions.
    pub fn to_bytes(self) -> [u8; POSITION_BYTES] {
        let mut bytes = [0; POSITION_BYTES];
        bytes[..8].copy_from_slice(&self.commit.to_be_bytes());
        bytes[8..].copy_from_slice(&self.index.to_be_bytes());
        bytes
    }

    /// The reverse of [`Position::to_bytes`]; every twelve bytes are a position.
    pub fn from_bytes(bytes: [u8; POSITION_BYTES]) -> Position {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
        Position {
            commit: u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            index: u32::from_be_bytes([i, j, k, l]),
        }
    }

    /// A number that rises with the position, for those who are shown no more than which of two is later: within the integers of JSON, the same for all
    /// positions of one commit. After a restore it may begin lower.
    pub const fn ordinal(self) -> u64 {
        self.commit & ((1 << COUNTER_BITS) - 1)
    }

    /// [`Position::to_bytes`] as a text, for tokens.
    pub fn to_hex(self) -> String {
        self.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The reverse of [`Position::to_hex`]; no other text is one.
    pub fn from_hex(text: &str) -> Option<Position> {
        let mut bytes = [0; POSITION_BYTES];
        let is_hex = text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        if !is_hex || text.len() != 2 * POSITION_BYTES {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Position::from_bytes(bytes))
    }

    pub(crate) const fn of_commit(commit: u64, index: u32) -> Position {
        Position { commit, index }
    }

    /// The number of the commit.
    pub(crate) const fn commit(self) -> u64 {
        self.commit
    }

    /// The end of a commit: at or above every position of it and of all before it.
    pub(crate) const fn end_of_commit(commit: u64) -> Position {
        Position { commit, index: u32::MAX }
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.commit == PENDING {
            return write!(f, "pending({})", self.index);
        }
        let counter = self.commit & ((1 << COUNTER_BITS) - 1);
        write!(f, "{}:{counter}.{}", self.commit >> COUNTER_BITS, self.index)
    }
}

impl Codec for Position {
    fn encode(&self, out: &mut Encoder) {
        if self.commit == PENDING { out.position_slot(self.index) } else { out.raw(&self.to_bytes()) }
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let position = Position::from_bytes(input.array()?);
        // Nothing stored is still to be filled in: written again it would become another position.
        if position.commit == PENDING { Err(CodecError::Invalid("position")) } else { Ok(position) }
    }
}

/// From where commit numbers are handed out: the one place that does arithmetic with them.
///
/// A commit number is the restore generation in the upper 16 bits and a counter below, so a restored database, whose
/// generation is raised, is above everything that was ever given out before the restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositionBase {
    last: u64,
}

impl PositionBase {
    /// How far a restart jumps ahead of the last position it recovered. Clients may hold positions of relaxed commits that
    /// a power cut took with it; the committer syncs at the latest after [`crate::committer::UNSYNCED_COMMITS_LIMIT`]
    /// of them, far below this.
    pub const RESTART_JUMP: u64 = 1 << 20;

    /// Numbers of a database that has just been made.
    pub const fn fresh() -> PositionBase {
        PositionBase { last: 0 }
    }

    /// Numbers after opening an existing database: above everything recovered, and above everything that may have
    /// been given out and lost, of this generation or an older one.
    pub fn after_restart(restore_generation: u16, last_recovered: u64) -> PositionBase {
        let generation_start = u64::from(restore_generation) << COUNTER_BITS;
        PositionBase { last: last_recovered.saturating_add(Self::RESTART_JUMP).max(generation_start) }
    }

    /// The number of the last commit given out (or skipped).
    pub fn last(self) -> u64 {
        self.last
    }

    /// The number for the next commit.
    pub(crate) fn take(&mut self) -> u64 {
        // 2^48 commits of one generation take 2,800 years at 3,000/s, so the addition cannot reach the marker.
        self.last = self.last.saturating_add(1);
        self.last
    }
}
