//! What push rules ask of a room, as it was after an event.
//!
//! Owns: the powers and the reader's name in a state. Invariants: of a run of events with the same state it is read once, and of the current
//! state mostly not at all.

use plop_rooms::{Rooms, StoreFault};
use plop_state::StateKey;
use plop_state::auth::Authority;
use plop_state::json::Value;
use plop_state::push::RoomContext;
use plop_state_store::EventNumber;
use plop_state_store::tree::Root;

use crate::question::Question;

/// Facts of one state.
pub struct Setting {
    state: Root,
    powers: Powers,
    /// The reader's name in the room; only read where a rule asks for it.
    pub display_name: Option<String>,
}

enum Powers {
    /// Those of the current state.
    Current,
    Other(Option<Box<Authority>>),
}

impl Setting {
    /// The facts of a state; `before`, those of the event looked at before.
    pub async fn of(
        rooms: &Rooms,
        question: &Question<'_>,
        asks_name: bool,
        state: Root,
        before: Option<Self>,
    ) -> Result<Self, StoreFault> {
        if let Some(before) = before.filter(|before| before.state == state) {
            return Ok(before);
        }
        let powers = if state == question.view.root {
            Powers::Current
        } else {
            let levels = StateKey::new("m.room.power_levels", "");
            powers(rooms, question, number(rooms, question, state, &levels).await?).await?
        };
        let mut display_name = None;
        if asks_name {
            let member = StateKey::new("m.room.member", question.user.as_str());
            if let Some(member) = number(rooms, question, state, &member).await? {
                display_name = name(rooms, question, member).await?;
            }
        }
        Ok(Self { state, powers, display_name })
    }

    /// What rules ask, with this many joined members.
    pub fn context<'a>(&'a self, question: &'a Question<'_>, members: u64) -> RoomContext<'a> {
        let authority = match &self.powers {
            Powers::Current => question.view.authority(),
            Powers::Other(authority) => authority.as_deref(),
        };
        RoomContext { members, authority }
    }
}

/// The event under a key of a state.
async fn number(
    rooms: &Rooms,
    question: &Question<'_>,
    state: Root,
    key: &StateKey,
) -> Result<Option<EventNumber>, StoreFault> {
    Ok(rooms.states().get(question.snapshot, question.view.grove(), state, key).await?)
}

/// The powers in a state with this power levels event. The create event is that of the room for ever.
async fn powers(
    rooms: &Rooms,
    question: &Question<'_>,
    levels: Option<EventNumber>,
) -> Result<Powers, StoreFault> {
    let view = question.view;
    if view.kept_type("m.room.power_levels").map(|current| current.number) == levels {
        return Ok(Powers::Current);
    }
    let Some(create) = view.kept_type("m.room.create") else { return Ok(Powers::Other(None)) };
    let levels = match levels {
        Some(levels) => Some(rooms.events().get(question.snapshot, view.number, view.rules, levels).await?),
        None => None,
    };
    let authority = Authority::new(&create.pdu, levels.as_ref().map(|levels| &levels.pdu), view.rules);
    Ok(Powers::Other(authority.ok().map(Box::new)))
}

async fn name(
    rooms: &Rooms,
    question: &Question<'_>,
    member: EventNumber,
) -> Result<Option<String>, StoreFault> {
    let view = question.view;
    let member = rooms.events().get(question.snapshot, view.number, view.rules, member).await?;
    Ok(member.pdu.content_object().get("displayname").and_then(Value::as_str).map(ToOwned::to_owned))
}
