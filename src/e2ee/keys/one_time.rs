//! One-time and fallback keys as they are uploaded.
//!
//! Owns: their checks. Does not own: which of them are there already ([`super::uploading`]).

use plop_state::json::{Object, Value, canonical};
use plop_state::sign::{VerifyKey, verify_json};

use super::error::KeyRejected;
use super::{MAX_KEY_BYTES, MAX_NAME_BYTES, Owner};

/// A key.
pub struct NewKey {
    pub algorithm: String,
    pub id: String,
    /// Canonical JSON.
    pub text: String,
}

/// Checks keys of a device. Where its identity is not known yet, what is signed cannot be verified, and clients do that.
pub fn checked(
    keys: &Object,
    owner: &Owner,
    identity: Option<&VerifyKey>,
) -> Result<Vec<NewKey>, KeyRejected> {
    keys.iter().map(|(name, key)| one(name, key, owner, identity)).collect()
}

fn one(
    name: &str,
    key: &Value,
    (user, device): &Owner,
    identity: Option<&VerifyKey>,
) -> Result<NewKey, KeyRejected> {
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
            let by = format!("ed25519:{device}");
            if identity.is_some_and(|identity| !verify_json(object, user.as_str(), &by, identity)) {
                return Err(KeyRejected::InvalidSignature);
            }
        }
        _ => return Err(KeyRejected::Malformed("a key is neither a string nor signed")),
    }
    let text = canonical(key);
    if text.len() > MAX_KEY_BYTES {
        return Err(KeyRejected::TooLarge);
    }
    Ok(NewKey { algorithm: algorithm.to_owned(), id: id.to_owned(), text })
}
