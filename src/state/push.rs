//! Push rules: whom an event notifies, and how (client-server API, "Push Notifications").
//!
//! Owns: the evaluation of a user's ruleset ([`evaluate`]), what the default rules say whoever reads
//! ([`default_outcome`]), where a user's own rules come to something as simple ([`RulesByRoom`]), the ruleset that users begin with
//! ([`default_rules`]), and changes to it ([`edit`]). The rules themselves are ruma's types.
//!
//! Does not own: where rulesets are kept, unread counts, pushers. ruma's evaluation is not used: its globs backtrack
//! or become regular expressions that a long pattern makes too large to build, and its flattened event repeats the
//! path for each leaf.
//!
//! Invariants: what one rule costs is linear in the event, whatever the pattern; a ruleset that [`edit`] made has a
//! bounded number of conditions.

mod by_room;
mod defaults;
pub mod edit;
mod evaluate;
mod event;
mod glob;
mod ruleset;

pub use by_room::{InRoom, RulesByRoom, ThreadRules};
pub use defaults::{DefaultOutcome, MAX_MENTIONED, Reach, default_outcome};
pub use evaluate::{Outcome, Reader, RoomContext, evaluate};
pub use event::PushEvent;
pub use glob::{Glob, MAX_GLOB_CHARS};
pub use ruleset::{default_rules, with_default_rules};

#[cfg(test)]
mod tests;
