//! Whose invites a user wants to have (client-server API, "Invite permission"; MSC4155, "Invite filtering").
//!
//! Owns: reading the two kinds of account data in which a user says so. Does not own: refusing invites and ignoring them (rooms), hiding
//! those that stand (sync).
//!
//! Invariants: what is malformed says nothing. Matching is linear in the text, and a user has [`MAX_GLOBS`] patterns with wildcards; those
//! beyond match nobody.

use plop_db::{ReadError, Snapshot};
use plop_state::push::Glob;
use ruma::UserId;
use serde_json::Value;

use crate::schema::AccountData;

/// The types of account data: the one that has lists of users and servers, and the one that blocks every invite.
pub const KINDS: [&str; 2] = ["org.matrix.msc4155.invite_permission_config", "m.invite_permission_config"];
/// Patterns with wildcards that are looked at.
const MAX_GLOBS: usize = 500;

/// What becomes of an invite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvitePermission {
    Allowed,
    /// The inviter is told nothing, the user sees nothing.
    Ignored,
    /// The inviter is refused.
    Blocked,
}

/// The lists in the order in which they are asked, as the MSC's test suite and other servers have it: users before servers.
const LISTS: [(&str, Whose, InvitePermission); 6] = [
    ("allowed_users", Whose::User, InvitePermission::Allowed),
    ("ignored_users", Whose::User, InvitePermission::Ignored),
    ("blocked_users", Whose::User, InvitePermission::Blocked),
    ("allowed_servers", Whose::Server, InvitePermission::Allowed),
    ("ignored_servers", Whose::Server, InvitePermission::Ignored),
    ("blocked_servers", Whose::Server, InvitePermission::Blocked),
];

/// What a list names.
#[derive(Debug, Clone, Copy)]
enum Whose {
    User,
    Server,
}

/// What a local user says of invites.
#[derive(Debug, Default)]
pub struct InviteWishes {
    filter: Value,
    config: Value,
    /// Bytes of both as texts.
    bytes: usize,
}

impl InviteWishes {
    /// As they are now.
    pub async fn of(snapshot: &Snapshot, user: &UserId) -> Result<Self, ReadError> {
        let keys = KINDS.map(|kind| (user.to_owned(), None, kind.to_owned()));
        let mut rows = snapshot.get_many::<AccountData>(&keys).await?.into_iter();
        let mut bytes = 0;
        let mut content = || {
            let row = rows.next().flatten()?;
            bytes += row.content.0.len();
            serde_json::from_str::<Value>(&row.content.0).ok()
        };
        let (filter, config) = (content().unwrap_or_default(), content().unwrap_or_default());
        Ok(Self { filter, config, bytes })
    }

    /// Bytes in memory, roughly: short texts take several times of what they are long.
    pub fn memory(&self) -> usize {
        4 * self.bytes
    }

    /// What becomes of an invite by another. A list that names the other says more than the wish for no invites at all.
    pub fn permission(&self, inviter: &UserId) -> InvitePermission {
        listed(&self.filter, inviter).unwrap_or_else(|| by_default(&self.config))
    }
}

/// [`InviteWishes::permission`], where it is asked once.
pub async fn invite_permission(
    snapshot: &Snapshot,
    user: &UserId,
    inviter: &UserId,
) -> Result<InvitePermission, ReadError> {
    Ok(InviteWishes::of(snapshot, user).await?.permission(inviter))
}

/// What the first list says that names the inviter.
fn listed(filter: &Value, inviter: &UserId) -> Option<InvitePermission> {
    let mut globs = 0;
    LISTS.into_iter().find_map(|(name, whose, permission)| {
        let text = match whose {
            Whose::User => inviter.as_str(),
            Whose::Server => inviter.server_name().as_str(),
        };
        let patterns = filter.get(name)?.as_array()?.iter().filter_map(Value::as_str);
        let mut matches = |pattern: &str| {
            if !pattern.contains(['*', '?']) {
                return pattern == text;
            }
            globs += 1;
            globs <= MAX_GLOBS && Glob::new(pattern).is_some_and(|glob| glob.matches(text.chars()))
        };
        let is_named = patterns.into_iter().any(&mut matches);
        is_named.then_some(permission)
    })
}

/// "A missing, invalid or unsupported value means that the user wants to receive invites as normal."
fn by_default(config: &Value) -> InvitePermission {
    match config.get("default_action").and_then(Value::as_str) {
        Some("block") => InvitePermission::Blocked,
        _ => InvitePermission::Allowed,
    }
}

#[cfg(test)]
mod tests {
    use InvitePermission::{Allowed, Blocked, Ignored};
    use ruma::user_id;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_word_block_blocks_all() {
        assert_eq!(by_default(&json!({ "default_action": "block" })), Blocked);
        for config in [
            json!({}),
            json!({ "default_action": "allow" }),
            json!({ "default_action": ["block"] }),
            json!([]),
        ] {
            assert_eq!(by_default(&config), Allowed, "{config}");
        }
    }

    #[test]
    fn the_first_list_that_names_the_inviter_decides() {
        let bob = user_id!("@bob:evil.example");
        for (filter, expected) in [
            (json!({}), None),
            (json!({ "blocked_users": ["@bob:evil.example"] }), Some(Blocked)),
            (json!({ "blocked_users": ["@bob:evil"] }), None),
            (json!({ "ignored_users": ["@b*"], "blocked_users": ["@bob:evil.example"] }), Some(Ignored)),
            (json!({ "allowed_users": ["@bob:*"], "blocked_servers": ["*"] }), Some(Allowed)),
            (json!({ "blocked_users": ["@bob:*"], "allowed_servers": ["evil.example"] }), Some(Blocked)),
            (json!({ "ignored_servers": ["evil.?xample"], "blocked_servers": ["*"] }), Some(Ignored)),
            (json!({ "allowed_servers": null, "blocked_servers": "evil.example" }), None),
            (json!({ "blocked_servers": [7, {}, "evil.example"] }), Some(Blocked)),
        ] {
            assert_eq!(listed(&filter, bob), expected, "{filter}");
        }
    }

    /// Row 139 of the hostile input: patterns that cost, and too many of them.
    #[test]
    fn row_139_patterns_are_bounded() {
        let bob = user_id!("@bob:evil.example");
        let hard = "*a".repeat(200);
        let mut patterns = vec![json!(hard); MAX_GLOBS];
        patterns.push(json!("*"));
        assert_eq!(listed(&json!({ "blocked_servers": patterns }), bob), None, "the last is one too many");
        patterns.push(json!("evil.example"));
        assert_eq!(listed(&json!({ "blocked_servers": patterns }), bob), Some(Blocked), "names cost nothing");
    }
}
