//! Whether a user wants to be invited at all (client-server API, "Invite permission").
//!
//! Owns: reading `m.invite_permission_config`. Does not own: refusing invites (rooms), keeping them out of sight (sync).

use plop_db::{ReadError, Snapshot};
use ruma::UserId;
use serde_json::Value;

use crate::schema::AccountData;

/// The type of account data in which a user says so.
const CONFIG: &str = "m.invite_permission_config";

/// Whether a local user rejects every invite.
pub async fn blocks_invites(snapshot: &Snapshot, user: &UserId) -> Result<bool, ReadError> {
    let row = snapshot.get::<AccountData>(&(user.to_owned(), None, CONFIG.to_owned())).await?;
    Ok(row.is_some_and(|row| is_block(&row.content.0)))
}

/// "A missing, invalid or unsupported value means that the user wants to receive invites as normal."
fn is_block(content: &str) -> bool {
    let content = serde_json::from_str::<Value>(content).unwrap_or_default();
    content.get("default_action").and_then(Value::as_str) == Some("block")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_block_blocks() {
        assert!(is_block(r#"{"default_action":"block"}"#));
        for content in ["{}", r#"{"default_action":"allow"}"#, r#"{"default_action":["block"]}"#, "[]", ""] {
            assert!(!is_block(content), "{content}");
        }
    }
}
