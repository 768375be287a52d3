//! Objects that are published with signatures (appendices, "Signing JSON").
//!
//! Owns: the form in which they are kept, the form that clients get, what holds for device keys and cross-signing keys alike. Does not own: which
//! signatures count.
//!
//! Invariants: what is kept is the text that signatures are made over; signatures are kept beside it, each only once it was verified.

use std::collections::BTreeMap;

use plop_state::json::{Object, Value, canonical_object, write_string};
use plop_state::sign::VerifyKey;
use ruma::UserId;

use super::MAX_IDENTITY_BYTES;
use super::error::KeyRejected;

/// What signatures do not cover.
const NOT_COVERED: [&str; 2] = ["signatures", "unsigned"];

/// Signatures by user and by the identifier of the key that made them.
pub type Signatures<'a> = BTreeMap<&'a str, BTreeMap<String, &'a str>>;

/// An object as it came.
pub struct Published<'o> {
    object: &'o Object,
    /// Canonical JSON of what is signed.
    pub text: String,
}

impl<'o> Published<'o> {
    /// Refuses what is too large, or has signatures that are none.
    pub fn new(object: &'o Object) -> Result<Self, KeyRejected> {
        let text = canonical_object(object, &NOT_COVERED);
        if text.len() > MAX_IDENTITY_BYTES {
            return Err(KeyRejected::TooLarge);
        }
        let published = Self { object, text };
        published.check_signatures()?;
        Ok(published)
    }

    fn check_signatures(&self) -> Result<(), KeyRejected> {
        const MALFORMED: KeyRejected =
            KeyRejected::Malformed("`signatures` is no map of users to keys to signatures");
        let Some(signatures) = self.object.get("signatures") else { return Ok(()) };
        for by in signatures.as_object().ok_or(MALFORMED)?.values() {
            if by.as_object().is_none_or(|by| by.values().any(|signature| signature.as_str().is_none())) {
                return Err(MALFORMED);
            }
        }
        Ok(())
    }

    /// Whether it says at all that anybody has signed it.
    pub fn has_signatures(&self) -> bool {
        let by = self.object.get("signatures").and_then(Value::as_object);
        by.is_some_and(|by| by.values().filter_map(Value::as_object).any(|by| !by.is_empty()))
    }

    /// What a user's keys have signed: the identifier of the key, the signature.
    pub fn signatures_of(&self, user: &UserId) -> impl Iterator<Item = (&'o str, &'o str)> {
        let by = self.object.get("signatures").and_then(|signatures| signatures.get(user.as_str()));
        by.and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(id, signature)| Some((id.as_str(), signature.as_str()?)))
    }

    /// The signature of a user's key of this identifier (without `ed25519:`), if it verifies.
    pub fn verified(&self, user: &UserId, id: &str, key: &VerifyKey) -> Option<&'o str> {
        let id = format!("ed25519:{id}");
        let (_, signature) = self.signatures_of(user).find(|(by, _)| *by == id)?;
        key.verifies(self.text.as_bytes(), signature).then_some(signature)
    }

    /// A member that has to be this text.
    pub fn expect(&self, member: &str, text: &str) -> Result<(), KeyRejected> {
        match self.object.get(member).and_then(Value::as_str) {
            Some(found) if found == text => Ok(()),
            Some(_) => Err(KeyRejected::NotYours),
            None => Err(KeyRejected::Malformed("`user_id` or `device_id` is no string")),
        }
    }

    /// A member that has to be a list of texts.
    pub fn texts(&self, member: &str) -> Result<Vec<&'o str>, KeyRejected> {
        const MALFORMED: KeyRejected =
            KeyRejected::Malformed("`algorithms` or `usage` is no list of strings");
        let list = self.object.get(member).and_then(Value::as_array).ok_or(MALFORMED)?;
        list.iter().map(|item| item.as_str().ok_or(MALFORMED)).collect()
    }

    /// The public keys, by their identifiers.
    pub fn keys(&self) -> Result<BTreeMap<&'o str, &'o str>, KeyRejected> {
        const MALFORMED: KeyRejected =
            KeyRejected::Malformed("`keys` is no map of identifiers to public keys");
        let keys = self.object.get("keys").and_then(Value::as_object).ok_or(MALFORMED)?;
        keys.iter().map(|(id, key)| Ok((id.as_str(), key.as_str().ok_or(MALFORMED)?))).collect()
    }
}

/// A public ed25519 key.
pub fn verify_key(base64: &str) -> Result<VerifyKey, KeyRejected> {
    VerifyKey::published(base64).map_err(|_| KeyRejected::Malformed("an ed25519 key is none"))
}

/// What is kept, with its signatures and the name of a device, as clients get it.
pub fn shown(text: &str, signatures: &Signatures<'_>, display_name: Option<&str>) -> String {
    // It is an object with members.
    let mut out = text.strip_suffix('}').unwrap_or(text).to_owned();
    // Device keys have the member also without a signature.
    out.push_str(",\"signatures\":{");
    for (index, (user, by)) in signatures.iter().enumerate() {
        member(&mut out, index, user);
        out.push('{');
        for (index, (key, signature)) in by.iter().enumerate() {
            member(&mut out, index, key);
            write_string(&mut out, signature);
        }
        out.push('}');
    }
    out.push('}');
    if let Some(name) = display_name {
        out.push_str(",\"unsigned\":{\"device_display_name\":");
        write_string(&mut out, name);
        out.push('}');
    }
    out.push('}');
    out
}

/// The name of a member, and the comma before it; `index`: how many stand before.
pub fn member(out: &mut String, index: usize, key: &str) {
    if index > 0 {
        out.push(',');
    }
    write_string(out, key);
    out.push(':');
}
