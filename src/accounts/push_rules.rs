//! Push rules of users (client-server API, "Push Rules: API"), kept as their account data `m.push_rules`.
//!
//! Owns: reading a ruleset, and one change at a time. Does not own: what may be changed and where a rule goes ([`plop_state::push::edit`]),
//! what the rules say about an event.
//!
//! Invariants: a user without a row has the default ruleset. What is read always has the server's rules of this version, each as enabled
//! and with the actions that the user gave it, so a new one needs no rewriting of rows. Two changes at once are made one after the other.

use plop_base::Actor;
use plop_db::{Position, ReadError, Snapshot};
use plop_state::push::edit::{self, EditError};
use plop_state::push::{default_rules, with_default_rules};
use ruma::UserId;
use ruma::push::{Action, AnyPushRule, NewPushRule, RuleKind, Ruleset};
use serde_json::{Map, Value};

use crate::account_data::{AccountDataError, Subject};
use crate::accounts::Accounts;
use crate::authority::acting_for;
use crate::error::StoreError;
use crate::schema::{AccountData, AccountDataRow};

/// The type of the account data.
pub const KIND: &str = "m.push_rules";

/// The one scope of rules.
const GLOBAL: &str = "global";
/// The kinds of rules (client-server API, "Push Rules").
const KINDS: [&str; 5] = ["override", "content", "room", "sender", "underride"];

/// Why a push rule is not read or written.
#[derive(Debug, thiserror::Error)]
pub enum PushRuleError {
    /// [`EditError::NotFound`] also where a rule that is asked for is not there.
    #[error(transparent)]
    Edit(#[from] EditError),
    #[error(transparent)]
    AccountData(#[from] AccountDataError),
}

/// A user's ruleset at one moment.
#[derive(Debug, Clone)]
pub struct PushRules {
    pub rules: Ruleset,
    /// When the user changed it last; `None` for one who never did, and has the default ruleset.
    pub changed: Option<Position>,
}

impl PushRules {
    /// The ruleset of a user with this row of account data.
    pub fn of_row(row: Option<AccountDataRow>, user: &UserId) -> Self {
        let content = row.as_ref().and_then(|row| serde_json::from_str(&row.content.0).ok());
        Self { rules: of_content(content, user), changed: row.map(|row| row.position) }
    }

    /// The ruleset as clients get it: with every kind, also those of which there is no rule. All servers answer so, and some clients rely on it.
    pub fn ruleset(&self) -> Value {
        ruleset_of(&self.rules)
    }

    /// The content of `m.push_rules` as it is now, for a full answer of /sync, also to a user without a row, and in the place of what a row
    /// says, which may lack rules that the server has by default since.
    pub fn content(&self) -> Map<String, Value> {
        content_of(&self.rules)
    }
}

/// The ruleset of a user, as all who evaluate it read it. It may be newer than the snapshot's position.
pub async fn push_rules(snapshot: &Snapshot, user: &UserId) -> Result<PushRules, ReadError> {
    Ok(PushRules::of_row(snapshot.get::<AccountData>(&account_data_key(user)).await?, user))
}

/// Where a user's ruleset is.
pub fn account_data_key(user: &UserId) -> <AccountData as plop_db::Keyspace>::Key {
    (user.to_owned(), None, KIND.to_owned())
}

impl Accounts {
    /// All rules of the actor's.
    pub async fn push_rules(&self, actor: &Actor, user: &UserId) -> Result<PushRules, PushRuleError> {
        acting_for(actor, user).map_err(AccountDataError::from)?;
        let read = push_rules(&self.snapshot(), user).await;
        Ok(read.map_err(|error| AccountDataError::from(StoreError::from(error)))?)
    }

    /// One rule, with its actions and whether it is enabled.
    pub async fn push_rule(
        &self,
        actor: &Actor,
        user: &UserId,
        kind: RuleKind,
        id: &str,
    ) -> Result<AnyPushRule, PushRuleError> {
        let rules = self.push_rules(actor, user).await?.rules;
        Ok(rules.get(kind, id).ok_or(EditError::NotFound)?.to_owned())
    }

    /// Adds or replaces a rule ([`edit::put`]).
    pub async fn put_push_rule(
        &self,
        actor: &Actor,
        user: &UserId,
        rule: &NewPushRule,
        after: Option<&str>,
        before: Option<&str>,
    ) -> Result<(), PushRuleError> {
        self.change_push_rules(actor, user, |rules| edit::put(rules, rule.clone(), after, before)).await
    }

    /// Deletes a rule of the user's own.
    pub async fn delete_push_rule(
        &self,
        actor: &Actor,
        user: &UserId,
        kind: RuleKind,
        id: &str,
    ) -> Result<(), PushRuleError> {
        self.change_push_rules(actor, user, |rules| edit::remove(rules, kind, id)).await
    }

    /// Enables or disables a rule, the server's included.
    pub async fn set_push_rule_enabled(
        &self,
        actor: &Actor,
        user: &UserId,
        kind: RuleKind,
        id: &str,
        enabled: bool,
    ) -> Result<(), PushRuleError> {
        self.change_push_rules(actor, user, |rules| edit::set_enabled(rules, kind, id, enabled)).await
    }

    /// Replaces the actions of a rule, the server's included.
    pub async fn set_push_rule_actions(
        &self,
        actor: &Actor,
        user: &UserId,
        kind: RuleKind,
        id: &str,
        actions: Vec<Action>,
    ) -> Result<(), PushRuleError> {
        self.change_push_rules(actor, user, |rules| edit::set_actions(rules, kind, id, actions)).await
    }

    async fn change_push_rules(
        &self,
        actor: &Actor,
        user: &UserId,
        change: impl FnOnce(&Ruleset) -> Result<Ruleset, EditError>,
    ) -> Result<(), PushRuleError> {
        let subject = Subject { user, room: None, kind: KIND };
        let change = |content| Ok::<_, PushRuleError>(content_of(&change(&of_content(content, user))?));
        self.change_account_data(actor, &subject, change).await
    }
}

/// The ruleset of a stored content. One that cannot be read was not written by us: as if it were not there.
fn of_content(content: Option<Map<String, Value>>, user: &UserId) -> Ruleset {
    let stored = content.and_then(|mut content| content.remove(GLOBAL));
    let stored = stored.and_then(|rules| serde_json::from_value::<Ruleset>(rules).ok());
    stored.map_or_else(|| default_rules(user), |rules| with_default_rules(rules, user))
}

fn content_of(rules: &Ruleset) -> Map<String, Value> {
    Map::from_iter([(GLOBAL.to_owned(), ruleset_of(rules))])
}

fn ruleset_of(rules: &Ruleset) -> Value {
    // Rules are made of strings, numbers and booleans: writing them does not fail.
    let mut ruleset = serde_json::to_value(rules).unwrap_or_default();
    if let Some(kinds) = ruleset.as_object_mut() {
        for kind in KINDS {
            kinds.entry(kind).or_insert_with(|| Value::Array(Vec::new()));
        }
    }
    ruleset
}
