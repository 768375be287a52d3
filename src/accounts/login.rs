//! Login with a password.
//!
//! Owns: trying a password, under the limits and at the same cost whether the user exists or not; the login that follows. Does not own:
//! limits and hashing themselves, sessions.

use std::net::IpAddr;

use plop_base::Network;
use plop_db::{Batch, Direction, KeyRange, ReadError, Snapshot};
use ruma::{OwnedUserId, UserId};

use crate::accounts::Accounts;
use crate::attempts::Limited;
use crate::device_rows::is_dehydrated;
use crate::email_address::EmailAddress;
use crate::error::StoreError;
use crate::passwords::{Busy, Comparison, Password};
use crate::schema::{EmailOwners, LastSeen, UserRow, Users};
use crate::sessions::{DeviceRejected, LoggedIn, NewDevice};
use crate::username::named_user;

/// Devices that are asked for where they were last seen.
const DEVICES_AT_HOME: usize = 100;

/// Whom a client means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginName {
    /// User id or localpart.
    User(String),
    /// An e-mail address of the account.
    Email(String),
}

impl From<&str> for LoginName {
    fn from(user: &str) -> Self {
        Self::User(user.to_owned())
    }
}

/// A login request of type `m.login.password`.
#[derive(Clone, Debug)]
pub struct PasswordLogin {
    pub user: LoginName,
    pub password: Password,
    pub device: NewDevice,
    pub from: IpAddr,
}

/// Why nobody is logged in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The same for a wrong password, a user without one, and no such user.
    #[error("wrong user name or password")]
    WrongCredentials,
    /// Told to those only who know the password.
    #[error("the account is deactivated")]
    Deactivated,
    /// Told to those only who know the password.
    #[error("the account is locked")]
    Locked,
    #[error(transparent)]
    Device(#[from] DeviceRejected),
    #[error(transparent)]
    Limited(#[from] Limited),
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A password that is right.
pub(crate) struct Proven {
    pub user: OwnedUserId,
    pub row: UserRow,
    /// Hashed at a cost that is not today's.
    outdated: bool,
}

impl Accounts {
    /// Logs a user in on a device.
    pub async fn login(&self, request: PasswordLogin) -> Result<LoggedIn, LoginError> {
        let PasswordLogin { user, password, device, from } = request;
        device.check()?;
        let Proven { user, row, outdated } = self.prove_password(&user, password.clone(), from).await?;
        let rehashed = if outdated { Some(self.parts().hasher.hash(password).await?) } else { None };

        let guard = self.parts().user_guards.lock(user.as_str()).await;
        let snapshot = self.snapshot();
        let current = snapshot.get::<Users>(&user).await.map_err(StoreError::from)?;
        // While the password was checked, it may have been changed.
        let Some(current) = current.filter(|current| current.password == row.password) else {
            return Err(LoginError::WrongCredentials);
        };
        may_log_in(&current)?;
        if is_dehydrated(&snapshot, &user, device.id.as_deref()).await.map_err(StoreError::from)? {
            return Err(DeviceRejected::Dehydrated.into());
        }
        let mut batch = Batch::durable();
        batch.expect::<Users>(&user, Some(&current));
        if rehashed.is_some() {
            batch.put::<Users>(&user, &UserRow { password: rehashed, ..current });
        }
        let added = self.add_session(&snapshot, &mut batch, &user, device).await.map_err(StoreError::from)?;
        let (logged_in, ended) = added;
        self.commit_ending(batch, ended, &guard).await.map_err(StoreError::from)?;
        Ok(logged_in)
    }

    /// Tries a password.
    pub(crate) async fn prove_password(
        &self,
        user: &LoginName,
        password: Password,
        from: IpAddr,
    ) -> Result<Proven, LoginError> {
        let parts = self.parts();
        let snapshot = self.snapshot();
        let named = self.named_user(&snapshot, user).await.map_err(StoreError::from)?;
        let (row, at_home) = match &named {
            Some(user) => {
                let row = snapshot.get::<Users>(user).await.map_err(StoreError::from)?;
                (row, is_home(&snapshot, user, from).await.map_err(StoreError::from)?)
            }
            None => (None, false),
        };
        drop(snapshot);
        let now = parts.clock.monotonic();
        parts.limits.login(now, &parts.parameters.login_limits, named.as_deref(), from, at_home)?;
        let hash = row.as_ref().and_then(|row| row.password.clone());
        let outdated = match parts.hasher.verify(password, hash).await? {
            Comparison::Wrong => return Err(LoginError::WrongCredentials),
            Comparison::Right => false,
            Comparison::RightButOutdated => true,
        };
        match (named, row) {
            (Some(user), Some(row)) => Ok(Proven { user, row, outdated }),
            _ => Err(LoginError::WrongCredentials),
        }
    }
}

impl Accounts {
    /// Whom a name means; `None` when it can be nobody here.
    pub(crate) async fn named_user(
        &self,
        snapshot: &Snapshot,
        name: &LoginName,
    ) -> Result<Option<OwnedUserId>, ReadError> {
        match name {
            LoginName::User(user) => Ok(named_user(user, &self.parts().server)),
            LoginName::Email(address) => match EmailAddress::parse(address) {
                Ok(address) => snapshot.get::<EmailOwners>(&address).await,
                Err(_) => Ok(None),
            },
        }
    }
}

/// Whether a device of the user was last seen in this network.
async fn is_home(snapshot: &Snapshot, user: &UserId, from: IpAddr) -> Result<bool, ReadError> {
    let range = KeyRange::<LastSeen>::prefix(&user.to_owned());
    let page = snapshot.scan(range, Direction::Forward, DEVICES_AT_HOME).await?;
    let here = Network::of(from);
    let seen = page.rows.iter().filter_map(|(_, row)| row.address.parse::<IpAddr>().ok());
    Ok(seen.map(Network::of).any(|network| network == here))
}

/// Whether the account takes new sessions. A suspended one does (client-server API, "Account suspension").
pub(crate) fn may_log_in(user: &UserRow) -> Result<(), LoginError> {
    if user.deactivated.is_some() {
        return Err(LoginError::Deactivated);
    }
    if user.locked {
        return Err(LoginError::Locked);
    }
    Ok(())
}
