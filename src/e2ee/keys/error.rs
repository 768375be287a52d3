//! Why keys are not published, claimed or told.

use plop_accounts::StoreError;
use plop_accounts::dehydrated::DehydrationError;
use plop_db::{CommitError, ReadError};

use super::{MAX_CLAIMS, MAX_FALLBACK_KEYS, MAX_ONE_TIME_KEYS, MAX_QUERIED, MAX_SIGNATURES};

/// What is wrong with a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRejected {
    /// A field is missing, or is not what it should be.
    #[error("{0}")]
    Malformed(&'static str),
    /// `user_id` or `device_id` is another one.
    #[error("these keys say that they are those of another user or device")]
    NotYours,
    #[error("a signature is missing, or does not verify")]
    InvalidSignature,
    #[error("a key is too large")]
    TooLarge,
}

/// Why keys are not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Only devices have keys; the session's may be gone meanwhile.
    #[error("this needs a device")]
    NoDevice,
    /// It was under way when the account ended.
    #[error("this account has ended")]
    AccountEnded,
    #[error(transparent)]
    Rejected(#[from] KeyRejected),
    #[error(transparent)]
    Dehydration(#[from] DehydrationError),
    /// A dehydrated device is made with its keys.
    #[error("there are no `device_keys`")]
    NoIdentityKeys,
    /// Clients look for this text.
    #[error("One time key {id} already exists. Old key: {old}; new key: {new}")]
    KeyExists { id: String, old: String, new: String },
    #[error("more than {MAX_ONE_TIME_KEYS} one-time keys, or {MAX_FALLBACK_KEYS} fallback keys")]
    TooManyKeys,
    #[error("more than {MAX_SIGNATURES} keys are signed in one request")]
    TooManySignatures,
    /// A device of the user is named like the key, or the other way round.
    #[error("the public key of a cross-signing key is the identifier of a device")]
    NameClash,
    #[error("there is no master key")]
    NoMasterKey,
    /// The user has to authorise that keys are replaced.
    #[error("replacing cross-signing keys needs interactive authentication")]
    NeedsConsent,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why no keys are claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    #[error("this needs a user")]
    NoUser,
    #[error("keys of more than {MAX_CLAIMS} devices in one request")]
    TooMany,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why no keys are told.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    #[error("this needs a user")]
    NoUser,
    #[error("more than {MAX_QUERIED} users or devices in one request")]
    TooMany,
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl From<ReadError> for PublishError {
    fn from(error: ReadError) -> Self {
        Self::Store(error.into())
    }
}

impl From<CommitError> for PublishError {
    fn from(error: CommitError) -> Self {
        Self::Store(error.into())
    }
}

impl From<ReadError> for ClaimError {
    fn from(error: ReadError) -> Self {
        Self::Store(error.into())
    }
}

impl From<CommitError> for ClaimError {
    fn from(error: CommitError) -> Self {
        Self::Store(error.into())
    }
}
