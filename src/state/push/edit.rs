//! Changes to a user's push rules (client-server API, "Push Rules: API").
//!
//! Owns: where a rule goes, what may be changed, and the limits. Each change is a new ruleset, so that one that fails
//! has changed nothing.

use std::mem;

use ruma::push::{
    Action, ConditionalPushRule, NewPushRule, PatternedPushRule, PushCondition, RemovePushRuleError,
    RuleKind, Ruleset, SimplePushRule,
};
use thiserror::Error;

use super::glob::Glob;

/// Most rules of their own that a user has.
pub const MAX_RULES: usize = 1000;
/// Most conditions in all of a user's own rules; the pattern of a content rule is one. Each is a pass over every event.
pub const MAX_CONDITIONS: usize = 256;
/// Longest rule id, in bytes: that of a room or a user.
pub const MAX_RULE_ID_BYTES: usize = 255;
/// Largest ruleset, in bytes of JSON, so that it fits account data, which is as large as an event.
pub const MAX_RULESET_BYTES: usize = 65_000;

/// Comes before all rules, also the user's own.
const MASTER: &str = ".m.rule.master";

/// Why a change is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EditError {
    /// The id begins with a dot.
    #[error("rule ids that begin with a dot are reserved for the server's rules")]
    ReservedId,
    /// The id is empty, too long or has a slash or backslash.
    #[error("not a valid rule id")]
    InvalidId,
    /// `before` or `after` names one of the server's rules.
    #[error("a rule cannot be placed relative to one of the server's")]
    RelativeToDefault,
    /// `before` or `after` names no other rule of that kind.
    #[error("no such rule to place it before or after")]
    UnknownRelative,
    /// `before` has a higher priority than `after`.
    #[error("no rule can be both before the one and after the other")]
    BeforeAboveAfter,
    /// There is no such rule.
    #[error("no such rule")]
    NotFound,
    /// The server's rules can be disabled, not deleted.
    #[error("one of the server's rules cannot be deleted")]
    ServerDefault,
    /// A pattern that would match nothing because of its length.
    #[error("the pattern is too long")]
    PatternTooLong,
    /// One of the limits on all rules of a user.
    #[error("too many or too large push rules")]
    TooMany,
}

/// Adds a rule, or replaces the one of its kind and id, which keeps its place and whether it is enabled.
///
/// `before` makes it the next more important rule, `after` the next less important one; with both, `before` decides
/// and `after` must be more important. Without them a new rule is the user's most important one.
pub fn put(
    rules: &Ruleset,
    rule: NewPushRule,
    after: Option<&str>,
    before: Option<&str>,
) -> Result<Ruleset, EditError> {
    check_id(rule.rule_id())?;
    if after.into_iter().chain(before).any(|id| id.starts_with('.')) {
        return Err(EditError::RelativeToDefault);
    }
    let mut changed = rules.clone();
    let place = Place { after, before };
    match rule {
        NewPushRule::Override(rule) => place.put(&mut changed.override_, ConditionalPushRule::from(rule))?,
        NewPushRule::Underride(rule) => place.put(&mut changed.underride, ConditionalPushRule::from(rule))?,
        NewPushRule::Content(rule) => place.put(&mut changed.content, PatternedPushRule::from(rule))?,
        NewPushRule::Room(rule) => place.put(&mut changed.room, SimplePushRule::from(rule))?,
        NewPushRule::Sender(rule) => place.put(&mut changed.sender, SimplePushRule::from(rule))?,
        _ => return Err(EditError::NotFound),
    }
    within_limits(changed)
}

/// Deletes a rule of the user's own.
pub fn remove(rules: &Ruleset, kind: RuleKind, id: &str) -> Result<Ruleset, EditError> {
    let mut changed = rules.clone();
    match changed.remove(kind, id) {
        Ok(()) => Ok(changed),
        Err(RemovePushRuleError::ServerDefault) => Err(EditError::ServerDefault),
        Err(_) => Err(EditError::NotFound),
    }
}

/// Enables or disables a rule, the server's included.
pub fn set_enabled(rules: &Ruleset, kind: RuleKind, id: &str, enabled: bool) -> Result<Ruleset, EditError> {
    let mut changed = rules.clone();
    changed.set_enabled(kind, id, enabled).map_err(|_| EditError::NotFound)?;
    Ok(changed)
}

