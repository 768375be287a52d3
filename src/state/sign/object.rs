//! Signatures of JSON objects that are no events: server keys, third-party invites, requests.

use super::keys::{SigningKey, VerifyKey};
use crate::json::{Object, Value, canonical_object};

const NOT_COVERED: [&str; 2] = ["signatures", "unsigned"];

/// Adds our signature (appendices, "Signing Details"). Signatures that are there stay.
pub fn sign_json(object: &mut Object, key: &SigningKey) {
    let signature = key.sign(canonical_object(object, &NOT_COVERED).as_bytes());
    let signatures = as_object(object.entry("signatures".to_owned()).or_insert(Value::Null));
    let ours = as_object(signatures.entry(key.server().to_string()).or_insert(Value::Null));
    ours.insert(key.id().to_owned(), signature.into());
}

/// The object in this place; whatever else stands there gives way to an empty one.
fn as_object(value: &mut Value) -> &mut Object {
    if !matches!(value, Value::Object(_)) {
        *value = Value::Object(Object::new());
    }
    match value {
        Value::Object(object) => object,
        // Set just above.
        _ => unreachable!("the value is an object"),
    }
}

/// Whether the object bears a signature of `entity` by this key (appendices, "Checking for a Signature"). Whether the
/// key counts is for the caller to know.
pub fn verify_json(object: &Object, entity: &str, key_id: &str, key: &VerifyKey) -> bool {
    let signature = object
        .get("signatures")
        .and_then(|signatures| signatures.get(entity)?.get(key_id)?.as_str())
        .filter(|_| key_id.starts_with("ed25519:"));
    signature
        .is_some_and(|signature| key.verifies(canonical_object(object, &NOT_COVERED).as_bytes(), signature))
}
