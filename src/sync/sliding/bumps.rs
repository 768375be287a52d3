//! When a room was last talked in (MSC4186, `bump_stamp`).
//!
//! Owns: which events count as talk, finding the last of them, a bounded memory of it. Does not own: the order of lists, which is by any event.
//!
//! Invariants: a room is looked through once, then only what came since, so a stamp costs no more than a few events. Where the last talk is too far back,
//! the stamp is that of what was looked at last.

use plop_db::Position;
use plop_rooms::StoreFault;
use plop_state_store::{EventNumber, RoomNumber};

use crate::as_of::AsOf;
use crate::scene::Scene;
use crate::tails::{Row, Tail};

/// Bytes of what is remembered of rooms, about, and those of a room.
const CACHE_BYTES: u64 = 8 << 20;
const ROOM_BYTES: u64 = 80;
/// Events that are loaded at once.
const CHUNK: usize = 16;

/// Types of events that are talk.
const TALK: [&str; 9] = [
    "m.room.create",
    "m.room.message",
    "m.room.encrypted",
    "m.sticker",
    "m.call.invite",
    "m.poll.start",
    "org.matrix.msc3381.poll.start",
    "m.beacon_info",
    "org.matrix.msc3672.beacon_info",
];

/// The last talk of rooms, each as of its newest event.
pub struct Bumps(AsOf<RoomNumber, Position>);

impl Default for Bumps {
    fn default() -> Self {
        Self(AsOf::new(CACHE_BYTES, ROOM_BYTES, |_| ROOM_BYTES))
    }
}

impl Bumps {
    /// When a room was last talked in, up to a position.
    pub async fn of(&self, scene: &Scene<'_>, tail: &Tail, to: Position) -> Result<Position, StoreFault> {
        let room = scene.number();
        let known = self.0.known(&room).filter(|(as_of, _)| *as_of <= to);
        let is_new = |row: &&Row| known.is_none_or(|(as_of, _)| row.position > as_of);
        let rows: Vec<Row> = tail.rows_to(to).take_while(is_new).copied().collect();
        let Some(newest) = rows.first() else {
            return Ok(known.map_or(Position::START, |(_, talk)| talk));
        };
        let mut talk = None;
        for chunk in rows.chunks(CHUNK) {
            let numbers: Vec<EventNumber> = chunk.iter().map(|row| row.event).collect();
            let events = scene.events(&numbers).await?;
            let mut found = chunk.iter().zip(&events);
            talk =
                found.find(|(_, event)| TALK.contains(&event.pdu.type_name())).map(|(row, _)| row.position);
            if talk.is_some() {
                break;
            }
        }
        let before = || known.map(|(_, talk)| talk).or(rows.last().map(|row| row.position));
        let talk = talk.or_else(before).unwrap_or(Position::START);
        self.0.insert(room, newest.position, talk);
        Ok(talk)
    }
}
