//! Checks against a state that is given as a look-up of its events.

use ruma::OwnedEventId;

use crate::pdu::Pdu;
use crate::state_key::StateKey;
use crate::version::Rules;

use super::authority::Authority;
use super::create;
use super::error::AuthError;
use super::rules::check_in_state;
use super::state::EventState;

/// Whether the state that `events` looks up lets `event` in: every rule but those on its auth events.
///
/// The signatures of `event` must have been verified, and the events of the state accepted.
pub fn check(event: &Pdu, rules: &Rules, events: impl Fn(&StateKey) -> Option<Pdu>) -> Result<(), AuthError> {
    Checker::new(rules).check(event, events)
}

/// [`check`] for many events of one room, as resolution needs it: remembers the authority of the state that it saw
/// last, because events checked one after the other mostly share it and power levels can take 65 kB.
#[derive(Debug)]
pub struct Checker<'a> {
    rules: &'a Rules,
    last: Option<Remembered>,
}

#[derive(Debug)]
struct Remembered {
    power_levels: Option<OwnedEventId>,
    authority: Authority,
}

impl<'a> Checker<'a> {
    /// One that has seen nothing yet.
    pub fn new(rules: &'a Rules) -> Self {
        Self { rules, last: None }
    }

    /// See [`check`].
    pub fn check(&mut self, event: &Pdu, events: impl Fn(&StateKey) -> Option<Pdu>) -> Result<(), AuthError> {
        let rules = self.rules;
        if event.type_name() == "m.room.create" {
            return create::check(event, rules);
        }
        let authority = self.authority(&events)?;
        check_in_state(event, rules, &EventState { rules, authority, events })
    }

    fn authority(&mut self, events: impl Fn(&StateKey) -> Option<Pdu>) -> Result<&Authority, AuthError> {
        let create = events(&StateKey::create()).ok_or(AuthError::NoCreate)?;
        let levels = events(&StateKey::power_levels());
        let same = |last: &Remembered| {
            last.authority.create_id() == create.event_id()
                && last.power_levels.as_deref() == levels.as_ref().map(Pdu::event_id)
        };
        let remembered = match self.last.take().filter(same) {
            Some(last) => last,
            None => Remembered {
                authority: Authority::new(&create, levels.as_ref(), self.rules)?,
                power_levels: levels.map(|event| event.event_id_owned().clone()),
            },
        };
        Ok(&self.last.insert(remembered).authority)
    }
}
