//! Changing a password (client-server API, `POST /account/password`).
//!
//! Invariants: the plain text is hashed and forgotten; nothing else of it is written. The sessions that a change ends are gone with the old password,
//! in one batch.

use plop_base::Actor;
use plop_db::Batch;
use ruma::{OwnedDeviceId, OwnedUserId};

use crate::accounts::Accounts;
use crate::authority::{Forbidden, own_account};
use crate::device_rows::{Which, delete_rows};
use crate::email_address::EmailAddress;
use crate::error::StoreError;
use crate::passwords::{Busy, Password, PasswordRejected};
use crate::schema::{EmailOwners, UserRow, Users};
use crate::uia::{Authorized, UiaOperation};

/// Why a password is not changed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordChangeError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error("there is no such account")]
    NoAccount,
    /// Its password is not reset either.
    #[error("the account is locked")]
    Locked,
    #[error(transparent)]
    Rejected(#[from] PasswordRejected),
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The account whose password is set.
pub(crate) struct Whose {
    pub user: OwnedUserId,
    /// The address that it was found by, which must still be its own.
    pub by_address: Option<EmailAddress>,
    /// The device that asks.
    pub kept_device: Option<OwnedDeviceId>,
}

impl Accounts {
    /// Changes the actor's password. With `logout_others` the devices other than the one that asks go with it; they are named.
    pub async fn change_password(
        &self,
        actor: &Actor,
        authorized: Authorized,
        password: Password,
        logout_others: bool,
    ) -> Result<Vec<OwnedDeviceId>, PasswordChangeError> {
        let user = own_account(actor)?.to_owned();
        authorized.check(&user, &UiaOperation::ChangePassword)?;
        let whose = Whose { user, by_address: None, kept_device: actor.device_id().map(ToOwned::to_owned) };
        self.set_password(whose, password, logout_others).await
    }

    /// Sets the password of an account.
    pub(crate) async fn set_password(
        &self,
        whose: Whose,
        password: Password,
        logout_others: bool,
    ) -> Result<Vec<OwnedDeviceId>, PasswordChangeError> {
        let Whose { user, by_address, kept_device } = whose;
        password.check()?;
        let parts = self.parts();
        let hash = parts.hasher.hash(password).await?;
        let guard = parts.user_guards.lock(user.as_str()).await;
        let snapshot = self.snapshot();
        let row = self.active_user(&snapshot, &user).await.map_err(StoreError::from)?;
        let row = row.ok_or(PasswordChangeError::NoAccount)?;
        if row.locked {
            return Err(PasswordChangeError::Locked);
        }
        let mut batch = Batch::durable();
        batch.expect::<Users>(&user, Some(&row));
        if let Some(address) = by_address {
            batch.expect::<EmailOwners>(&address, Some(&user));
        }
        batch.put::<Users>(&user, &UserRow { password: Some(hash), ..row });
        let (gone, ended) = if logout_others {
            let others = kept_device.as_deref().map_or(Which::Sessions, Which::SessionsBut);
            let whose = (&user, parts.clock.now());
            delete_rows(&snapshot, &mut batch, whose, others).await.map_err(StoreError::from)?
        } else {
            Default::default()
        };
        self.commit_ending(batch, ended, &guard).await.map_err(StoreError::from)?;
        Ok(gone)
    }
}
