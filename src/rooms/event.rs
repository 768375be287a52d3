//! An event of a room in memory.
//!
//! Owns: [`RoomEvent`], the pair of the parsed event and what this server knows about it, and its way from and to its row. Does not
//! own: where it is kept ([`crate::event_store`]) or how it got its outcome.
//!
//! Invariants: immutable. What happens to an event later (a redaction, a judgement) makes another `RoomEvent`.

use plop_db::codec::Tail;
use plop_state::{Pdu, Rules};
use plop_state_store::EventNumber;
use plop_state_store::tree::Root;

use crate::schema::{EventFacts, EventRow};

/// An event and its place in the room.
#[derive(Debug, Clone)]
pub struct RoomEvent {
    pub number: EventNumber,
    pub pdu: Pdu,
    pub facts: EventFacts,
}

impl RoomEvent {
    /// The state after the event: its own where it is a state event, else the one before it.
    pub fn state_after(&self) -> Option<Root> {
        self.facts.after.or(self.facts.before)
    }

    /// Bytes in memory, roughly: the text, and what a usual event's fields, ids and their allocations take.
    pub fn memory(&self) -> usize {
        const FIELDS: usize = 1280;
        FIELDS + self.pdu.canonical().len()
    }

    /// The row to store.
    pub fn to_row(&self) -> EventRow {
        EventRow {
            event_id: self.pdu.event_id_owned().clone(),
            facts: self.facts.clone(),
            pdu: Tail(self.pdu.canonical().to_owned()),
        }
    }

    /// The event of a stored row.
    ///
    /// # Errors
    /// The row holds no event of this room version: the store is damaged.
    pub fn from_row(number: EventNumber, row: EventRow, rules: &Rules) -> Result<Self, DamagedEvent> {
        let EventRow { event_id, facts, pdu } = row;
        let pdu =
            Pdu::from_stored(pdu.0, Some(event_id), rules).map_err(|error| DamagedEvent { number, error })?;
        Ok(Self { number, pdu, facts })
    }
}

/// A stored event that cannot be read back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {number:?} is damaged: {error}")]
pub struct DamagedEvent {
    pub number: EventNumber,
    pub error: plop_state::pdu::FormatError,
}
