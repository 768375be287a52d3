//! Changing a password (client-server API, `POST /account/password`).
//!
//! Invariants: the plain text is hashed and forgotten; nothing else of it is written.

use plop_base::Actor;
use plop_db::Batch;
use ruma::{OwnedDeviceId, UserId};

use crate::accounts::Accounts;
use crate::authority::{Forbidden, managing_accounts, own_account};
use crate::devices::DeviceError;
use crate::error::StoreError;
use crate::passwords::{Busy, Password, PasswordRejected};
use crate::schema::{UserRow, Users};

/// Why a password is not changed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordChangeError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error("there is no such account")]
    NoAccount,
    #[error(transparent)]
    Rejected(#[from] PasswordRejected),
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The password is changed, the other devices are still there.
    #[error(transparent)]
    Devices(#[from] DeviceError),
}

impl Accounts {
    /// Changes the actor's password. With `logout_others` the devices other than the one that asks go; they are named. The edge asks for
    /// interactive authentication before.
    pub async fn change_password(
        &self,
        actor: &Actor,
        password: Password,
        logout_others: bool,
    ) -> Result<Vec<OwnedDeviceId>, PasswordChangeError> {
        self.set_password(own_account(actor)?, password).await?;
        if logout_others { Ok(self.logout_others(actor).await?) } else { Ok(Vec::new()) }
    }

    /// Sets the password of a user on behalf of whoever manages the server.
    pub async fn reset_password(
        &self,
        actor: &Actor,
        user: &UserId,
        password: Password,
    ) -> Result<(), PasswordChangeError> {
        managing_accounts(actor)?;
        self.set_password(user, password).await
    }

    async fn set_password(&self, user: &UserId, password: Password) -> Result<(), PasswordChangeError> {
        password.check()?;
        let parts = self.parts();
        let hash = parts.hasher.hash(password).await?;
        let user = user.to_owned();
        let _guard = parts.user_guards.lock(user.as_str()).await;
        let row = self.active_user(&self.snapshot(), &user).await.map_err(StoreError::from)?;
        let row = row.ok_or(PasswordChangeError::NoAccount)?;
        let mut batch = Batch::durable();
        batch.expect::<Users>(&user, Some(&row));
        batch.put::<Users>(&user, &UserRow { password: Some(hash), ..row });
        parts.db.commit(batch).await.map_err(StoreError::from)?;
        Ok(())
    }
}
