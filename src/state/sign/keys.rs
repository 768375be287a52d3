//! Keys.

use std::{collections::BTreeMap, fmt, time::Duration};

use ed25519_dalek::{Signature, Signer};
use plop_base::UnixMillis;
use ruma::{OwnedServerName, ServerName};
use thiserror::Error;

use crate::unpadded_base64;

/// The public half of a signing key whose secret half was published by accident (CVE-2026-24044). Nothing that it
/// signed is evidence of anything.
const PUBLISHED_KEY: &str = "l/O9hxMVKB6Lg+3Hqf0FQQZhVESQcMzbPN1Cz2nM3og";

/// How far into the future a key is taken as valid, whatever its server says (room version 5, "Signing key validity
/// period").
const HORIZON: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// `algorithm:name` of a key, such as `ed25519:a_Bc`.
pub type KeyId = Box<str>;

/// What is known of the keys of some servers.
pub type VerifyKeys = BTreeMap<OwnedServerName, BTreeMap<KeyId, VerifyKey>>;

/// Why bytes are not a usable key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyError {
    /// Not base64 of 32 bytes, or not a point of the curve.
    #[error("not an ed25519 key")]
    Malformed,
    /// A point of small order: with it, one signature fits many messages.
    #[error("a weak ed25519 key")]
    Weak,
    /// A key whose secret half is public.
    #[error("a key whose secret half is public")]
    Published,
}

/// A public key: a server's, a device's, a user's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyKey {
    key: ed25519_dalek::VerifyingKey,
    validity: Validity,
}

/// For which events a key counts, by their `origin_server_ts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// A key in use (`verify_keys`), for events up to then. Only room version 5 and later ask.
    Until(UnixMillis),
    /// A key given up (`old_verify_keys`), for events before then, in every version.
    Expired(UnixMillis),
}

impl VerifyKey {
    /// A key that a server published as in use until `valid_until`. What lies more than 7 days after `now` is cut off.
    pub fn current(key: &[u8], valid_until: UnixMillis, now: UnixMillis) -> Result<Self, KeyError> {
        Ok(Self { key: decode_key(key)?, validity: Validity::Until(valid_until.min(now.plus(HORIZON))) })
    }

    /// A key that a server published as given up at `expired`.
    pub fn expired(key: &[u8], expired: UnixMillis) -> Result<Self, KeyError> {
        Ok(Self { key: decode_key(key)?, validity: Validity::Expired(expired) })
    }

    /// A key of a device or a user, in base64 (client-server API, "Key algorithms"). It is no server's, and counts until it is replaced.
    pub fn published(key: &str) -> Result<Self, KeyError> {
        let bytes = unpadded_base64::decode(key).ok_or(KeyError::Malformed)?;
        Ok(Self { key: decode_key(&bytes)?, validity: Validity::Until(UnixMillis(u64::MAX)) })
    }

    /// For which events it counts.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// Its 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    pub(super) fn counts_at(&self, ts: UnixMillis, enforce_validity: bool) -> bool {
        match self.validity {
            Validity::Until(end) => !enforce_validity || ts <= end,
            Validity::Expired(end) => ts < end,
        }
    }

    /// Whether `signature` (base64) is this key's over `message`.
    pub fn verifies(&self, message: &[u8], signature: &str) -> bool {
        unpadded_base64::decode(signature)
            .and_then(|bytes| Signature::from_slice(&bytes).ok())
            .is_some_and(|signature| self.key.verify_strict(message, &signature).is_ok())
    }
}

fn decode_key(bytes: &[u8]) -> Result<ed25519_dalek::VerifyingKey, KeyError> {
    let bytes: &[u8; 32] = bytes.try_into().map_err(|_| KeyError::Malformed)?;
    if unpadded_base64::decode(PUBLISHED_KEY).is_some_and(|published| published == bytes) {
        return Err(KeyError::Published);
    }
    let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Malformed)?;
    if key.is_weak() { Err(KeyError::Weak) } else { Ok(key) }
}

/// The secret key with which a server signs.
pub struct SigningKey {
    server: OwnedServerName,
    id: KeyId,
    key: ed25519_dalek::SigningKey,
}

impl SigningKey {
    /// The key of `server` from its 32 secret bytes. `name` is what follows `ed25519:` in its id.
    pub fn from_seed(server: OwnedServerName, name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let key = ed25519_dalek::SigningKey::from_bytes(seed);
        decode_key(key.verifying_key().as_bytes())?;
        Ok(Self { server, id: format!("ed25519:{name}").into(), key })
    }

    /// Who signs.
    pub fn server(&self) -> &ServerName {
        &self.server
    }

    /// The key's id, with its algorithm.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The 32 bytes of the public half.
    pub fn public(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// The public half as others see it, valid until then.
    pub fn verify_key(&self, valid_until: UnixMillis) -> VerifyKey {
        VerifyKey { key: self.key.verifying_key(), validity: Validity::Until(valid_until) }
    }

    /// The signature over `message` in unpadded base64.
    pub fn sign(&self, message: &[u8]) -> String {
        unpadded_base64::encode(&self.key.sign(message).to_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} {})", self.server, self.id)
    }
}
