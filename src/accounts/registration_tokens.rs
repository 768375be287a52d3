//! Registration tokens: who has one may make an account (client-server API, "Token-authenticated registration").
//!
//! Owns: making, listing, deleting, and whether one is valid. Does not own: their use in a registration.
//!
//! Invariants: `used` never exceeds `uses_allowed`. A session of interactive authentication that has shown a token holds one
//! pending use until it ends, so that the next one is not let in for nothing.

use std::net::IpAddr;

use plop_base::{Actor, UnixMillis};
use plop_db::{Batch, KeyRange, Pages, ReadError};

use crate::accounts::{Accounts, lock};
use crate::attempts::Limited;
use crate::authority::{Forbidden, managing_accounts};
use crate::error::StoreError;
use crate::parameters::RegistrationMode;
use crate::rows::all_rows;
use crate::schema::{RegistrationTokenRow, RegistrationTokens, UserKind, Users};
use crate::secrets::make_secret;

/// Users looked at in one page, for one who is no guest.
const PAGE: usize = 1_000;

/// Longest token (client-server API, "Token-authenticated registration").
pub const MAX_REGISTRATION_TOKEN_BYTES: usize = 64;

/// A token to be made.
#[derive(Clone, Debug, Default)]
pub struct NewRegistrationToken {
    /// `None`: the server chooses.
    pub token: Option<String>,
    /// Accounts that may be made with it; `None` is any number.
    pub uses_allowed: Option<u32>,
    pub expires: Option<UnixMillis>,
}

/// Why a token is not made, or says nothing.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationTokenError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// Not an opaque identifier of at most 64 characters.
    #[error("not a valid registration token")]
    Invalid,
    #[error("the registration token exists already")]
    Exists,
    #[error("registration is closed")]
    Closed,
    #[error(transparent)]
    Limited(#[from] Limited),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whether one more account can be made, beside `pending` that are about to be.
pub(crate) fn has_use(row: &RegistrationTokenRow, pending: usize, now: UnixMillis) -> bool {
    let pending = u32::try_from(pending).unwrap_or(u32::MAX);
    row.expires.is_none_or(|expires| now < expires)
        && row.uses_allowed.is_none_or(|allowed| row.used.saturating_add(pending) < allowed)
}

impl Accounts {
    /// Makes a token.
    pub async fn create_registration_token(
        &self,
        actor: &Actor,
        new: NewRegistrationToken,
    ) -> Result<String, RegistrationTokenError> {
        managing_accounts(actor)?;
        let token = new.token.unwrap_or_else(|| make_secret(&self.parts().random));
        let opaque = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        if !(1..=MAX_REGISTRATION_TOKEN_BYTES).contains(&token.len()) || !token.bytes().all(opaque) {
            return Err(RegistrationTokenError::Invalid);
        }
        let NewRegistrationToken { uses_allowed, expires, .. } = new;
        let row = RegistrationTokenRow { uses_allowed, used: 0, expires, made_at_start: false };
        self.put_registration_token(&token, &row).await?;
        Ok(token)
    }

    /// The one-use token with which the first user of a try-out registers: while there is no user, the same at each start; `None`
    /// once there is one. To be called before requests are taken.
    pub async fn first_registration_token(&self) -> Result<Option<String>, StoreError> {
        let snapshot = self.snapshot();
        // Guests are no users of this kind.
        let mut pages = Pages::new(KeyRange::<Users>::all(), PAGE);
        while let Some(page) = pages.next(&snapshot).await? {
            if page.iter().any(|(_, row)| row.kind == UserKind::Regular) {
                return Ok(None);
            }
        }
        for (token, row) in self.registration_tokens().await? {
            if row.made_at_start {
                return Ok(Some(token));
            }
        }
        let token = make_secret(&self.parts().random);
        let row = RegistrationTokenRow { uses_allowed: Some(1), used: 0, expires: None, made_at_start: true };
        let mut batch = Batch::durable();
        batch.put::<RegistrationTokens>(&token, &row);
        self.parts().db.commit(batch).await?;
        Ok(Some(token))
    }

    /// All tokens, in their order.
    pub async fn registration_tokens(&self) -> Result<Vec<(String, RegistrationTokenRow)>, ReadError> {
        all_rows(&self.snapshot(), KeyRange::<RegistrationTokens>::all()).await
    }

    /// Deletes a token; whether there was one.
    pub async fn delete_registration_token(
        &self,
        actor: &Actor,
        token: &str,
    ) -> Result<bool, RegistrationTokenError> {
        managing_accounts(actor)?;
        let guard = self.parts().token_guards.lock(token).await;
        let token = token.to_owned();
        let found = self.snapshot().get::<RegistrationTokens>(&token).await.map_err(StoreError::from)?;
        if found.is_some() {
            let mut batch = Batch::durable();
            batch.delete::<RegistrationTokens>(&token);
            self.parts().db.commit_under(guard, batch).await.map_err(StoreError::from)?;
        }
        Ok(found.is_some())
    }

    /// Whether a token could be used now. Counts as an attempt, so that tokens cannot be guessed.
    pub async fn registration_token_is_valid(
        &self,
        token: &str,
        from: IpAddr,
    ) -> Result<bool, RegistrationTokenError> {
        match self.parts().parameters.registration {
            RegistrationMode::Closed => return Err(RegistrationTokenError::Closed),
            RegistrationMode::Token | RegistrationMode::Open => {}
        }
        self.count_registration(from)?;
        Ok(self.registration_token_has_use(token).await?)
    }

    /// Counts a registration, or a try of a registration token.
    pub(crate) fn count_registration(&self, from: IpAddr) -> Result<(), Limited> {
        let parts = self.parts();
        parts.limits.registration(parts.clock.monotonic(), &parts.parameters.registration_limits, from)
    }

    /// Whether a token has a use that no other session holds. Exact under the token's guard.
    pub(crate) async fn registration_token_has_use(&self, token: &str) -> Result<bool, StoreError> {
        let parts = self.parts();
        let found = self.snapshot().get::<RegistrationTokens>(&token.to_owned()).await?;
        let holds = |held: &Option<String>| held.as_deref() == Some(token);
        let now = parts.clock.monotonic();
        let pending =
            lock(&parts.uia).values(now).filter(|session| holds(&session.held.registration_token)).count();
        Ok(found.is_some_and(|row| has_use(&row, pending, parts.clock.now())))
    }

    async fn put_registration_token(
        &self,
        token: &str,
        row: &RegistrationTokenRow,
    ) -> Result<(), RegistrationTokenError> {
        let guard = self.parts().token_guards.lock(token).await;
        let token = token.to_owned();
        if self.snapshot().get::<RegistrationTokens>(&token).await.map_err(StoreError::from)?.is_some() {
            return Err(RegistrationTokenError::Exists);
        }
        let mut batch = Batch::durable();
        batch.expect::<RegistrationTokens>(&token, None);
        batch.put::<RegistrationTokens>(&token, row);
        self.parts().db.commit_under(guard, batch).await.map_err(StoreError::from)?;
        Ok(())
    }
}
