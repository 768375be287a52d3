//! What a reading of the room says of an event.
//!
//! Owns: whether it has a place, whether a state lets it in. Does not own: what it cites ([`super::outliers`]), what follows from the answers.

use plop_state::auth::{self, AuthError};
use plop_state::{Pdu, StateKey};
use plop_state_store::resolver::Resolved;
use ruma::EventId;

use crate::loading::LoadError;
use crate::reading::RoomReading;
use crate::schema::Outcome;

/// The outcome of an event that has its place already.
pub(super) async fn placed(reading: &RoomReading, event: &EventId) -> Result<Option<Outcome>, LoadError> {
    let known = reading.event_by_id(event).await?;
    Ok(known.filter(|known| known.facts.before.is_some()).map(|known| known.facts.outcome))
}

/// Whether a state lets an event in.
pub(super) async fn check_in(
    reading: &RoomReading,
    event: &Pdu,
    state: &Resolved,
) -> Result<Result<(), AuthError>, LoadError> {
    let rules = reading.view().rules;
    let mut keys = auth::types_of(event, rules);
    keys.push(StateKey::create());
    let events = reading.state_events(state, &keys).await?;
    Ok(auth::check(event, rules, |key| events.get(key).cloned()))
}

/// Whether the current state refuses an event (server-server API, "Soft failure").
pub(super) async fn soft_fails(reading: &RoomReading, event: &Pdu) -> Result<bool, LoadError> {
    let current = Resolved { base: reading.view().root, changes: Vec::new() };
    Ok(check_in(reading, event, &current).await?.is_err())
}
