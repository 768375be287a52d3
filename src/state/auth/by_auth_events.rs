//! The rules on the auth events that an event cites (rule 2; in version 12 rules 2 and 3), and the other rules by
//! the state that those make.

use std::collections::BTreeMap;

use ruma::{EventId, OwnedEventId};

use crate::pdu::Pdu;
use crate::state_key::StateKey;
use crate::version::Rules;

use super::authority::Authority;
use super::create;
use super::error::AuthError;
use super::rules::check_in_state;
use super::selection::types_of;
use super::state::EventState;

/// What is known of an event that another one cites.
#[derive(Debug, Clone)]
pub enum Cited {
    /// Here and not rejected: accepted or soft-failed.
    Accepted(Pdu),
    /// Here, and rejected by whichever check.
    Rejected,
    /// Not here, or here and not judged yet.
    Missing,
}

/// Why an event does not pass by its auth events.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAuthorised {
    /// Final, whatever else becomes known.
    #[error(transparent)]
    Rejected(#[from] AuthError),
    /// Undecided: to be asked again when these are known. Never to be stored as a rejection.
    #[error("{} auth events are missing", .0.len())]
    Missing(Vec<OwnedEventId>),
}

/// Whether `event` is allowed by the auth events that it cites ("Checks performed on receipt of a PDU", step 4).
///
/// `look_up` tells what is known of an event; it is asked for the auth events and, in versions where the room id
/// names the create event, for that. The signatures of `event` must have been verified.
pub fn check_by_auth_events(
    event: &Pdu,
    rules: &Rules,
    look_up: impl Fn(&EventId) -> Cited,
) -> Result<(), NotAuthorised> {
    if event.type_name() == "m.room.create" {
        return Ok(create::check(event, rules)?);
    }
    let mut missing = Vec::new();
    let mut state = cited_state(event, rules, &look_up, &mut missing)?;
    let create = if rules.spec.authorization.room_create_event_id_as_room_id {
        create_of_room_id(event, rules, &look_up, &mut missing)?
    } else {
        state.get(&StateKey::create()).cloned()
    };
    if !missing.is_empty() {
        return Err(NotAuthorised::Missing(missing));
    }
    let create = create.ok_or(AuthError::NoCreateAmongAuthEvents)?;
    let authority = Authority::new(&create, state.get(&StateKey::power_levels()), rules)?;
    state.insert(StateKey::create(), create);
    let state = EventState { rules, authority: &authority, events: |key: &StateKey| state.get(key).cloned() };
    Ok(check_in_state(event, rules, &state)?)
}

/// The cited events by their keys, each checked on its own.
fn cited_state(
    event: &Pdu,
    rules: &Rules,
    look_up: impl Fn(&EventId) -> Cited,
    missing: &mut Vec<OwnedEventId>,
) -> Result<BTreeMap<StateKey, Pdu>, AuthError> {
    let selected = types_of(event, rules);
    let mut state = BTreeMap::new();
    for id in event.auth_events() {
        let cited = match look_up(id) {
            Cited::Accepted(cited) => cited,
            Cited::Rejected => return Err(AuthError::RejectedAuthEvent(id.clone())),
            Cited::Missing => {
                missing.push(id.clone());
                continue;
            }
        };
        if cited.room_id() != event.room_id() {
            return Err(AuthError::AuthEventOfOtherRoom(id.clone()));
        }
        let key = cited
            .as_state()
            .filter(|key| selected.contains(key))
            .ok_or_else(|| AuthError::UnexpectedAuthEvent(id.clone()))?;
        if state.insert(key, cited).is_some() {
            return Err(AuthError::DuplicateAuthEvents);
        }
    }
    Ok(state)
}

/// The create event that the room id names.
fn create_of_room_id(
    event: &Pdu,
    rules: &Rules,
    look_up: impl Fn(&EventId) -> Cited,
    missing: &mut Vec<OwnedEventId>,
) -> Result<Option<Pdu>, AuthError> {
    let id = event.implied_create(rules).ok_or(AuthError::RoomIdNotOfCreate)?;
    match look_up(&id) {
        Cited::Accepted(create) if create.as_state() == Some(StateKey::create()) => Ok(Some(create)),
        Cited::Accepted(_) | Cited::Rejected => Err(AuthError::RoomIdNotOfCreate),
        Cited::Missing => {
            missing.push(id);
            Ok(None)
        }
    }
}
