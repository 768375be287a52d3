//! One-time and fallback keys as they are uploaded.
//!
//! Owns: their checks. Does not own: which of them are there already ([`super::uploading`]), whether a signature is right: the user who claims a key
//! verifies it against the device (client-server API, "One-time and fallback keys"), and would not trust a server that says it did.

use plop_state::json::{Object, Value, write_canonical};

use super::error::KeyRejected;
use super::{MAX_KEY_BYTES, MAX_NAME_BYTES, Owner};

/// A usual key has less, in bytes of canonical JSON.
const USUAL_KEY_BYTES: usize = 256;

/// A key.
pub struct NewKey {
    pub algorithm: String,
    pub id: String,
    /// Canonical JSON.
    pub text: String,
}

/// What tells two keys apart.
pub fn hash(text: &str) -> [u8; 16] {
    let mut hash = [0; 16];
    hash.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..16]);
    hash
}

/// Checks keys of a device.
pub fn checked(keys: &Object, owner: &Owner) -> Result<Vec<NewKey>, KeyRejected> {
    let (user, device) = owner;
    let signer = (user.as_str(), format!("ed25519:{device}"));
    keys.iter().map(|(name, key)| one(name, key, (signer.0, &signer.1))).collect()
}

/// Checks a key that is signed by a user's device, if it is signed.
fn one(name: &str, key: &Value, (user, signer): (&str, &str)) -> Result<NewKey, KeyRejected> {
    let (algorithm, id) =
        name.split_once(':').ok_or(KeyRejected::Malformed("a key is not named `<algorithm>:<key_id>`"))?;
    if [algorithm, id].iter().any(|part| part.is_empty() || part.len() > MAX_NAME_BYTES) {
        return Err(KeyRejected::Malformed("the algorithm or the identifier of a key is empty, or too long"));
    }
    match key {
        Value::String(_) if !algorithm.starts_with("signed_") => {}
        Value::Object(object) => {
            if object.get("key").and_then(Value::as_str).is_none() {
                return Err(KeyRejected::Malformed("a signed key has no `key`"));
            }
            let by = object.get("signatures").and_then(|signatures| signatures.get(user));
            let signature = by.and_then(|by| by.get(signer));
            if signature.and_then(Value::as_str).is_none() {
                return Err(KeyRejected::InvalidSignature);
            }
        }
        _ => return Err(KeyRejected::Malformed("a key is neither a string nor signed")),
    }
    let mut text = String::with_capacity(USUAL_KEY_BYTES);
    write_canonical(&mut text, key);
    if text.len() > MAX_KEY_BYTES {
        return Err(KeyRejected::TooLarge);
    }
    Ok(NewKey { algorithm: algorithm.to_owned(), id: id.to_owned(), text })
}
