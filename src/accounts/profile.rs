//! Profiles of local users (client-server API, "Profiles").
//!
//! Owns: reading and writing the fields. Does not own: the member events that a changed name or picture leads to (rooms follow:
//! [`crate::member_updates`]), who may look (the edge).
//!
//! Invariants: a stored field is valid JSON under a valid name; `displayname` and `avatar_url` are non-empty strings; all fields of a user
//! together are below [`MAX_PROFILE_BYTES`].

use std::collections::BTreeMap;

use plop_base::Actor;
use plop_db::codec::Tail;
use plop_db::{Batch, KeyRange, ReadError, Snapshot};
use ruma::{MxcUri, OwnedUserId, UserId};
use serde_json::Value;

use crate::accounts::Accounts;
use crate::authority::{Forbidden, acting_for};
use crate::directory_updates::note_directory_update;
use crate::error::StoreError;
use crate::member_updates::note_member_update;
use crate::rows::all_rows;
use crate::schema::{Profiles, Users};

/// A profile must be smaller, as JSON (`PUT /profile/{userId}/{keyName}`).
pub const MAX_PROFILE_BYTES: usize = 64 << 10;
/// Longest name of a field (the same).
pub const MAX_FIELD_NAME_BYTES: usize = 255;
/// Longest display name: it is copied into each member event, next to what else they hold.
pub const MAX_DISPLAY_NAME_BYTES: usize = 1_024;
/// Longest URI of a picture, for the same reason.
pub const MAX_AVATAR_URL_BYTES: usize = 1_024;

const DISPLAY_NAME: &str = "displayname";
const AVATAR_URL: &str = "avatar_url";
const TIME_ZONE: &str = "m.tz";

/// What member events carry of a profile.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemberProfile {
    pub displayname: Option<String>,
    pub avatar_url: Option<String>,
}

/// The name and picture of a local user; nothing for a user who has none or is not of this server.
pub async fn member_profile(snapshot: &Snapshot, user: &UserId) -> Result<MemberProfile, ReadError> {
    let found = member_profiles(snapshot, &[user.to_owned()]).await?.pop();
    Ok(found.unwrap_or_default())
}

/// The names and pictures of users, in their order, with one read.
pub async fn member_profiles(
    snapshot: &Snapshot,
    users: &[OwnedUserId],
) -> Result<Vec<MemberProfile>, ReadError> {
    let of_user =
        |user: &OwnedUserId| [DISPLAY_NAME, AVATAR_URL].map(|field| (user.clone(), field.to_owned()));
    let keys: Vec<_> = users.iter().flat_map(of_user).collect();
    let mut fields = snapshot.get_many::<Profiles>(&keys).await?.into_iter().map(|field| {
        let value = serde_json::from_str::<Value>(&field?.0).ok()?;
        value.as_str().map(ToOwned::to_owned)
    });
    let mut next = || fields.next().flatten();
    Ok(users.iter().map(|_| MemberProfile { displayname: next(), avatar_url: next() }).collect())
}

/// Whether a change of this field changes member events, and what is seen with a user's presence.
pub fn is_in_member_events(field: &str) -> bool {
    matches!(field, DISPLAY_NAME | AVATAR_URL)
}

/// Why a profile is not changed.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error("there is no such user")]
    NoUser,
    /// A field other than the display name.
    #[error("guests may only change their display name")]
    Guest,
    #[error("the account is suspended")]
    Suspended,
    #[error("not a valid name of a profile field")]
    InvalidField,
    #[error("the name of the field is longer than {MAX_FIELD_NAME_BYTES} bytes")]
    FieldNameTooLong,
    /// Of the wrong type for this field, or too long for it.
    #[error("not a valid value of this field")]
    InvalidValue,
    #[error("the profile would have {MAX_PROFILE_BYTES} bytes or more")]
    TooLarge,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Accounts {
    /// All fields, as JSON texts; `None` when there is no such user.
    pub async fn profile(&self, user: &UserId) -> Result<Option<BTreeMap<String, String>>, ReadError> {
        let snapshot = self.snapshot();
        if self.active_user(&snapshot, user).await?.is_none() {
            return Ok(None);
        }
        let fields = fields(&snapshot, &user.to_owned()).await?;
        Ok(Some(fields.into_iter().map(|((_, name), Tail(value))| (name, value)).collect()))
    }

    /// One field, as JSON text; `None` when it is not set or there is no such user.
    pub async fn profile_field(&self, user: &UserId, field: &str) -> Result<Option<String>, ReadError> {
        let value = self.snapshot().get::<Profiles>(&(user.to_owned(), field.to_owned())).await?;
        Ok(value.map(|Tail(value)| value))
    }

    /// Sets a field. An empty name or picture is none.
    pub async fn set_profile_field(
        &self,
        actor: &Actor,
        user: &UserId,
        field: &str,
        value: &Value,
    ) -> Result<(), ProfileError> {
        check_field_name(field)?;
        check_value(field, value)?;
        let is_none = is_in_member_events(field) && value.as_str() == Some("");
        self.write_field(actor, user, field, (!is_none).then(|| value.to_string())).await
    }

    /// Removes a field; one that is not set is removed already.
    pub async fn delete_profile_field(
        &self,
        actor: &Actor,
        user: &UserId,
        field: &str,
    ) -> Result<(), ProfileError> {
        check_field_name(field)?;
        self.write_field(actor, user, field, None).await
    }

    async fn write_field(
        &self,
        actor: &Actor,
        user: &UserId,
        field: &str,
        value: Option<String>,
    ) -> Result<(), ProfileError> {
        acting_for(actor, user)?;
        // Client-server API, "Guest access".
        if actor.is_guest() && field != DISPLAY_NAME {
            return Err(ProfileError::Guest);
        }
        let user = user.to_owned();
        let guard = self.parts().user_guards.lock(user.as_str()).await;
        let snapshot = self.snapshot();
        let row = self.active_user(&snapshot, &user).await.map_err(StoreError::from)?;
        let row = row.ok_or(ProfileError::NoUser)?;
        if row.suspended {
            return Err(ProfileError::Suspended);
        }
        let mut batch = Batch::durable();
        batch.expect::<Users>(&user, Some(&row));
        let key = (user.clone(), field.to_owned());
        match value {
            None => batch.delete::<Profiles>(&key),
            Some(value) => {
                let present = fields(&snapshot, &user).await.map_err(StoreError::from)?;
                let others = present.iter().filter(|((_, name), _)| name != field);
                let others: usize = others.map(|((_, name), Tail(value))| written(name, value)).sum();
                // With the braces; one comma less than fields.
                if others + written(field, &value) + 1 >= MAX_PROFILE_BYTES {
                    return Err(ProfileError::TooLarge);
                }
                batch.put::<Profiles>(&key, &Tail(value));
            }
        }
        // Rooms follow in the server's name, which everybody hears.
        if is_in_member_events(field) && actor.reaches_others() {
            note_member_update(&mut batch, &user);
        }
        if field == DISPLAY_NAME {
            note_directory_update(&mut batch, &user);
        }
        self.parts().db.commit_under(guard, batch).await.map_err(StoreError::from)?;
        Ok(())
    }
}

