//! Pushers: where a user's devices want to be woken (client-server API, "Push Notifications").
//!
//! Owns: the rows, what a pusher may be, which pushers go with a device or with another user's claim to the same one. Does not own: which events are
//! pushed and what is sent.
//!
//! Invariants: a pusher belongs to one user and, unless an application service made it, to one device, and goes with it, in its batch; it is a row under
//! its user, so who sends reads all pushers of a user in one scan of at most [`MAX_PUSHERS`]. Who has a push key is in the owners of it, written and deleted together
//! with the pusher. The guard of a push key is taken before that of a user; a user's pusher is made or changed under both, so it is never left behind
//! by a device that ends meanwhile, and taken away by who claims the push key under the first.

use plop_base::{Actor, UnixMillis};
use plop_db::codec::Tail;
use plop_db::{Batch, Direction, KeyRange, Position, ReadError, Snapshot};
use ruma::{OwnedDeviceId, OwnedUserId, UserId};
use serde_json::{Map, Value};

use crate::accounts::Accounts;
use crate::authority::{Forbidden, own_account};
use crate::error::StoreError;
use crate::rows::all_rows;
use crate::schema::{Devices, PusherOwners, PusherRow, Pushers, Users};

/// Most pushers of one user: some for each app on each device.
pub const MAX_PUSHERS: usize = 100;
/// Most users who have the same pusher: those whom one app on one device is logged in as.
pub const MAX_OWNERS: usize = 100;
/// Longest push key (`POST /pushers/set`).
pub const MAX_PUSH_KEY_BYTES: usize = 512;
/// Longest id of an app (`POST /pushers/set`).
pub const MAX_APP_ID_CHARACTERS: usize = 64;
/// Longest name, profile tag or language.
pub const MAX_TEXT_BYTES: usize = 1_024;
/// Most data, as JSON text: addresses, keys, and what an app shows by itself.
pub const MAX_PUSHER_DATA_BYTES: usize = 8_192;

/// The path of every push gateway (push gateway API).
const GATEWAY_PATH: &str = "_matrix/push/v1/notify";

/// What tells one pusher of a user from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PusherId {
    /// Of the app, in reverse-DNS style.
    pub app: String,
    /// The address of the app on the device, for its push provider. It is no secret, but who knows it can claim it.
    pub push_key: String,
}

/// What a client says of a pusher that sends to a push gateway.
#[derive(Clone, Debug)]
pub struct NewPusher {
    pub id: PusherId,
    pub app_display_name: String,
    pub device_display_name: String,
    pub profile_tag: Option<String>,
    pub lang: String,
    /// The gateway's `url`, and what the gateway gets.
    pub data: Map<String, Value>,
    /// Whether anything is sent (MSC3881); `None` is yes. Who says it may be another device than the one that is woken.
    pub enabled: Option<bool>,
    /// Other users keep the pusher of this id.
    pub append: bool,
}

/// A pusher of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pusher {
    pub id: PusherId,
    pub row: PusherRow,
}

/// Why a pusher is not set.
#[derive(Debug, thiserror::Error)]
pub enum PusherError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error("the id of an app has 1 to {MAX_APP_ID_CHARACTERS} characters")]
    InvalidApp,
    #[error("a push key has 1 to {MAX_PUSH_KEY_BYTES} bytes")]
    InvalidPushKey,
    #[error("names, profile tag and language have at most {MAX_TEXT_BYTES} bytes")]
    TextTooLong,
    #[error("the data is larger than {MAX_PUSHER_DATA_BYTES} bytes")]
    DataTooLarge,
    #[error("the data has no `url`")]
    NoUrl,
    #[error("the `url` of a push gateway begins with https:// and has the path /{GATEWAY_PATH}")]
    InvalidUrl,
    #[error("the user has {MAX_PUSHERS} pushers already, or {MAX_OWNERS} users have this one")]
    TooMany,
    /// Its session has ended meanwhile.
    #[error("there is no such device")]
    NoDevice,
    #[error("there is no such account")]
    NoAccount,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ReadError> for PusherError {
    fn from(error: ReadError) -> Self {
        Self::Store(error.into())
    }
}

type PusherKey = (OwnedUserId, String, String);

