//! [`evaluate`]: what a user's ruleset says about an event.
//!
//! Owns: the conditions and the order of rules (client-server API, "Push Rules"). Does not own: which events a user may
//! see, ignored users, pushers.

use std::ops::RangeBounds;

use ruma::push::{
    Action, AnyPushRuleRef, PushCondition, Ruleset, ScalarJsonValue,
    SenderNotificationPermissionConditionData, Tweak,
};
use ruma::{UInt, UserId};

use crate::auth::Authority;
use crate::json::Value;

use super::event::PushEvent;
use super::glob::Glob;

/// The property whose patterns match words, not the whole value.
const BODY: &str = "content.body";

/// What rules ask of the room, where the event stands.
#[derive(Debug, Clone, Copy)]
pub struct RoomContext<'a> {
    /// Joined members.
    pub members: u64,
    /// Who may do what; without it no condition on the sender's power holds.
    pub authority: Option<&'a Authority>,
}

/// The user whose rules are evaluated.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    pub user: &'a UserId,
    /// Their display name in the room, for the deprecated condition `contains_display_name`.
    pub display_name: Option<&'a str>,
    /// Whether they are subscribed to the thread that the event is in (MSC4306); `None` for an event in no thread.
    pub subscribed: Option<bool>,
}

/// What the first matching rule says; the default is that nothing matches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outcome<'a> {
    /// The event notifies the user.
    pub notify: bool,
    /// It does and is to be highlighted.
    pub highlight: bool,
    /// The sound to play, if it notifies.
    pub sound: Option<&'a str>,
    /// The rule's actions, for a push gateway.
    pub actions: &'a [Action],
}

impl<'a> Outcome<'a> {
    fn of(actions: &'a [Action]) -> Self {
        let notify = actions.iter().any(Action::should_notify);
        let sound = actions.iter().find_map(|action| match action {
            Action::SetTweak(Tweak::Sound(sound)) => Some(sound.as_str()),
            _ => None,
        });
        Self {
            notify,
            highlight: notify && actions.iter().any(Action::is_highlight),
            sound: sound.filter(|_| notify),
            actions,
        }
    }
}

/// What `rules` say about `event` for `reader`: nothing for events of their own. The cost is linear in the number of
/// conditions times the size of the event.
pub fn evaluate<'a>(
    rules: &'a Ruleset,
    event: &PushEvent,
    room: &RoomContext<'_>,
    reader: &Reader<'_>,
) -> Outcome<'a> {
    if event.event().sender() == reader.user {
        return Outcome::default();
    }
    let matching = rules.iter().find(|rule| rule_matches(*rule, event, room, reader));
    matching.map(|rule| Outcome::of(rule.actions())).unwrap_or_default()
}

fn rule_matches(
    rule: AnyPushRuleRef<'_>,
    event: &PushEvent,
    room: &RoomContext<'_>,
    reader: &Reader<'_>,
) -> bool {
    rule.enabled()
        && match rule {
            AnyPushRuleRef::Override(rule)
            | AnyPushRuleRef::PostContent(rule)
            | AnyPushRuleRef::Underride(rule) => {
                rule.conditions.iter().all(|condition| holds(condition, event, room, reader))
            }
            AnyPushRuleRef::Content(rule) => glob_matches(event, BODY, &rule.pattern),
            AnyPushRuleRef::Room(rule) => rule.rule_id == event.event().room_id(),
            AnyPushRuleRef::Sender(rule) => rule.rule_id == event.event().sender(),
            _ => false,
        }
}

/// Whether a condition holds. Those that are not known never do.
#[expect(deprecated, reason = "users may still have rules with contains_display_name")]
fn holds(condition: &PushCondition, event: &PushEvent, room: &RoomContext<'_>, reader: &Reader<'_>) -> bool {
    match condition {
        PushCondition::EventMatch(condition) => glob_matches(event, &condition.key, &condition.pattern),
        PushCondition::EventPropertyIs(condition) => {
            event.property(&condition.key).is_some_and(|value| is(value, &condition.value))
        }
        PushCondition::EventPropertyContains(condition) => event
            .property(&condition.key)
            .and_then(Value::as_array)
            .is_some_and(|items| items.iter().any(|item| is(item, &condition.value))),
        PushCondition::ContainsDisplayName => contains_name(event, reader.display_name),
        PushCondition::RoomMemberCount(condition) => {
            condition.is.contains(&UInt::try_from(room.members).unwrap_or(UInt::MAX))
        }
        PushCondition::SenderNotificationPermission(condition) => sender_may(condition, event, room),
        PushCondition::ThreadSubscription(condition) => reader.subscribed == Some(condition.subscribed),
        _ => false,
    }
}

fn glob_matches(event: &PushEvent, key: &str, pattern: &str) -> bool {
    let (Some(text), Some(glob)) = (event.text(key), Glob::new(pattern)) else { return false };
    if key == BODY { glob.matches_words(text.chars()) } else { glob.matches(text.chars()) }
}

/// Exact equality; numbers that canonical JSON does not know equal nothing.
fn is(value: &Value, expected: &ScalarJsonValue) -> bool {
    match expected {
        ScalarJsonValue::Null => *value == Value::Null,
        ScalarJsonValue::Bool(expected) => value.as_bool() == Some(*expected),
        ScalarJsonValue::Integer(expected) => value.as_int() == Some(i64::from(*expected)),
        ScalarJsonValue::String(expected) => value.as_str() == Some(expected),
    }
}

fn contains_name(event: &PushEvent, name: Option<&str>) -> bool {
    let name = name.filter(|name| !name.is_empty()).and_then(Glob::literal);
    let (Some(body), Some(name)) = (event.text(BODY), name) else { return false };
    name.matches_words(body.chars())
}

fn sender_may(
    condition: &SenderNotificationPermissionConditionData,
    event: &PushEvent,
    room: &RoomContext<'_>,
) -> bool {
    room.authority.is_some_and(|authority| {
        let needed = authority.level_to_notify(condition.key.as_str());
        authority.power(event.event().sender().as_str()).reaches(needed)
    })
}
