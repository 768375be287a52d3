//! A new password for who has lost the old one, by an address of the account (client-server API, `POST /account/password`).
//!
//! Owns: which account is meant. Does not own: proving the address ([`crate::email_validation`]), setting the password ([`crate::password_change`]).
//!
//! Invariant: the account is the one that has the address at the moment of the change, and had it when the mail was sent.

use ruma::OwnedDeviceId;

use crate::accounts::Accounts;
use crate::authority::Forbidden;
use crate::error::StoreError;
use crate::password_change::{PasswordChangeError, Whose};
use crate::passwords::Password;
use crate::schema::EmailOwners;
use crate::uia::Authorized;
use crate::uia_session::UiaOperation;

impl Accounts {
    /// Sets the password of the account whose address was proven. With `logout_all` its devices go; they are named.
    pub async fn reset_password(
        &self,
        authorized: Authorized,
        password: Password,
        logout_all: bool,
    ) -> Result<Vec<OwnedDeviceId>, PasswordChangeError> {
        let proven = authorized.held.address.filter(|_| authorized.operation == UiaOperation::ResetPassword);
        let proven = proven.ok_or(Forbidden)?;
        let owner = self.snapshot().get::<EmailOwners>(&proven.address).await.map_err(StoreError::from)?;
        let user = owner.filter(|owner| proven.user.as_ref() == Some(owner));
        let user = user.ok_or(PasswordChangeError::NoAccount)?;
        let whose = Whose { user, by_address: Some(proven.address.clone()), kept_device: None };
        let gone = self.set_password(whose, password, logout_all).await?;
        self.use_up(&proven);
        Ok(gone)
    }
}