/// Replaces the actions of a rule, the server's included. They are kept as they are written: `dont_notify` and `coalesce` mean nothing any more
/// ("Historical Actions"), and a client that wrote them looks for them.
pub fn set_actions(
    rules: &Ruleset,
    kind: RuleKind,
    id: &str,
    actions: Vec<Action>,
) -> Result<Ruleset, EditError> {
    let mut changed = rules.clone();
    changed.set_actions(kind, id, actions).map_err(|_| EditError::NotFound)?;
    within_limits(changed)
}

fn check_id(id: &str) -> Result<(), EditError> {
    if id.starts_with('.') {
        return Err(EditError::ReservedId);
    }
    if id.is_empty() || id.len() > MAX_RULE_ID_BYTES || id.contains(['/', '\\']) {
        return Err(EditError::InvalidId);
    }
    Ok(())
}

/// What placing asks of a rule of any kind.
trait Rule {
    fn id(&self) -> &str;
    fn enabled(&mut self) -> &mut bool;
}

impl Rule for ConditionalPushRule {
    fn id(&self) -> &str {
        &self.rule_id
    }
    fn enabled(&mut self) -> &mut bool {
        &mut self.enabled
    }
}

impl Rule for PatternedPushRule {
    fn id(&self) -> &str {
        &self.rule_id
    }
    fn enabled(&mut self) -> &mut bool {
        &mut self.enabled
    }
}

impl<T: AsRef<str>> Rule for SimplePushRule<T> {
    fn id(&self) -> &str {
        self.rule_id.as_ref()
    }
    fn enabled(&mut self) -> &mut bool {
        &mut self.enabled
    }
}

#[derive(Clone, Copy)]
struct Place<'a> {
    after: Option<&'a str>,
    before: Option<&'a str>,
}

impl Place<'_> {
    /// Puts `rule` into the rules of its kind, most important first.
    fn put<S, R>(self, rules: &mut S, mut rule: R) -> Result<(), EditError>
    where
        S: Default + IntoIterator<Item = R> + FromIterator<R>,
        R: Rule,
    {
        let mut list: Vec<R> = mem::take(rules).into_iter().collect();
        let known = list.iter().position(|other| other.id() == rule.id());
        if let Some(known) = known {
            *rule.enabled() = *list.remove(known).enabled();
        }
        let find = |id| list.iter().position(|other: &R| other.id() == id).ok_or(EditError::UnknownRelative);
        let after = self.after.map(find).transpose()?;
        let at = match (after, self.before.map(find).transpose()?) {
            (Some(after), Some(before)) if before <= after => return Err(EditError::BeforeAboveAfter),
            (_, Some(before)) => before,
            (Some(after), None) => after + 1,
            (None, None) => {
                known.unwrap_or(usize::from(list.first().is_some_and(|rule| rule.id() == MASTER)))
            }
        };
        list.insert(at, rule);
        *rules = list.into_iter().collect();
        Ok(())
    }
}

fn within_limits(rules: Ruleset) -> Result<Ruleset, EditError> {
    let own = || rules.override_.iter().chain(&rules.underride).filter(|rule| !rule.default);
    let own_content = || rules.content.iter().filter(|rule| !rule.default);
    let patterns = own().flat_map(|rule| &rule.conditions).filter_map(|condition| match condition {
        PushCondition::EventMatch(condition) => Some(&condition.pattern),
        _ => None,
    });
    if patterns.chain(own_content().map(|rule| &rule.pattern)).any(|pattern| Glob::new(pattern).is_none()) {
        return Err(EditError::PatternTooLong);
    }
    let conditions = own().map(|rule| rule.conditions.len()).sum::<usize>() + own_content().count();
    let count = own().count() + own_content().count() + rules.room.len() + rules.sender.len();
    let size = serde_json::to_vec(&rules).map_or(usize::MAX, |json| json.len());
    if conditions > MAX_CONDITIONS || count > MAX_RULES || size > MAX_RULESET_BYTES {
        return Err(EditError::TooMany);
    }
    Ok(rules)
}
