//! Access and refresh tokens of devices, as rows.
//!
//! Tokens of a device come in generations. A login issues tokens of the device's generation; a refresh issues tokens of the next one
//! after that of the refresh token. The first use of a token of the next generation raises the device's generation and ends the access
//! tokens below it. So a client that lost the answer to a refresh can repeat it until it has used what it got, and a refresh token
//! below the device's generation has been used before: proof that somebody has a copy (client-server API, "Refreshing access tokens").
//!
//! Invariants: a device has tokens of at most two generations that are valid, and at most [`MOST_SIBLINGS`] pairs of the newer one.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use plop_base::{Actor, Random, UnixMillis};
use plop_db::{Batch, KeyRange, ReadError, Snapshot};
use ruma::{OwnedDeviceId, OwnedUserId};
use tokio::sync::Semaphore;

use crate::rows::all_rows;
use crate::schema::{
    AccessTokenRow, AccessTokens, DeviceRow, DeviceTokenRow, DeviceTokens, Devices, RefreshTokenRow,
    RefreshTokens, TokenKind,
};
use crate::secrets::{SecretHash, make_secret};

/// Used refresh tokens are recognised for so many generations; older ones are simply unknown.
const REMEMBERED_GENERATIONS: u32 = 16;
/// Repeated refreshes of one token whose answers were not used. The next one ends them.
const MOST_SIBLINGS: usize = 8;

/// What an account may do at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountStanding {
    Active,
    /// Reading, leaving and the like (client-server API, "Account suspension").
    Suspended,
    /// Logging out only (client-server API, "Account locking").
    Locked,
}

/// A valid access token and whose it is.
#[derive(Debug)]
pub struct Session {
    /// The user with the device; what domain calls take.
    pub actor: Actor,
    /// Whether the admin API is open to it.
    pub admin: bool,
    pub standing: AccountStanding,
    pub(crate) token: SecretHash,
    pub(crate) row: AccessTokenRow,
    /// When the device's last sighting was written, in milliseconds since 1970.
    pub(crate) seen: AtomicU64,
    /// Gives nothing, and is closed when the session ends or may do something else.
    pub(crate) until_changed: Semaphore,
}

impl Session {
    /// Waits until the session has ended, or its account may do something else: whoever waits for long then asks anew. A session that has left memory
    /// meanwhile is told nothing, so ask anew at the end in any case.
    pub async fn changed(&self) {
        // Only its end comes.
        let _ = self.until_changed.acquire().await;
    }
}

/// Tokens for a client. Their texts are nowhere else.
#[derive(Clone, PartialEq, Eq)]
pub struct IssuedTokens {
    pub access: String,
    pub refresh: Option<String>,
    /// How long the access token is valid; `None` is until logout.
    pub expires_in: Option<Duration>,
}

impl std::fmt::Debug for IssuedTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IssuedTokens(..)")
    }
}

/// What tokens are issued for.
pub(crate) struct Issue<'a> {
    pub user: &'a OwnedUserId,
    pub device: &'a OwnedDeviceId,
    pub generation: u32,
    pub now: UnixMillis,
    /// `None`: the access token does not expire and cannot be refreshed.
    pub refreshable: Option<RefreshLifetimes>,
}

/// How long tokens are valid that can be refreshed.
#[derive(Clone, Copy)]
pub(crate) struct RefreshLifetimes {
    pub access: Duration,
    pub refresh: Option<Duration>,
}

/// Issues tokens.
pub(crate) fn issue(batch: &mut Batch, random: &Random, to: &Issue<'_>) -> IssuedTokens {
    let Issue { user, device, generation, now, refreshable } = *to;
    let owner = || (user.clone(), device.clone());
    let expires_in = refreshable.map(|lifetimes| lifetimes.access);
    let access = make_secret(random);
    let hash = SecretHash::of(&access);
    let expires = expires_in.map(|lifetime| now.plus(lifetime));
    let (row_user, row_device) = owner();
    let row = AccessTokenRow { user: row_user, device: row_device, generation, expires };
    batch.put::<AccessTokens>(&hash, &row);
    let (key_user, key_device) = owner();
    let kind = TokenKind::Access;
    batch.put::<DeviceTokens>(&(key_user, key_device, hash), &DeviceTokenRow { kind, generation });
    let refresh = refreshable.map(|lifetimes| {
        let refresh = make_secret(random);
        let hash = SecretHash::of(&refresh);
        let expires = lifetimes.refresh.map(|lifetime| now.plus(lifetime));
        let (row_user, row_device) = owner();
        let row = RefreshTokenRow { user: row_user, device: row_device, generation, expires };
        batch.put::<RefreshTokens>(&hash, &row);
        let (key_user, key_device) = owner();
        let kind = TokenKind::Refresh;
        batch.put::<DeviceTokens>(&(key_user, key_device, hash), &DeviceTokenRow { kind, generation });
        refresh
    });
    IssuedTokens { access, refresh, expires_in }
}

/// One row of `device_tokens`.
pub(crate) type DeviceToken = ((OwnedUserId, OwnedDeviceId, SecretHash), DeviceTokenRow);

/// The tokens of a user, or of one device.
pub(crate) async fn tokens_of(
    snapshot: &Snapshot,
    range: KeyRange<DeviceTokens>,
) -> Result<Vec<DeviceToken>, ReadError> {
    all_rows(snapshot, range).await
}

/// Deletes tokens and names them, for the cache.
pub(crate) fn revoke<'a>(
    batch: &mut Batch,
    tokens: impl IntoIterator<Item = &'a DeviceToken>,
) -> Vec<SecretHash> {
    let revoked = tokens.into_iter().map(|token| {
        batch.delete::<DeviceTokens>(&token.0);
        forget(batch, token)
    });
    revoked.collect()
}

/// Deletes a token, for who deletes the list of a device's tokens as a whole.
pub(crate) fn forget(batch: &mut Batch, (key, row): &DeviceToken) -> SecretHash {
    match row.kind {
        TokenKind::Access => batch.delete::<AccessTokens>(&key.2),
        TokenKind::Refresh => batch.delete::<RefreshTokens>(&key.2),
    }
    key.2
}

/// Notes that a token of `generation`, the one after the device's, is used: what it replaces ends.
pub(crate) fn begin_generation(
    batch: &mut Batch,
    tokens: &[DeviceToken],
    key: &(OwnedUserId, OwnedDeviceId),
    device: &DeviceRow,
    generation: u32,
) -> Vec<SecretHash> {
    batch.expect::<Devices>(key, Some(device));
    batch.put::<Devices>(key, &DeviceRow { generation, ..device.clone() });
    let ended = tokens.iter().filter(|(_, token)| match token.kind {
        TokenKind::Access => token.generation < generation,
        TokenKind::Refresh => token.generation.saturating_add(REMEMBERED_GENERATIONS) < generation,
    });
    revoke(batch, ended)
}

/// Ends the unused answers to earlier refreshes, if there are too many: those of `generation`.
pub(crate) fn end_siblings(batch: &mut Batch, tokens: &[DeviceToken], generation: u32) -> Vec<SecretHash> {
    let siblings = || tokens.iter().filter(|(_, token)| token.generation == generation);
    if siblings().count() < 2 * MOST_SIBLINGS { Vec::new() } else { revoke(batch, siblings()) }
}