/// The name and the picture of the server's own user. Their lengths are the configuration's to check.
pub(crate) fn put_member_profile(batch: &mut Batch, user: &OwnedUserId, profile: &MemberProfile) {
    for (field, value) in [(DISPLAY_NAME, &profile.displayname), (AVATAR_URL, &profile.avatar_url)] {
        let key = (user.clone(), field.to_owned());
        match value {
            Some(value) => batch.put::<Profiles>(&key, &Tail(Value::from(value.as_str()).to_string())),
            None => batch.delete::<Profiles>(&key),
        }
    }
}

/// The display name of a new account; an empty one is none. Its length is the caller's to check.
pub(crate) fn put_display_name(batch: &mut Batch, user: &OwnedUserId, name: String) {
    if !name.is_empty() {
        let key = (user.clone(), DISPLAY_NAME.to_owned());
        batch.put::<Profiles>(&key, &Tail(Value::String(name).to_string()));
    }
}

async fn fields(
    snapshot: &Snapshot,
    user: &OwnedUserId,
) -> Result<Vec<((OwnedUserId, String), Tail<String>)>, ReadError> {
    all_rows(snapshot, KeyRange::<Profiles>::prefix(user)).await
}

/// Bytes of a field in the profile: quotes, colon and comma with it.
fn written(name: &str, value: &str) -> usize {
    name.len() + value.len() + 4
}

/// One of the defined names, or a custom one in the Common Namespaced Identifier Grammar with a namespace.
fn check_field_name(field: &str) -> Result<(), ProfileError> {
    if field.len() > MAX_FIELD_NAME_BYTES {
        return Err(ProfileError::FieldNameTooLong);
    }
    if matches!(field, DISPLAY_NAME | AVATAR_URL | TIME_ZONE) {
        return Ok(());
    }
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
    let starts_well = field.starts_with(|first: char| first.is_ascii_lowercase());
    if starts_well && field.contains('.') && field.bytes().all(allowed) {
        Ok(())
    } else {
        Err(ProfileError::InvalidField)
    }
}

fn check_value(field: &str, value: &Value) -> Result<(), ProfileError> {
    let valid = match (field, value) {
        (DISPLAY_NAME, Value::String(name)) => name.len() <= MAX_DISPLAY_NAME_BYTES,
        (AVATAR_URL, Value::String(uri)) => {
            // A text without a scheme, which other servers take as well, leads nobody anywhere; another scheme would lead to a stranger's server.
            let is_harmless = !uri.contains(':') || <&MxcUri>::from(uri.as_str()).validate().is_ok();
            is_harmless && uri.len() <= MAX_AVATAR_URL_BYTES
        }
        (TIME_ZONE, Value::String(zone)) => is_time_zone(zone),
        (DISPLAY_NAME | AVATAR_URL | TIME_ZONE, _) => false,
        _ => true,
    };
    if valid { Ok(()) } else { Err(ProfileError::InvalidValue) }
}

/// Whether it has the form of an IANA identifier, known or not (theory file of the database: at most 14 characters a part).
fn is_time_zone(zone: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'+');
    !zone.is_empty() && zone.len() <= MAX_FIELD_NAME_BYTES && zone.bytes().all(allowed)
}
