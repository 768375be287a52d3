//! How often passwords and registrations may be tried, and mails be asked for.
//!
//! Owns: which buckets an attempt takes from. Does not own: the numbers ([`crate::parameters`]), the buckets' arithmetic.
//!
//! Invariant: an attack on an account from elsewhere does not shut its owner out: attempts from an address at which a device of the
//! account was seen have a bucket of their own.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use plop_base::Network;
use plop_base::buckets::{Buckets, Rate};
use ruma::{OwnedUserId, UserId};

use crate::email_address::EmailAddress;
use crate::parameters::{LoginLimits, MailLimits, RegistrationLimits};

/// Too many attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts")]
pub struct Limited {
    /// When the next one may pass.
    pub retry_after: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Bucket {
    LoginAccount(OwnedUserId),
    LoginAtHome(OwnedUserId, Network),
    LoginAddress(Network),
    LoginEveryone,
    RegistrationAddress(Network),
    RegistrationEveryone,
    GuestAddress(Network),
    GuestEveryone,
    MailAddress(EmailAddress),
    MailNetwork(Network),
    MailEveryone,
}

/// All buckets.
pub(crate) struct AttemptLimits(Mutex<Buckets<Bucket>>);

impl AttemptLimits {
    pub fn new() -> Self {
        Self(Mutex::default())
    }

    /// One try of a password. `at_home` says that a device of the account was seen at this address; `user` is `None` for a name that
    /// nobody here can have.
    pub fn login(
        &self,
        now: Duration,
        limits: &LoginLimits,
        user: Option<&UserId>,
        from: IpAddr,
        at_home: bool,
    ) -> Result<(), Limited> {
        let network = Network::of(from);
        let address = (Bucket::LoginAddress(network), limits.address);
        let everyone = (Bucket::LoginEveryone, limits.everyone);
        match user.map(ToOwned::to_owned) {
            Some(user) if at_home => {
                self.take(now, &[(Bucket::LoginAtHome(user, network), limits.account), address])
            }
            Some(user) => self.take(now, &[(Bucket::LoginAccount(user), limits.account), address, everyone]),
            None => self.take(now, &[address, everyone]),
        }
    }

    /// One registration, or one try of a registration token.
    pub fn registration(
        &self,
        now: Duration,
        limits: &RegistrationLimits,
        from: IpAddr,
    ) -> Result<(), Limited> {
        let address = (Bucket::RegistrationAddress(Network::of(from)), limits.address);
        self.take(now, &[address, (Bucket::RegistrationEveryone, limits.everyone)])
    }

    /// One new guest.
    pub fn guest(&self, now: Duration, limits: &RegistrationLimits, from: IpAddr) -> Result<(), Limited> {
        let address = (Bucket::GuestAddress(Network::of(from)), limits.address);
        self.take(now, &[address, (Bucket::GuestEveryone, limits.everyone)])
    }

    /// One mail.
    pub fn mail(
        &self,
        now: Duration,
        limits: &MailLimits,
        to: &EmailAddress,
        from: IpAddr,
    ) -> Result<(), Limited> {
        let address = (Bucket::MailAddress(to.clone()), limits.address);
        let network = (Bucket::MailNetwork(Network::of(from)), limits.network);
        self.take(now, &[address, network, (Bucket::MailEveryone, limits.everyone)])
    }

    fn take(&self, now: Duration, buckets: &[(Bucket, Rate)]) -> Result<(), Limited> {
        // Another holder's panic leaves whole buckets.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.take(now, buckets).map_err(|retry_after| Limited { retry_after })
    }
}
