//! The rules that every user has.
//!
//! Owns: the default ruleset of this server, and how it is put into a ruleset that was stored some time ago. Does not own: what the rules say.
//!
//! Invariants: the rules are those of the specification, with those of MSC3930 and MSC4306. Of the latter the one that silences threads nobody
//! subscribed to is off until a user switches it on: a client that knows no subscriptions would never hear of a thread again
//! (`docs/decisions/0061-unsubscribed-threads-notify.md`).

use std::mem;

use ruma::UserId;
use ruma::push::{PredefinedUnderrideRuleId, RuleKind, Ruleset};

/// The default ruleset of a user.
pub fn default_rules(user: &UserId) -> Ruleset {
    let mut rules = Ruleset::server_default(user);
    let silencing = PredefinedUnderrideRuleId::UnsubscribedThread;
    // Where ruma does not know the rule there is nothing to switch off.
    let _is_known = rules.set_enabled(RuleKind::PostContent, &silencing, false).is_ok();
    rules
}

/// A stored ruleset with the server's rules of today, each as enabled and with the actions that the user gave it.
pub fn with_default_rules(mut stored: Ruleset, user: &UserId) -> Ruleset {
    let mut default = default_rules(user);
    // ruma's update knows nothing of this kind, of which users have no rules of their own.
    let kept = mem::take(&mut stored.postcontent);
    let mut postcontent = mem::take(&mut default.postcontent);
    for rule in kept.into_iter().filter(|rule| rule.default) {
        if let Some(mut today) = postcontent.get(rule.rule_id.as_str()).cloned() {
            (today.enabled, today.actions) = (rule.enabled, rule.actions);
            postcontent.replace(today);
        }
    }
    stored.update_with_server_default(default);
    stored.postcontent = postcontent;
    stored
}
