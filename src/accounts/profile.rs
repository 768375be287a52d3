//! Profiles of local users (client-server API, "Profiles").
//!
//! Owns: reading the fields. Invariants: a stored field is valid JSON.

use plop_db::{ReadError, Snapshot};
use ruma::UserId;
use serde_json::Value;

use crate::schema::Profiles;

/// What member events carry of a profile.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemberProfile {
    pub displayname: Option<String>,
    pub avatar_url: Option<String>,
}

/// The name and picture of a local user; nothing for a user who has none or is not of this server.
pub async fn member_profile(snapshot: &Snapshot, user: &UserId) -> Result<MemberProfile, ReadError> {
    let keys = ["displayname", "avatar_url"].map(|field| (user.to_owned(), field.to_owned()));
    let mut fields = snapshot.get_many::<Profiles>(&keys).await?.into_iter().map(|field| {
        let value = serde_json::from_str::<Value>(&field?.0).ok()?;
        value.as_str().map(ToOwned::to_owned)
    });
    Ok(MemberProfile { displayname: fields.next().flatten(), avatar_url: fields.next().flatten() })
}
