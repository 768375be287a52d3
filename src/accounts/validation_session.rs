//! Sessions in which an e-mail address is proven: for what, to whom, and how far it is.
//!
//! Invariant: what a session proves it proves for one purpose and to who knows its client's secret.

use plop_base::UnixMillis;
use ruma::OwnedUserId;

use crate::email_address::EmailAddress;
use crate::secrets::SecretHash;

/// What an address is proven for. A proof for one is none for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmailPurpose {
    Register,
    AddAddress,
    ResetPassword,
}

/// What a link is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub purpose: EmailPurpose,
    pub address: EmailAddress,
    /// Whose password is to be set.
    pub user: Option<OwnedUserId>,
    /// Where the page leads to afterwards.
    pub next_link: Option<String>,
}

/// An address that is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ValidatedAddress {
    /// The session that proves it, until what it is for is done.
    pub sid: String,
    pub address: EmailAddress,
    pub at: UnixMillis,
    /// The account whose password is to be set.
    pub user: Option<OwnedUserId>,
}

/// A proof that is being made.
pub(crate) struct ValidationSession {
    pub link: Link,
    pub client_secret: SecretHash,
    pub send_attempt: u64,
    /// In each of its mails.
    pub token: String,
    pub wrong_tokens: u32,
    pub validated: Option<UnixMillis>,
}

impl ValidationSession {
    /// The address, if this session proves it to who knows the secret.
    pub fn proves(&self, sid: &str, purpose: EmailPurpose, client_secret: &str) -> Option<ValidatedAddress> {
        let theirs = self.link.purpose == purpose && self.client_secret == SecretHash::of(client_secret);
        let at = self.validated.filter(|_| theirs)?;
        let (address, user) = (self.link.address.clone(), self.link.user.clone());
        Some(ValidatedAddress { sid: sid.to_owned(), address, at, user })
    }
}
