//! What accounts need of somebody who sends mails.
//!
//! Owns: the trait, and what a mail says. Does not own: its words and its way ([`plop_mail`](../plop_mail/index.html) has both).

use std::fmt;

use ruma::OwnedUserId;

use crate::email_address::EmailAddress;

/// Sends mails some time after they were posted, or never: nobody who posts one waits.
pub trait Mailer: fmt::Debug + Send + Sync {
    /// # Errors
    /// So many wait already that one more would come too late.
    fn post(&self, mail: Mail) -> Result<(), TooManyMails>;
}

/// A mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub to: EmailAddress,
    pub says: MailText,
}

/// What a mail says. A link is a secret.
#[derive(Clone, PartialEq, Eq)]
pub enum MailText {
    /// Somebody registers with this address: if it was you, follow the link.
    ConfirmRegistration { link: String },
    /// Somebody adds this address to an account.
    ConfirmAddress { link: String },
    /// Somebody wants to set the password of this account anew.
    ConfirmPasswordReset { user: OwnedUserId, link: String },
    /// Somebody registers with, or adds, this address, which an account has.
    AddressInUse { user: OwnedUserId },
    /// Somebody wants to set a password anew, but no account has this address.
    AddressUnknown,
}

impl fmt::Debug for MailText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConfirmRegistration { .. } => "ConfirmRegistration",
            Self::ConfirmAddress { .. } => "ConfirmAddress",
            Self::ConfirmPasswordReset { .. } => "ConfirmPasswordReset",
            Self::AddressInUse { .. } => "AddressInUse",
            Self::AddressUnknown => "AddressUnknown",
        })
    }
}

/// The queue of mails is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many mails wait to be sent")]
pub struct TooManyMails;
