//! Tags of rooms: the `m.tag` account data of a room, one tag at a time (client-server API, "Room Tagging").

use plop_base::Actor;
use ruma::{RoomId, UserId};
use serde_json::{Map, Value};

use crate::account_data::{AccountDataError, Subject};
use crate::accounts::Accounts;

/// Longest name of a tag (client-server API, "Room Tagging").
pub const MAX_TAG_BYTES: usize = 255;

/// Most tags of one room. People see three of them, and make a few.
pub const MAX_TAGS: usize = 100;

const KIND: &str = "m.tag";

/// Why a tag is not written.
#[derive(Debug, thiserror::Error)]
pub enum TagError {
    #[error("the name of the tag is empty or longer than {MAX_TAG_BYTES} bytes")]
    InvalidName,
    #[error("the order is not a number from 0 to 1")]
    InvalidOrder,
    #[error("the room has {MAX_TAGS} tags already")]
    TooMany,
    #[error(transparent)]
    AccountData(#[from] AccountDataError),
}

impl Accounts {
    /// The tags of a room, by name.
    pub async fn tags(
        &self,
        actor: &Actor,
        user: &UserId,
        room: &RoomId,
    ) -> Result<Map<String, Value>, TagError> {
        let content = self.account_data(actor, &subject(user, room)).await?;
        let content = content.and_then(|content| serde_json::from_str(&content).ok());
        Ok(tags_in(&content.unwrap_or_default()))
    }

    /// Adds a tag, or changes what it says.
    pub async fn set_tag(
        &self,
        actor: &Actor,
        user: &UserId,
        room: &RoomId,
        tag: &str,
        info: &Map<String, Value>,
    ) -> Result<(), TagError> {
        check_name(tag)?;
        let valid = |order: &Value| order.as_f64().is_some_and(|order| (0.0..=1.0).contains(&order));
        if info.get("order").is_some_and(|order| !valid(order)) {
            return Err(TagError::InvalidOrder);
        }
        let info = Value::Object(info.clone());
        let add = |tags: &mut Map<String, Value>| {
            if tags.len() >= MAX_TAGS && !tags.contains_key(tag) {
                return Err(TagError::TooMany);
            }
            tags.insert(tag.to_owned(), info);
            Ok(())
        };
        self.change_tags(actor, user, room, add).await
    }

    /// Removes a tag; one that is not there is removed already.
    pub async fn remove_tag(
        &self,
        actor: &Actor,
        user: &UserId,
        room: &RoomId,
        tag: &str,
    ) -> Result<(), TagError> {
        check_name(tag)?;
        let remove = |tags: &mut Map<String, Value>| {
            tags.remove(tag);
            Ok(())
        };
        self.change_tags(actor, user, room, remove).await
    }

    async fn change_tags(
        &self,
        actor: &Actor,
        user: &UserId,
        room: &RoomId,
        change: impl FnOnce(&mut Map<String, Value>) -> Result<(), TagError>,
    ) -> Result<(), TagError> {
        let change = |content: Option<Map<String, Value>>| {
            let mut content = content.unwrap_or_default();
            let mut tags = tags_in(&content);
            change(&mut tags)?;
            content.insert("tags".to_owned(), Value::Object(tags));
            Ok(content)
        };
        self.change_account_data(actor, &subject(user, room), change).await
    }
}

fn subject<'a>(user: &'a UserId, room: &'a RoomId) -> Subject<'a> {
    Subject { user, room: Some(room), kind: KIND }
}

/// Clients may write `m.tag` as a whole, so anything may stand there.
fn tags_in(content: &Map<String, Value>) -> Map<String, Value> {
    content.get("tags").and_then(Value::as_object).cloned().unwrap_or_default()
}

fn check_name(tag: &str) -> Result<(), TagError> {
    if (1..=MAX_TAG_BYTES).contains(&tag.len()) { Ok(()) } else { Err(TagError::InvalidName) }
}