impl PusherId {
    fn check(&self) -> Result<(), PusherError> {
        if !(1..=MAX_APP_ID_CHARACTERS).contains(&self.app.chars().count()) {
            return Err(PusherError::InvalidApp);
        }
        if !(1..=MAX_PUSH_KEY_BYTES).contains(&self.push_key.len()) {
            return Err(PusherError::InvalidPushKey);
        }
        Ok(())
    }

    fn of_user(&self, user: &UserId) -> PusherKey {
        (user.to_owned(), self.app.clone(), self.push_key.clone())
    }

    /// The beginning of its owners' keys.
    fn prefix(&self) -> (String, String) {
        (self.app.clone(), self.push_key.clone())
    }
}

impl NewPusher {
    /// The data as it is stored, if all of it may be.
    fn check(&self) -> Result<String, PusherError> {
        self.id.check()?;
        let texts = [&self.app_display_name, &self.device_display_name, &self.lang];
        if texts.into_iter().chain(&self.profile_tag).any(|text| text.len() > MAX_TEXT_BYTES) {
            return Err(PusherError::TextTooLong);
        }
        let url = self.data.get("url").and_then(Value::as_str).ok_or(PusherError::NoUrl)?;
        if !is_gateway(url) {
            return Err(PusherError::InvalidUrl);
        }
        let data = Value::Object(self.data.clone()).to_string();
        if data.len() > MAX_PUSHER_DATA_BYTES { Err(PusherError::DataTooLarge) } else { Ok(data) }
    }
}

impl Accounts {
    /// The actor's pushers, in the order of their ids.
    pub async fn pushers(&self, actor: &Actor) -> Result<Vec<Pusher>, PusherError> {
        Ok(pushers(&self.snapshot(), own_account(actor)?).await?)
    }

    /// Makes a pusher of the actor, or changes the one of this id. Unless it is to be appended, other users lose theirs of this id: the app on
    /// the device has another user now.
    pub async fn set_pusher(&self, actor: &Actor, new: NewPusher) -> Result<(), PusherError> {
        let user = own_account(actor)?;
        let data = new.check()?;
        let parts = self.parts();
        let of_push_key = parts.pusher_guards.lock(&new.id.push_key).await;
        let of_user = parts.user_guards.lock(user.as_str()).await;
        let snapshot = self.snapshot();
        let account = self.active_user(&snapshot, user).await?.ok_or(PusherError::NoAccount)?;
        let device = actor.device_id().map(ToOwned::to_owned);
        if let Some(device) = &device {
            let row = snapshot.get::<Devices>(&(user.to_owned(), device.clone())).await?;
            row.ok_or(PusherError::NoDevice)?;
        }
        let key = new.id.of_user(user);
        let before = snapshot.get::<Pushers>(&key).await?;
        let mut batch = Batch::durable();
        batch.expect::<Users>(&key.0, Some(&account));
        batch.expect::<Pushers>(&key, before.as_ref());
        if before.is_none() {
            check_room(&snapshot, user).await?;
        }
        let owners = owners(&snapshot, &new.id).await?;
        let others = owners.iter().filter(|owner| ***owner != *user);
        if !new.append {
            others.for_each(|other| delete(&mut batch, new.id.of_user(other)));
        } else if before.is_none() && owners.len() >= MAX_OWNERS {
            return Err(PusherError::TooMany);
        }
        let (app, push_key) = new.id.prefix();
        batch.put::<PusherOwners>(&(app, push_key, key.0.clone()), &());
        batch.put::<Pushers>(&key, &row(new, before, device, (data, parts.clock.now())));
        parts.db.commit_under((of_push_key, of_user), batch).await.map_err(StoreError::from)?;
        Ok(())
    }

    /// Deletes a pusher of the actor. One that is not there is deleted already.
    pub async fn delete_pusher(&self, actor: &Actor, id: &PusherId) -> Result<(), PusherError> {
        let key = id.of_user(own_account(actor)?);
        let of_push_key = self.parts().pusher_guards.lock(&id.push_key).await;
        if self.snapshot().get::<Pushers>(&key).await?.is_none() {
            return Ok(());
        }
        let mut batch = Batch::durable();
        delete(&mut batch, key);
        self.parts().db.commit_under(of_push_key, batch).await.map_err(StoreError::from)?;
        Ok(())
    }
}

