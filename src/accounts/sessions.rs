//! Sessions: from an access token to the actor, and a new session for a device.
//!
//! Owns: authentication by access token, answered from memory after the first time; when a device was last seen. Does not own: what
//! tokens are ([`crate::tokens`]), how a login is proven.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use plop_base::{Actor, UnixMillis};
use plop_db::{Batch, Guard, KeyRange, ReadError, Snapshot};
use ruma::{DeviceId, OwnedDeviceId, OwnedUserId};
use tokio::sync::Semaphore;

use crate::accounts::Accounts;
use crate::device_rows::{make_room, new_device};
use crate::error::StoreError;
use crate::schema::{
    AccessTokenRow, AccessTokens, DeviceRow, DeviceTokens, Devices, LastSeen, LastSeenRow,
    MAX_USER_AGENT_CHARACTERS, UserKind, UserRow,
};
use crate::secrets::SecretHash;
pub use crate::tokens::{AccountStanding, IssuedTokens, Session};
use crate::tokens::{Issue, RefreshLifetimes, begin_generation, issue, revoke, tokens_of};

/// Longest device id that a client may choose, in bytes.
pub const MAX_DEVICE_ID_BYTES: usize = 255;
/// Longest display name of a device, in bytes.
pub const MAX_DEVICE_NAME_BYTES: usize = 1_024;
/// Characters of a device id that the server chooses.
const DEVICE_ID_CHARACTERS: usize = 10;

/// Why an access token opens nothing. Both are `M_UNKNOWN_TOKEN` to the client.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("the access token is unknown")]
    Unknown,
    /// The session is still there: refresh, or log in to the same device (`soft_logout`).
    #[error("the access token has expired")]
    Expired,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where a request came from, and by what.
#[derive(Clone, Copy, Debug)]
pub struct Sighting<'a> {
    pub address: IpAddr,
    /// `User-Agent`.
    pub user_agent: Option<&'a str>,
}

impl From<IpAddr> for Sighting<'_> {
    fn from(address: IpAddr) -> Self {
        Self { address, user_agent: None }
    }
}

/// The device that a login is for.
#[derive(Clone, Debug, Default)]
pub struct NewDevice {
    /// An existing device keeps its name and loses its tokens; `None` is a new device.
    pub id: Option<OwnedDeviceId>,
    pub display_name: Option<String>,
    /// The client can refresh tokens.
    pub refreshable: bool,
}

/// A device that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeviceRejected {
    #[error("the device id is empty or longer than {MAX_DEVICE_ID_BYTES} bytes")]
    InvalidId,
    #[error("the display name is longer than {MAX_DEVICE_NAME_BYTES} bytes")]
    NameTooLong,
    /// Nobody logs in to it.
    #[error("this is the user's dehydrated device")]
    Dehydrated,
}

impl NewDevice {
    pub(crate) fn check(&self) -> Result<(), DeviceRejected> {
        self.id.as_deref().map_or(Ok(()), check_device_id)?;
        check_device_name(self.display_name.as_deref())
    }
}

pub(crate) fn check_device_id(id: &DeviceId) -> Result<(), DeviceRejected> {
    if (1..=MAX_DEVICE_ID_BYTES).contains(&id.as_str().len()) {
        Ok(())
    } else {
        Err(DeviceRejected::InvalidId)
    }
}

pub(crate) fn check_device_name(name: Option<&str>) -> Result<(), DeviceRejected> {
    if name.is_some_and(|name| name.len() > MAX_DEVICE_NAME_BYTES) {
        return Err(DeviceRejected::NameTooLong);
    }
    Ok(())
}

/// The answer to a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedIn {
    pub user: OwnedUserId,
    pub device: OwnedDeviceId,
    pub tokens: IssuedTokens,
}

impl Accounts {
    /// Whose access token this is. `from` is where the request came from, if that shall be noted.
    pub async fn authenticate(
        &self,
        token: &str,
        from: Option<Sighting<'_>>,
    ) -> Result<Arc<Session>, TokenError> {
        let hash = SecretHash::of(token);
        let session = match self.parts().sessions.get(&hash) {
            Some(session) => session,
            None => self.load_session(hash).await?,
        };
        let now = self.parts().clock.now();
        if session.row.expires.is_some_and(|expires| expires <= now) {
            return Err(TokenError::Expired);
        }
        if let Some(from) = from {
            self.note_seen(&session, from, now).await;
        }
        Ok(session)
    }

    async fn load_session(&self, hash: SecretHash) -> Result<Arc<Session>, TokenError> {
        let snapshot = self.snapshot();
        let Some(row) = snapshot.get::<AccessTokens>(&hash).await.map_err(StoreError::from)? else {
            return Err(TokenError::Unknown);
        };
        let guard = self.parts().user_guards.lock(row.user.as_str()).await;
        let snapshot = self.snapshot();
        let found = self.read_session(&snapshot, hash).await.map_err(StoreError::from)?;
        let Some((session, device)) = found else { return Err(TokenError::Unknown) };
        if session.row.expires.is_some_and(|expires| expires <= self.parts().clock.now()) {
            return Err(TokenError::Expired);
        }
        if session.row.generation > device.generation {
            self.first_use(&snapshot, &session.row, &device, &guard).await?;
        }
        let session = Arc::new(session);
        self.parts().sessions.insert(hash, session.clone());
        Ok(session)
    }

