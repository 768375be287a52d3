//! Keys as clients make them.
//!
//! Owns: [`Signer`], an ed25519 key of a device or a user, and what it signs. Does not own: what servers make of it.

use plop_state::json::{NumberRule, Object, Value, canonical_object, parse_object};
use plop_state::sign::SigningKey;
use ruma::UserId;

use crate::server;

/// A key of a device or a user.
pub struct Signer(SigningKey);

impl Signer {
    /// The key of this number.
    pub fn new(number: u8) -> Self {
        Self(SigningKey::from_seed(server(), "x", &[number; 32]).expect("a key"))
    }

    /// The public half, in base64.
    pub fn public(&self) -> String {
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD_NO_PAD, self.0.public())
    }

    /// Adds a signature of a user's key, which is named by the device or by its public half.
    pub fn sign(&self, object: &mut Object, user: &UserId, name: &str) {
        let signature = self.0.sign(canonical_object(object, &["signatures", "unsigned"]).as_bytes());
        let mut signatures = member(object, "signatures");
        let mut by = member(&mut signatures, user.as_str());
        by.insert(format!("ed25519:{name}"), signature.into());
        signatures.insert(user.to_string(), by.into());
        object.insert("signatures".to_owned(), signatures.into());
    }

    /// The identity keys of a device, signed by it.
    pub fn device_keys(&self, user: &UserId, device: &str) -> Object {
        let key = self.public();
        let mut keys = object(&format!(
            r#"{{"user_id":"{user}","device_id":"{device}",
            "algorithms":["m.olm.v1.curve25519-aes-sha2","m.megolm.v1.aes-sha2"],
            "keys":{{"ed25519:{device}":"{key}","curve25519:{device}":"{key}"}}}}"#
        ));
        self.sign(&mut keys, user, device);
        keys
    }

    /// One-time keys of a device of these numbers, signed by it.
    pub fn one_time_keys(
        &self,
        user: &UserId,
        device: &str,
        numbers: impl IntoIterator<Item = u32>,
    ) -> Object {
        let one = |number: u32| {
            let mut key = object(&format!(r#"{{"key":"key {number}"}}"#));
            self.sign(&mut key, user, device);
            (format!("signed_curve25519:{number:05}"), Value::from(key))
        };
        numbers.into_iter().map(one).collect()
    }

    /// A cross-signing key, signed by another one where it is no master key.
    pub fn cross_signing_key(&self, user: &UserId, usage: &str, master: Option<&Self>) -> Object {
        let key = self.public();
        let mut made = object(&format!(
            r#"{{"user_id":"{user}","usage":["{usage}"],"keys":{{"ed25519:{key}":"{key}"}}}}"#
        ));
        if let Some(master) = master {
            master.sign(&mut made, user, &master.public());
        }
        made
    }
}

fn object(text: &str) -> Object {
    parse_object(text.as_bytes(), NumberRule::Strict).expect("an object")
}

fn member(object: &mut Object, name: &str) -> Object {
    match object.remove(name) {
        Some(Value::Object(member)) => member,
        _ => Object::new(),
    }
}
