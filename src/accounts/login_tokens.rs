//! Login tokens: a logged-in client lets another one in (client-server API, `POST /login/get_token`, `m.login.token`).
//!
//! Invariants: a token is used once, for two minutes; a restart forgets it.

use std::time::Duration;

use plop_base::Actor;
use plop_db::Batch;

use crate::accounts::{Accounts, LOGIN_TOKEN_LIFETIME, lock};
use crate::authority::{Forbidden, own_account};
use crate::device_rows::is_dehydrated;
use crate::error::StoreError;
use crate::login::{LoginError, may_log_in};
use crate::schema::Users;
use crate::secrets::make_secret;
use crate::sessions::{DeviceRejected, LoggedIn, NewDevice};
use crate::uia::{Authorized, UiaOperation};

impl Accounts {
    /// A token with which another device can log in, and how long it is valid.
    pub fn make_login_token(
        &self,
        actor: &Actor,
        authorized: Authorized,
    ) -> Result<(String, Duration), Forbidden> {
        let user = own_account(actor)?.to_owned();
        authorized.check(&user, &UiaOperation::MakeLoginToken)?;
        let parts = self.parts();
        let token = make_secret(&parts.random);
        lock(&parts.login_tokens).insert(parts.clock.monotonic(), &token, user);
        Ok((token, LOGIN_TOKEN_LIFETIME))
    }

    /// Logs the user of a login token in. The token is used up, whatever comes of it.
    pub async fn login_with_token(&self, token: &str, device: NewDevice) -> Result<LoggedIn, LoginError> {
        device.check()?;
        let parts = self.parts();
        let taken = lock(&parts.login_tokens).take(parts.clock.monotonic(), token);
        let Some(user) = taken else { return Err(LoginError::WrongCredentials) };

        let guard = parts.user_guards.lock(user.as_str()).await;
        let snapshot = self.snapshot();
        let Some(row) = snapshot.get::<Users>(&user).await.map_err(StoreError::from)? else {
            return Err(LoginError::WrongCredentials);
        };
        may_log_in(&row)?;
        if is_dehydrated(&snapshot, &user, device.id.as_deref()).await.map_err(StoreError::from)? {
            return Err(DeviceRejected::Dehydrated.into());
        }
        let mut batch = Batch::durable();
        batch.expect::<Users>(&user, Some(&row));
        let added = self.add_session(&snapshot, &mut batch, &user, device).await.map_err(StoreError::from)?;
        let (logged_in, ended) = added;
        self.commit_ending(batch, ended, &guard).await.map_err(StoreError::from)?;
        Ok(logged_in)
    }
}
