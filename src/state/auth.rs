//! The authorisation rules of room versions 1 to 12.
//!
//! Owns: which auth events an event selects ([`types_for`]), whether it is allowed by the ones that it cites
//! ([`check_by_auth_events`]) and by a state ([`check`], [`check_in_state`]); what a room's create event, power
//! levels and the like mean ([`Authority`], [`JoinRule`], [`HistoryVisibility`], [`Membership`]).
//!
//! Does not own: event format, hashes and signatures (checked before), where state comes from, outcomes (soft-failed,
//! outlier...), whether a user meets the conditions of a restricted join (the authorising server decides that).
//!
//! Invariants: a verdict depends on nothing but the arguments. No content panics. A missing auth event is never a
//! rejection. What differs between room versions is a flag, asked where the rule is.
//!
//! Why not ruma's rules: they do not take the floats of versions 1 to 5, parse the power levels anew for each check, and
//! refuse the whole room for oddities in the create event that no rule names. For versions 6 and up a test compares both.

mod authority;
mod by_auth_events;
mod checker;
mod create;
mod error;
mod member;
mod power_levels;
mod rules;
mod selection;
mod settings;
mod state;
mod third_party_invite;

#[cfg(test)]
mod tests;

pub use authority::Authority;
pub use by_auth_events::{Cited, NotAuthorised, check_by_auth_events};
pub use checker::{Checker, check};
pub use error::{AuthError, MalformedLevels, ThirdPartyInviteError};
pub use power_levels::{LevelField, Power, PowerLevels};
pub use rules::check_in_state;
pub use selection::{types_for, types_of};
pub use settings::{HistoryVisibility, JoinRule, Membership};
pub use state::AuthState;