    async fn read_session(
        &self,
        snapshot: &Snapshot,
        token: SecretHash,
    ) -> Result<Option<(Session, DeviceRow)>, ReadError> {
        let Some(row) = snapshot.get::<AccessTokens>(&token).await? else { return Ok(None) };
        let Some(user) = self.active_user(snapshot, &row.user).await? else { return Ok(None) };
        let key = (row.user.clone(), row.device.clone());
        let Some(device) = snapshot.get::<Devices>(&key).await? else { return Ok(None) };
        let Some(actor) = actor(&user, &row) else { return Ok(None) };
        let seen = snapshot.get::<LastSeen>(&key).await?.map_or(0, |seen| seen.at.0);
        let session = Session {
            actor,
            admin: user.admin,
            standing: standing(&user),
            token,
            row,
            seen: AtomicU64::new(seen),
            until_changed: Semaphore::new(0),
        };
        Ok(Some((session, device)))
    }

    /// The first use of an access token that a refresh gave out: what it replaces ends.
    async fn first_use(
        &self,
        snapshot: &Snapshot,
        row: &AccessTokenRow,
        device: &DeviceRow,
        guard: &Guard,
    ) -> Result<(), StoreError> {
        let key = (row.user.clone(), row.device.clone());
        let tokens = tokens_of(snapshot, KeyRange::<DeviceTokens>::prefix(&key)).await?;
        let mut batch = Batch::durable();
        let ended = begin_generation(&mut batch, &tokens, &key, device, row.generation);
        Ok(self.commit_ending(batch, ended, guard).await?)
    }

    /// Notes that the device was seen, at most once each interval. A sighting that cannot be written is no reason to refuse the request.
    async fn note_seen(&self, session: &Session, from: Sighting<'_>, now: UnixMillis) {
        let last = session.seen.load(Ordering::Relaxed);
        if now.since(UnixMillis(last)) < self.parts().parameters.last_seen_interval
            || session.seen.compare_exchange(last, now.0, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return;
        }
        let mut batch = Batch::relaxed();
        // Not after a logout: the row would outlive the device.
        batch.expect::<AccessTokens>(&session.token, Some(&session.row));
        let key = (session.row.user.clone(), session.row.device.clone());
        let user_agent = from.user_agent.map(|name| name.chars().take(MAX_USER_AGENT_CHARACTERS).collect());
        let address = from.address.to_canonical().to_string();
        batch.put::<LastSeen>(&key, &LastSeenRow { at: now, address, user_agent });
        if let Err(error) = self.parts().db.submit(batch, |_| ()).await {
            tracing::debug!(%error, "a device's sighting was not written");
        }
    }

    /// Adds a session on a device to a batch that expects the user to exist. Names the sessions that it ends. To be called under the
    /// user's guard.
    pub(crate) async fn add_session(
        &self,
        snapshot: &Snapshot,
        batch: &mut Batch,
        user: &OwnedUserId,
        device: NewDevice,
    ) -> Result<(LoggedIn, Vec<SecretHash>), ReadError> {
        let parts = self.parts();
        let NewDevice { id, display_name, refreshable } = device;
        let id = id
            .unwrap_or_else(|| parts.random.token(DEVICE_ID_CHARACTERS).to_ascii_uppercase().as_str().into());
        let key = (user.clone(), id.clone());
        let now = parts.clock.now();
        let (generation, ended) = match snapshot.get::<Devices>(&key).await? {
            Some(existing) => {
                let tokens = tokens_of(snapshot, KeyRange::<DeviceTokens>::prefix(&key)).await?;
                (existing.generation, revoke(batch, &tokens))
            }
            None => {
                batch.expect::<Devices>(&key, None);
                let ended = make_room(snapshot, batch, (user, now)).await?;
                batch.put::<Devices>(&key, &new_device(display_name, now));
                (0, ended)
            }
        };
        let refreshable = refreshable.then(|| self.refresh_lifetimes());
        let issue_to = Issue { user, device: &id, generation, now, refreshable };
        let tokens = issue(batch, &parts.random, &issue_to);
        Ok((LoggedIn { user: user.clone(), device: id, tokens }, ended))
    }

    pub(crate) fn refresh_lifetimes(&self) -> RefreshLifetimes {
        let parameters = &self.parts().parameters;
        RefreshLifetimes {
            access: parameters.access_token_lifetime,
            refresh: parameters.refresh_token_lifetime,
        }
    }
}

/// Who acts with a token; the server's own user has none.
fn actor(user: &UserRow, row: &AccessTokenRow) -> Option<Actor> {
    let (owner, device) = (row.user.clone(), row.device.clone());
    match user.kind {
        UserKind::Regular => Some(Actor::User { user: owner, device }),
        UserKind::Guest => Some(Actor::Guest { user: owner, device }),
        UserKind::Server => None,
    }
}

fn standing(user: &UserRow) -> AccountStanding {
    if user.locked {
        AccountStanding::Locked
    } else if user.suspended {
        AccountStanding::Suspended
    } else {
        AccountStanding::Active
    }
}
