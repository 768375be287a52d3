//! What a user's ruleset comes to in a room, where that is simple.
//!
//! Owns: recognising the default rules, a muted room and a room with mentions only among a user's own rules, so that their counts too
//! come from a room's running totals. Does not own: those counts. A property test holds it against the evaluation of the rules.
//!
//! Invariants: in doubt the answer is [`InRoom::Own`], which is right for every ruleset.

use std::collections::BTreeMap;

use ruma::push::{
    Action, AnyPushRuleRef, ConditionalPushRule, PredefinedUnderrideRuleId, PushCondition, Ruleset,
};
use ruma::{RoomId, UserId};

use super::ruleset::default_rules;

/// What the rules say about the events of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InRoom {
    /// What the default rules say, sounds aside.
    Default,
    /// Only what the default rules highlight notifies: "mentions only".
    HighlightsOnly,
    /// Nothing notifies.
    Silent,
    /// The rules have to be asked about each event.
    Own,
}

/// What the rules about thread subscriptions come to (MSC4306), where they are simple; else the answer for every room is [`InRoom::Own`]. They come
/// behind what highlights, and before what else notifies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ThreadRules {
    /// In a thread that the user is not subscribed to nothing else notifies.
    pub silences_others: bool,
    /// In a thread that they are subscribed to everything does.
    pub tells_subscribed: bool,
}

/// A ruleset, read once for all rooms.
#[derive(Debug, Clone)]
pub struct RulesByRoom {
    elsewhere: InRoom,
    threads: ThreadRules,
    /// Where a rule names the room: by its id in ASCII lower case, as patterns are matched.
    rooms: BTreeMap<String, InRoom>,
}

impl RulesByRoom {
    /// Reads a ruleset with the server's rules in their places.
    pub fn new(rules: &Ruleset, user: &UserId) -> Self {
        let silent = |rule: &&ConditionalPushRule| rule.enabled && !notifies(&rule.actions);
        if rules.override_.first().filter(silent).is_some_and(|rule| rule.conditions.is_empty()) {
            return Self {
                elsewhere: InRoom::Silent,
                threads: ThreadRules::default(),
                rooms: BTreeMap::new(),
            };
        }
        let mut rooms = BTreeMap::new();
        let threads = thread_rules(rules);
        let mut is_default = threads.is_some() && server_rules_say_the_default(rules, user);
        // Whether a rule before this one may match in any room.
        let mut preceded = false;
        for rule in rules.override_.iter().filter(|rule| rule.enabled) {
            match named_room(rule).filter(|_| !rule.default) {
                Some(room) => {
                    let mutes = !preceded && rule.conditions.len() == 1 && !notifies(&rule.actions);
                    rooms.entry(room).or_insert(if mutes { InRoom::Silent } else { InRoom::Own });
                }
                None => {
                    preceded = true;
                    is_default &= rule.default;
                }
            }
        }
        let mut own = rules.iter().filter(|rule| rule.enabled() && !rule.is_server_default());
        is_default &= own.all(|rule| matches!(rule, AnyPushRuleRef::Override(_) | AnyPushRuleRef::Room(_)));
        for rule in rules.room.iter().filter(|rule| rule.enabled) {
            let quiet = is_default && !notifies(&rule.actions);
            let says = if quiet { InRoom::HighlightsOnly } else { InRoom::Own };
            rooms.entry(rule.rule_id.as_str().to_ascii_lowercase()).or_insert(says);
        }
        let elsewhere = if is_default { InRoom::Default } else { InRoom::Own };
        Self { elsewhere, threads: threads.unwrap_or_default(), rooms }
    }

    /// What they say of threads, in rooms where they come to anything but [`InRoom::Own`].
    pub fn threads(&self) -> ThreadRules {
        self.threads
    }

    /// What the rules come to in this room.
    pub fn in_room(&self, room: &RoomId) -> InRoom {
        if self.rooms.is_empty() {
            return self.elsewhere;
        }
        // Outside ASCII other characters match too.
        if !room.as_str().is_ascii() {
            return InRoom::Own;
        }
        self.rooms.get(&room.as_str().to_ascii_lowercase()).copied().unwrap_or(self.elsewhere)
    }
}

/// Whether each of the server's rules notifies and highlights as it does by default, and stands where it does; those about threads aside.
fn server_rules_say_the_default(rules: &Ruleset, user: &UserId) -> bool {
    let default = default_rules(user);
    let of_server = |rule: &AnyPushRuleRef<'_>| {
        rule.is_server_default() && !matches!(rule, AnyPushRuleRef::PostContent(_))
    };
    rules.iter().filter(of_server).map(said).eq(default.iter().filter(of_server).map(said))
}

/// What the rules about threads come to; `None`: something else than what they are for.
fn thread_rules(rules: &Ruleset) -> Option<ThreadRules> {
    let mut found = ThreadRules::default();
    for rule in rules.postcontent.iter().filter(|rule| rule.enabled) {
        let highlights = rule.actions.iter().any(Action::is_highlight);
        match (PredefinedUnderrideRuleId::from(rule.rule_id.as_str()), notifies(&rule.actions)) {
            (PredefinedUnderrideRuleId::UnsubscribedThread, false) => found.silences_others = true,
            (PredefinedUnderrideRuleId::SubscribedThread, true) if !highlights => {
                found.tells_subscribed = true;
            }
            _ => return None,
        }
    }
    Some(found)
}

fn said(rule: AnyPushRuleRef<'_>) -> (&str, bool, bool, bool) {
    let actions = rule.actions();
    let highlights = notifies(actions) && actions.iter().any(Action::is_highlight);
    (rule.rule_id(), rule.enabled(), notifies(actions), highlights)
}

fn notifies(actions: &[Action]) -> bool {
    actions.iter().any(Action::should_notify)
}

/// The only room in which a rule can match.
fn named_room(rule: &ConditionalPushRule) -> Option<String> {
    rule.conditions.iter().find_map(|condition| match condition {
        PushCondition::EventMatch(condition) if condition.key == "room_id" => {
            let pattern = &condition.pattern;
            let is_literal = pattern.is_ascii() && !pattern.contains(['*', '?']);
            is_literal.then(|| pattern.to_ascii_lowercase())
        }
        _ => None,
    })
}
