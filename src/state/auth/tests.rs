//! The rules as tables: each row is a rule, the versions in which it holds, an event, a state and the verdict.

mod auth_events;
mod authority;
mod create;
mod differential;
mod hostile;
mod members;
mod other_events;
mod power_levels;
mod room;
mod selection;
mod third_party_invites;
