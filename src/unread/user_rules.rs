//! What notifies a user, prepared for many rooms.
//!
//! Owns: a user's ruleset and ignore list at one moment. Does not own: how they are stored and changed.

use std::collections::BTreeSet;

use plop_accounts::ignored_users::{self, IgnoredUsers};
use plop_accounts::push_rules::{self, PushRules};
use plop_accounts::schema::{AccountData, AccountDataRow, ThreadSubscriptionTotalsRow};
use plop_accounts::thread_subscriptions::thread_subscription_totals;
use plop_db::{Position, ReadError, Snapshot};
use plop_rooms::RoomView;
use plop_state::push::{InRoom, RulesByRoom, ThreadRules};
use ruma::push::{AnyPushRuleRef, PushCondition, Ruleset};
use ruma::{OwnedUserId, UserId};

/// Ignored users who are looked for in a room; with more, the events themselves are looked at.
const MAX_LOOKED_FOR: usize = 32;

/// When the rules, the ignore list and the thread subscriptions changed last.
pub type Version = (Option<Position>, Option<Position>, Option<Position>);

/// A user's ruleset and ignore list, and whether it depends on threads that they subscribed to.
#[derive(Debug)]
pub struct UserRules {
    pub version: Version,
    pub rules: Ruleset,
    pub ignored: BTreeSet<OwnedUserId>,
    /// Whether a rule asks for the user's display name.
    pub asks_name: bool,
    /// Whether a rule asks for the user's thread subscriptions, and there may be any.
    pub asks_subscriptions: bool,
    by_room: RulesByRoom,
}

/// The rows that they are made of.
pub struct Rows {
    rules: Option<AccountDataRow>,
    ignored: Option<AccountDataRow>,
    threads: Option<ThreadSubscriptionTotalsRow>,
}

impl Rows {
    /// Reads them. They may be newer than the snapshot's position.
    pub async fn read(snapshot: &Snapshot, user: &UserId) -> Result<Self, ReadError> {
        let keys = [push_rules::account_data_key(user), ignored_users::account_data_key(user)];
        let mut rows = snapshot.get_many::<AccountData>(&keys).await?.into_iter();
        let threads = thread_subscription_totals(snapshot, user).await?;
        Ok(Self { rules: rows.next().flatten(), ignored: rows.next().flatten(), threads })
    }

    /// What the rules made of these rows have.
    pub fn version(&self) -> Version {
        let position = |row: &Option<AccountDataRow>| row.as_ref().map(|row| row.position);
        (position(&self.rules), position(&self.ignored), self.threads.map(|row| row.changed))
    }
}

impl UserRules {
    pub fn new(rows: Rows, user: &UserId) -> Self {
        let version = rows.version();
        let rules = PushRules::of_row(rows.rules, user).rules;
        let mut ignored = IgnoredUsers::of_row(rows.ignored).users;
        // Nobody is spared their own events' marks by ignoring themselves.
        ignored.remove(user);
        let by_room = RulesByRoom::new(&rules, user);
        let asks_name = rules.iter().any(|rule| asks(rule, is_about_name));
        let asks_subscriptions =
            rows.threads.is_some() && rules.iter().any(|rule| asks(rule, is_about_thread));
        Self { version, rules, ignored, asks_name, asks_subscriptions, by_room }
    }

    /// What they come to in a room.
    pub fn in_room(&self, view: &RoomView) -> InRoom {
        let found = self.by_room.in_room(&view.id);
        if found != InRoom::Silent && self.ignores_someone_in(view) { InRoom::Own } else { found }
    }

    /// What they say of threads.
    pub fn threads(&self) -> ThreadRules {
        self.by_room.threads()
    }

    fn ignores_someone_in(&self, view: &RoomView) -> bool {
        self.ignored.len() > MAX_LOOKED_FOR
            || self.ignored.iter().any(|user| view.members.get(user).is_some())
    }
}

/// Whether a rule has a condition of a kind.
fn asks(rule: AnyPushRuleRef<'_>, is_about: fn(&PushCondition) -> bool) -> bool {
    let (AnyPushRuleRef::Override(rule)
    | AnyPushRuleRef::PostContent(rule)
    | AnyPushRuleRef::Underride(rule)) = rule
    else {
        return false;
    };
    rule.enabled && rule.conditions.iter().any(is_about)
}

#[expect(deprecated, reason = "users may still have rules with contains_display_name")]
fn is_about_name(condition: &PushCondition) -> bool {
    matches!(condition, PushCondition::ContainsDisplayName)
}

fn is_about_thread(condition: &PushCondition) -> bool {
    matches!(condition, PushCondition::ThreadSubscription(_))
}
