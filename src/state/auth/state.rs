//! What the rules read of a state, and the reading of it from state events.

use crate::pdu::Pdu;
use crate::state_key::StateKey;
use crate::version::Rules;

use super::authority::Authority;
use super::settings::{JoinRule, Membership};

/// The facts of a state that the authorisation rules depend on.
///
/// The room's view implements it from memory, so that sending an event reads no stored event; everything else
/// goes through [`EventState`].
pub trait AuthState {
    /// Its create event and power levels.
    fn authority(&self) -> &Authority;

    /// The user's membership; `None` for who never had one.
    fn membership(&self, user: &str) -> Option<Membership>;

    /// What its join rule means; [`JoinRule::default`] without one.
    fn join_rule(&self) -> JoinRule;

    /// The `m.room.third_party_invite` event with `token` as its state key.
    fn third_party_invite(&self, token: &str) -> Option<Pdu>;
}

/// A state given as a look-up of its events.
pub(super) struct EventState<'a, F> {
    pub(super) rules: &'a Rules,
    pub(super) authority: &'a Authority,
    pub(super) events: F,
}

impl<F: Fn(&StateKey) -> Option<Pdu>> AuthState for EventState<'_, F> {
    fn authority(&self) -> &Authority {
        self.authority
    }

    fn membership(&self, user: &str) -> Option<Membership> {
        let event = (self.events)(&StateKey::member(user))?;
        Membership::of(&event, self.rules)
    }

    fn join_rule(&self) -> JoinRule {
        match (self.events)(&StateKey::join_rules()) {
            Some(event) => JoinRule::of(&event, self.rules),
            None => JoinRule::default(),
        }
    }

    fn third_party_invite(&self, token: &str) -> Option<Pdu> {
        (self.events)(&StateKey::new("m.room.third_party_invite", token))
    }
}
