//! What notifies a user, prepared for many rooms.
//!
//! Owns: a user's ruleset and ignore list at one moment. Does not own: how they are stored and changed.

use std::collections::BTreeSet;

use plop_accounts::ignored_users::{self, IgnoredUsers};
use plop_accounts::push_rules::{self, PushRules};
use plop_accounts::schema::{AccountData, AccountDataRow};
use plop_db::{Position, ReadError, Snapshot};
use plop_rooms::RoomView;
use plop_state::push::{InRoom, RulesByRoom};
use ruma::push::{AnyPushRuleRef, PushCondition, Ruleset};
use ruma::{OwnedUserId, UserId};

/// Ignored users who are looked for in a room; with more, the events themselves are looked at.
const MAX_LOOKED_FOR: usize = 32;

/// When the rules and the ignore list changed last.
pub type Version = (Option<Position>, Option<Position>);

/// A user's ruleset and ignore list.
#[derive(Debug)]
pub struct UserRules {
    pub version: Version,
    pub rules: Ruleset,
    pub ignored: BTreeSet<OwnedUserId>,
    /// Whether a rule asks for the user's display name.
    pub asks_name: bool,
    by_room: RulesByRoom,
}

/// The rows that they are made of.
pub struct Rows {
    rules: Option<AccountDataRow>,
    ignored: Option<AccountDataRow>,
}

impl Rows {
    /// Reads them. They may be newer than the snapshot's position.
    pub async fn read(snapshot: &Snapshot, user: &UserId) -> Result<Self, ReadError> {
        let keys = [push_rules::account_data_key(user), ignored_users::account_data_key(user)];
        let mut rows = snapshot.get_many::<AccountData>(&keys).await?.into_iter();
        Ok(Self { rules: rows.next().flatten(), ignored: rows.next().flatten() })
    }

    /// What the rules made of these rows have.
    pub fn version(&self) -> Version {
        let position = |row: &Option<AccountDataRow>| row.as_ref().map(|row| row.position);
        (position(&self.rules), position(&self.ignored))
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
        let asks_name = rules.iter().any(asks_name);
        Self { version, rules, ignored, asks_name, by_room }
    }

    /// What they come to in a room.
    pub fn in_room(&self, view: &RoomView) -> InRoom {
        let found = self.by_room.in_room(&view.id);
        if found != InRoom::Silent && self.ignores_someone_in(view) { InRoom::Own } else { found }
    }

    fn ignores_someone_in(&self, view: &RoomView) -> bool {
        self.ignored.len() > MAX_LOOKED_FOR
            || self.ignored.iter().any(|user| view.members.get(user).is_some())
    }
}

#[expect(deprecated, reason = "users may still have rules with contains_display_name")]
fn asks_name(rule: AnyPushRuleRef<'_>) -> bool {
    let (AnyPushRuleRef::Override(rule) | AnyPushRuleRef::Underride(rule)) = rule else { return false };
    rule.enabled
        && rule.conditions.iter().any(|condition| matches!(condition, PushCondition::ContainsDisplayName))
}
