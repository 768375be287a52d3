//! What the default rules say about an event, whoever reads it.
//!
//! Owns: the default ruleset read for all users at once (client-server API, "Predefined Rules"), so that a room keeps one running total
//! instead of one for each member. The rules about thread subscriptions are not in it: they depend on the reader. A property test holds it
//! against the rules themselves. No pattern of a default rule has a wildcard or a character with more than two cases, so equality without
//! regard to ASCII case is the same as a match.

use std::collections::BTreeSet;

use ruma::{OwnedUserId, UserId};

use crate::auth::Authority;
use crate::json::Value;
use crate::pdu::Pdu;

/// Most users that one event mentions; later ones in its list are not counted as mentioned.
pub const MAX_MENTIONED: usize = 512;

/// Polls begin and end (MSC3930). These rules compare values instead of matching a pattern.
const POLLS: [&str; 2] = ["org.matrix.msc3381.poll.start", "org.matrix.msc3381.poll.end"];

/// How an event reaches users that it does not name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// It notifies nobody.
    #[default]
    Silent,
    /// It notifies.
    Notify,
    /// It notifies and is highlighted: `@room` by a sender who may, or the end of the room.
    Highlight,
}

/// What the default rules say, for everyone but the sender.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DefaultOutcome {
    /// For users that the event does not name.
    pub everyone: Reach,
    /// Users whom it notifies with a highlight, each once, in order; the sender is not among them. At most
    /// [`MAX_MENTIONED`].
    pub mentioned: BTreeSet<OwnedUserId>,
    /// The user whom it invites, and notifies.
    pub invited: Option<OwnedUserId>,
}

/// What the default rules say about an event. Without the room's `authority` nobody may mention `@room`.
pub fn default_outcome(event: &Pdu, authority: Option<&Authority>) -> DefaultOutcome {
    let content = Value::Object(event.content_object());
    if has_text(&content, "msgtype", "m.notice") {
        return DefaultOutcome::default();
    }
    if is_type(event, "m.room.member") {
        let invited = if has_text(&content, "membership", "invite") { event.state_key() } else { None };
        let invited = invited.and_then(|user| UserId::parse(user).ok());
        return DefaultOutcome {
            invited: invited.filter(|user| user != event.sender()),
            ..DefaultOutcome::default()
        };
    }
    let mentions = content.get("m.mentions");
    let whole_room = mentions.and_then(|mentions| mentions.get("room")) == Some(&Value::Bool(true));
    let everyone = if whole_room && may_mention_room(event, authority) {
        Reach::Highlight
    } else {
        reach_of_type(event, &content)
    };
    DefaultOutcome { everyone, mentioned: mentioned(event, mentions), invited: None }
}

/// The rules from `.m.rule.tombstone` on, which look at the type.
fn reach_of_type(event: &Pdu, content: &Value) -> Reach {
    let relates_to = content.get("m.relates_to");
    let relation = relates_to.and_then(|relation| relation.get("rel_type")).and_then(Value::as_str);
    if is_type(event, "m.room.tombstone") && event.state_key() == Some("") {
        Reach::Highlight
    } else if relation == Some("m.replace") {
        Reach::Silent
    } else if ["m.room.message", "m.room.encrypted", "m.call.invite"].iter().any(|kind| is_type(event, kind))
        || POLLS.contains(&event.type_name())
    {
        Reach::Notify
    } else {
        Reach::Silent
    }
}

fn mentioned(event: &Pdu, mentions: Option<&Value>) -> BTreeSet<OwnedUserId> {
    let listed = mentions.and_then(|mentions| mentions.get("user_ids")).and_then(Value::as_array);
    let mut users = BTreeSet::new();
    for user in listed.unwrap_or_default().iter().filter_map(Value::as_str) {
        if users.len() == MAX_MENTIONED {
            break;
        }
        users.extend(UserId::parse(user).ok().filter(|user| user != event.sender()));
    }
    users
}

fn may_mention_room(event: &Pdu, authority: Option<&Authority>) -> bool {
    authority.is_some_and(|authority| {
        authority.power(event.sender().as_str()).reaches(authority.level_to_notify("room"))
    })
}

fn is_type(event: &Pdu, kind: &str) -> bool {
    event.type_name().eq_ignore_ascii_case(kind)
}

fn has_text(content: &Value, key: &str, expected: &str) -> bool {
    content.get(key).and_then(Value::as_str).is_some_and(|text| text.eq_ignore_ascii_case(expected))
}
