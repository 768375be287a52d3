//! Signatures of JSON objects that are no events: server keys, third-party invites, requests.

use super::keys::{SigningKey, VerifyKey};
use crate::json::{Object, Value, canonical_object};

const NOT_COVERED: [&str; 2] = ["signatures", "unsigned"];

/// Adds our signature (appendices, "Signing Details"). Signatures that are there stay.
pub fn sign_json(object: &mut Object, key: &SigningKey) {
    let signature = key.sign(canonical_object(object, &NOT_COVERED).as_bytes());
    insert_signature(object, key, signature);
}

/// Puts our signature beside those that are there.
pub(super) fn insert_signature(object: &mut Object, key: &SigningKey, signature: String) {
    let mut signatures = take_object(object, "signatures");
    let mut ours = take_object(&mut signatures, key.server().as_str());
    ours.insert(key.id().to_owned(), signature.into());
    signatures.insert(key.server().to_string(), ours.into());
    object.insert("signatures".to_owned(), signatures.into());
}

/// Takes out a member that is an object; whatever else stands there gives way to an empty one.
fn take_object(object: &mut Object, name: &str) -> Object {
    match object.remove(name) {
        Some(Value::Object(member)) => member,
        _ => Object::new(),
    }
}

/// Whether the object bears a signature of `entity` by this key (appendices, "Checking for a Signature"). Whether
/// the key counts is for the caller to know.
pub fn verify_json(object: &Object, entity: &str, key_id: &str, key: &VerifyKey) -> bool {
    let signature = object
        .get("signatures")
        .and_then(|signatures| signatures.get(entity)?.get(key_id)?.as_str())
        .filter(|_| key_id.starts_with("ed25519:"));
    signature
        .is_some_and(|signature| key.verifies(canonical_object(object, &NOT_COVERED).as_bytes(), signature))
}