/// All pushers of a user, at most [`MAX_PUSHERS`], in the order of their ids.
pub async fn pushers(snapshot: &Snapshot, user: &UserId) -> Result<Vec<Pusher>, ReadError> {
    let rows = all_rows(snapshot, KeyRange::<Pushers>::prefix(&user.to_owned())).await?;
    let pusher = |((_, app, push_key), row)| Pusher { id: PusherId { app, push_key }, row };
    Ok(rows.into_iter().map(pusher).collect())
}

/// Deletes the pushers of a user that go with what else the batch deletes. To be called under the user's guard.
pub(crate) async fn delete_pushers(
    snapshot: &Snapshot,
    batch: &mut Batch,
    user: &UserId,
    goes: impl Fn(&PusherRow) -> bool,
) -> Result<(), ReadError> {
    for Pusher { id, row } in pushers(snapshot, user).await? {
        if goes(&row) {
            delete(batch, id.of_user(user));
        }
    }
    Ok(())
}

fn delete(batch: &mut Batch, key: PusherKey) {
    batch.delete::<Pushers>(&key);
    let (user, app, push_key) = key;
    batch.delete::<PusherOwners>(&(app, push_key, user));
}

async fn check_room(snapshot: &Snapshot, user: &UserId) -> Result<(), PusherError> {
    let present = KeyRange::<Pushers>::prefix(&user.to_owned());
    let present = snapshot.scan(present, Direction::Forward, MAX_PUSHERS).await?;
    if present.more || present.rows.len() >= MAX_PUSHERS { Err(PusherError::TooMany) } else { Ok(()) }
}

/// The users who have the pusher of this id.
async fn owners(snapshot: &Snapshot, id: &PusherId) -> Result<Vec<OwnedUserId>, ReadError> {
    let rows = all_rows(snapshot, KeyRange::<PusherOwners>::prefix(&id.prefix())).await?;
    Ok(rows.into_iter().map(|((_, _, user), ())| user).collect())
}

/// A pusher that is enabled or disabled stays with its device: another one of the user's may have said so. Otherwise it is the app on the device itself that
/// sets it, after a new login too.
fn row(
    new: NewPusher,
    before: Option<PusherRow>,
    device: Option<OwnedDeviceId>,
    (data, now): (String, UnixMillis),
) -> PusherRow {
    let since = before.as_ref().map_or(Position::pending(0), |before| before.since);
    let device = match before {
        Some(before) if new.enabled.is_some() => before.device,
        Some(_) | None => device,
    };
    PusherRow {
        since,
        device,
        set: now,
        enabled: new.enabled.unwrap_or(true),
        app_display_name: new.app_display_name,
        device_display_name: new.device_display_name,
        profile_tag: new.profile_tag,
        lang: new.lang,
        data: Tail(data),
    }
}

/// Whether a text is the address of a push gateway. Where it leads is for the guarded client to say, each time that something is sent.
fn is_gateway(url: &str) -> bool {
    let Some((host, path)) = url.strip_prefix("https://").and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    let of_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let of_query = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
    !host.is_empty() && host.bytes().all(of_host) && path == GATEWAY_PATH && query.bytes().all(of_query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_at_its_path_behind_tls() {
        for url in [
            "https://push.example/_matrix/push/v1/notify",
            "https://push.example:8443/_matrix/push/v1/notify",
            "https://[2001:db8::1]/_matrix/push/v1/notify",
            "https://push.example/_matrix/push/v1/notify?token=a%20b",
        ] {
            assert!(is_gateway(url), "{url}");
        }
        for url in [
            "",
            "https://",
            "https:///_matrix/push/v1/notify",
            "http://push.example/_matrix/push/v1/notify",
            "ftp://push.example/_matrix/push/v1/notify",
            "//push.example/_matrix/push/v1/notify",
            "https://push.example/_matrix/push/v1/notify/",
            "https://push.example/_matrix/push/v1/notify#part",
            "https://push.example/_matrix/push/v1/notify?a#part",
            "https://push.example/_matrix/push/v1/../v1/notify",
            "https://push.example/other",
            "https://push.example",
            "https://user:word@push.example/_matrix/push/v1/notify",
            "https://push.example\\@evil.example/_matrix/push/v1/notify",
            "https://push.example\r\nHost: evil/_matrix/push/v1/notify",
            "https://push exam.ple/_matrix/push/v1/notify",
        ] {
            assert!(!is_gateway(url), "{url}");
        }
    }
}
