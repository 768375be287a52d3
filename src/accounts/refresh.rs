//! Refreshing access tokens (client-server API, "Refreshing access tokens"). The rules are in [`crate::tokens`].

use plop_db::{Batch, KeyRange};

use crate::accounts::Accounts;
use crate::error::StoreError;
use crate::schema::{DeviceTokens, Devices, RefreshTokens};
use crate::secrets::SecretHash;
use crate::tokens::{Issue, IssuedTokens, begin_generation, end_siblings, issue, revoke, tokens_of};

/// Why there are no new tokens.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// Never issued, logged out, or used so long ago that it is forgotten.
    #[error("the refresh token is unknown")]
    Unknown,
    /// It was used before, so somebody has a copy. All tokens of the device are revoked; the device stays (`soft_logout`).
    #[error("the refresh token was used before")]
    Reused,
    /// The device is still there (`soft_logout`).
    #[error("the refresh token has expired")]
    Expired,
    /// The tokens stay as they are.
    #[error("the account is locked")]
    Locked,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Accounts {
    /// New tokens for a refresh token. It stays valid until one of them is used.
    pub async fn refresh(&self, token: &str) -> Result<IssuedTokens, RefreshError> {
        let parts = self.parts();
        let hash = SecretHash::of(token);
        let found = self.snapshot().get::<RefreshTokens>(&hash).await.map_err(StoreError::from)?;
        let Some(row) = found else { return Err(RefreshError::Unknown) };
        let guard = parts.user_guards.lock(row.user.as_str()).await;

        let snapshot = self.snapshot();
        let found = snapshot.get::<RefreshTokens>(&hash).await.map_err(StoreError::from)?;
        let Some(row) = found else { return Err(RefreshError::Unknown) };
        let user = self.active_user(&snapshot, &row.user).await.map_err(StoreError::from)?;
        let key = (row.user.clone(), row.device.clone());
        let device = snapshot.get::<Devices>(&key).await.map_err(StoreError::from)?;
        let (Some(user), Some(device)) = (user, device) else { return Err(RefreshError::Unknown) };
        let range = KeyRange::<DeviceTokens>::prefix(&key);
        let tokens = tokens_of(&snapshot, range).await.map_err(StoreError::from)?;

        let mut batch = Batch::durable();
        batch.expect::<RefreshTokens>(&hash, Some(&row));
        if row.generation < device.generation {
            let ended = revoke(&mut batch, &tokens);
            self.commit_ending(batch, ended, &guard).await.map_err(StoreError::from)?;
            return Err(RefreshError::Reused);
        }
        if user.locked {
            return Err(RefreshError::Locked);
        }
        let now = parts.clock.now();
        if row.expires.is_some_and(|expires| expires <= now) {
            return Err(RefreshError::Expired);
        }
        let mut ended = Vec::new();
        if row.generation > device.generation {
            ended = begin_generation(&mut batch, &tokens, &key, &device, row.generation);
        }
        // 2^32 refreshes of one device take longer than devices last.
        let generation = row.generation.saturating_add(1);
        ended.extend(end_siblings(&mut batch, &tokens, generation));
        let refreshable = Some(self.refresh_lifetimes());
        let to = Issue { user: &row.user, device: &row.device, generation, now, refreshable };
        let issued = issue(&mut batch, &parts.random, &to);
        self.commit_ending(batch, ended, &guard).await.map_err(StoreError::from)?;
        Ok(issued)
    }
}
