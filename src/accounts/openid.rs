//! OpenID tokens: a user proves to a service who they are (client-server API, "OpenID"; server-server API, "OpenID").
//!
//! Owns: the tokens. Does not own: the endpoints that give them out and look them up.
//!
//! Invariants: such a token says whose it is and opens nothing; it is stored as a hash and ends after an hour. A user has at most
//! [`MAX_TOKENS`]: one more takes the place of the one that ends first. Each request for one sweeps more of those that have ended than it
//! adds, whoever's they are, so only valid ones remain where tokens are asked for.

use std::time::Duration;

use plop_base::{Actor, UnixMillis};
use plop_db::{Batch, Direction, KeyRange, ReadError, Snapshot};
use ruma::{OwnedUserId, UserId};

use crate::accounts::Accounts;
use crate::authority::{Forbidden, acting_for};
use crate::error::StoreError;
use crate::rows::all_rows;
use crate::schema::{OpenIdTokenEnds, OpenIdTokenRow, OpenIdTokens, OpenIdTokensOfUser, Users};
use crate::secrets::{SecretHash, make_secret};

/// As long as the specification's example says.
pub const OPENID_TOKEN_LIFETIME: Duration = Duration::from_secs(3_600);
/// Most tokens of one user: some for each widget on each device. Clients ask for new ones when they need one.
pub const MAX_TOKENS: usize = 50;
/// Of tokens that have ended so many go with each new one.
const SWEPT: usize = 10;

/// A token that was made. Its text is nowhere else.
pub struct OpenIdToken {
    pub token: String,
    pub expires_in: Duration,
}

/// Why no token is made, or a token says nothing.
#[derive(Debug, thiserror::Error)]
pub enum OpenIdError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error("there is no such account")]
    NoAccount,
    /// Never given out, ended, or that of an account that is locked or has ended.
    #[error("the token is not valid")]
    UnknownToken,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ReadError> for OpenIdError {
    fn from(error: ReadError) -> Self {
        Self::Store(error.into())
    }
}

impl Accounts {
    /// A token by which a service learns from this server who the actor is.
    pub async fn make_openid_token(&self, actor: &Actor, user: &UserId) -> Result<OpenIdToken, OpenIdError> {
        acting_for(actor, user)?;
        let parts = self.parts();
        let user = user.to_owned();
        let guard = parts.user_guards.lock(user.as_str()).await;
        let snapshot = self.snapshot();
        let account = self.active_user(&snapshot, &user).await?.ok_or(OpenIdError::NoAccount)?;
        let now = parts.clock.now();
        let mut batch = Batch::durable();
        batch.expect::<Users>(&user, Some(&account));
        sweep(&snapshot, &mut batch, now).await?;
        make_room(&snapshot, &mut batch, &user).await?;
        let token = make_secret(&parts.random);
        let (hash, expires) = (SecretHash::of(&token), now.plus(OPENID_TOKEN_LIFETIME));
        batch.put::<OpenIdTokens>(&hash, &OpenIdTokenRow { user: user.clone(), expires });
        batch.put::<OpenIdTokenEnds>(&(expires, hash), &user);
        batch.put::<OpenIdTokensOfUser>(&(user, expires, hash), &());
        parts.db.commit_under(guard, batch).await.map_err(StoreError::from)?;
        Ok(OpenIdToken { token, expires_in: OPENID_TOKEN_LIFETIME })
    }

    /// Whose a token is.
    pub async fn openid_user(&self, token: &str) -> Result<OwnedUserId, OpenIdError> {
        let snapshot = self.snapshot();
        let row = snapshot.get::<OpenIdTokens>(&SecretHash::of(token)).await?;
        let now = self.parts().clock.now();
        let row = row.filter(|row| row.expires > now).ok_or(OpenIdError::UnknownToken)?;
        let account = self.active_user(&snapshot, &row.user).await?;
        account.filter(|account| !account.locked).ok_or(OpenIdError::UnknownToken)?;
        Ok(row.user)
    }
}

/// Deletes some of the tokens that have ended.
async fn sweep(snapshot: &Snapshot, batch: &mut Batch, now: UnixMillis) -> Result<(), ReadError> {
    let ended = KeyRange::<OpenIdTokenEnds>::all().to(&now);
    let page = snapshot.scan(ended, Direction::Forward, SWEPT).await?;
    page.rows.into_iter().for_each(|((expires, hash), user)| delete(batch, (user, expires, hash)));
    Ok(())
}

/// Makes room for one more token of a user.
async fn make_room(snapshot: &Snapshot, batch: &mut Batch, user: &OwnedUserId) -> Result<(), ReadError> {
    let tokens = all_rows(snapshot, KeyRange::<OpenIdTokensOfUser>::prefix(user)).await?;
    let too_many = (tokens.len() + 1).saturating_sub(MAX_TOKENS);
    tokens.into_iter().take(too_many).for_each(|(key, ())| delete(batch, key));
    Ok(())
}

/// Deletes all tokens of a user whose account ends.
pub(crate) async fn delete_openid_tokens(
    snapshot: &Snapshot,
    batch: &mut Batch,
    user: &OwnedUserId,
) -> Result<(), ReadError> {
    let tokens = all_rows(snapshot, KeyRange::<OpenIdTokensOfUser>::prefix(user)).await?;
    tokens.into_iter().for_each(|(key, ())| delete(batch, key));
    Ok(())
}

fn delete(batch: &mut Batch, (user, expires, hash): (OwnedUserId, UnixMillis, SecretHash)) {
    batch.delete::<OpenIdTokens>(&hash);
    batch.delete::<OpenIdTokenEnds>(&(expires, hash));
    batch.delete::<OpenIdTokensOfUser>(&(user, expires, hash));
}
