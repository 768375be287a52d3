//! Keys of devices: made, signed, uploaded, queried, claimed; messages to devices; key backups.
//!
//! A server may check signatures, so these are real; of the keys for key agreement nobody asks more than 32 bytes.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Account, Session, parse, segment};
use crate::http::Failure;

/// The algorithm of one-time keys.
const ONE_TIME: &str = "signed_curve25519";

/// What a device signs with.
#[derive(Debug)]
pub struct Identity {
    user_id: String,
    device_id: String,
    key: SigningKey,
}

/// Key objects of a device by key id.
pub type KeyObjects = BTreeMap<String, Value>;

impl Identity {
    /// The same for the same device, each time.
    pub fn of(account: &Account) -> Self {
        let mut secret = [0; 32];
        for (place, byte) in account.user_id.bytes().chain(account.device_id.bytes()).enumerate() {
            let slot: &mut u8 = &mut secret[place % 32];
            *slot = slot.wrapping_mul(31).wrapping_add(byte);
        }
        let (user_id, device_id) = (account.user_id.clone(), account.device_id.clone());
        Self { user_id, device_id, key: SigningKey::from_bytes(&secret) }
    }

    /// The device's own keys, signed by itself.
    pub fn device_keys(&self) -> Value {
        let verifying = STANDARD_NO_PAD.encode(self.key.verifying_key().as_bytes());
        let device = &self.device_id;
        self.signed(json!({
            "user_id": self.user_id,
            "device_id": device,
            "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
            "keys": {
                (format!("curve25519:{device}")): verifying,
                (format!("ed25519:{device}")): verifying,
            },
        }))
    }

    /// One-time keys with these ids; the same id has the same key.
    pub fn one_time_keys(&self, ids: impl IntoIterator<Item = String>) -> KeyObjects {
        let key = |id: String| {
            let mut bytes = [0; 32];
            id.bytes().enumerate().for_each(|(place, byte)| bytes[place % 32] ^= byte);
            (format!("{ONE_TIME}:{id}"), self.signed(json!({ "key": STANDARD_NO_PAD.encode(bytes) })))
        };
        ids.into_iter().map(key).collect()
    }

    /// An object with the device's signature of its canonical form, which for these objects is how they are written.
    fn signed(&self, mut object: Value) -> Value {
        let signature = self.key.sign(object.to_string().as_bytes());
        let signature = STANDARD_NO_PAD.encode(signature.to_bytes());
        object["signatures"] =
            json!({ (self.user_id.as_str()): { (format!("ed25519:{}", self.device_id)): signature } });
        object
    }
}

impl Session {
    /// Uploads the device's own keys, if they are given, and one-time keys. Gives how many of these the server has.
    pub async fn upload_keys(
        &mut self,
        device_keys: Option<&Value>,
        one_time_keys: &KeyObjects,
    ) -> Result<u64, Failure> {
        let mut body = json!({ "one_time_keys": one_time_keys });
        if let Some(keys) = device_keys {
            body["device_keys"] = keys.clone();
        }
        let answer: Value = parse(&self.post("/keys/upload", &body).await?)?;
        Ok(answer["one_time_key_counts"][ONE_TIME].as_u64().unwrap_or_default())
    }

    /// Asks for the keys of all devices of these users. Gives how many devices there are.
    pub async fn query_keys(&mut self, users: &[&str]) -> Result<usize, Failure> {
        #[derive(Deserialize)]
        struct Queried {
            device_keys: BTreeMap<String, BTreeMap<String, serde::de::IgnoredAny>>,
        }
        let asked: BTreeMap<_, _> = users.iter().map(|user| (*user, json!([]))).collect();
        let answer = self.post("/keys/query", &json!({ "device_keys": asked })).await?;
        Ok(parse::<Queried>(&answer)?.device_keys.values().map(BTreeMap::len).sum())
    }

    /// Claims a one-time key of a device. Gives its id, or `None` where none is left.
    pub async fn claim_key(&mut self, user: &str, device: &str) -> Result<Option<String>, Failure> {
        let body = json!({ "one_time_keys": { (user): { (device): ONE_TIME } } });
        let answer: Value = parse(&self.post("/keys/claim", &body).await?)?;
        let keys = answer["one_time_keys"][user][device].as_object();
        Ok(keys.and_then(|keys| keys.keys().next().cloned()))
    }

    /// Sends a message to one device.
    pub async fn send_to_device(
        &mut self,
        kind: &str,
        transaction: &str,
        (user, device): (&str, &str),
        content: &Value,
    ) -> Result<(), Failure> {
        let path = format!("/sendToDevice/{}/{}", segment(kind), segment(transaction));
        self.put(&path, &json!({ "messages": { (user): { (device): content } } })).await.map(drop)
    }

    /// Makes a key backup and gives its version.
    pub async fn create_backup(&mut self) -> Result<String, Failure> {
        let body = json!({
            "algorithm": "m.megolm_backup.v1.curve25519-aes-sha2",
            "auth_data": { "public_key": STANDARD_NO_PAD.encode([7; 32]), "signatures": {} },
        });
        let answer: Value = parse(&self.post("/room_keys/version", &body).await?)?;
        Ok(answer["version"].as_str().unwrap_or_default().to_owned())
    }

    /// The version of the backup that keys are stored in, if there is one.
    pub async fn current_backup(&mut self) -> Result<Option<String>, Failure> {
        let answer = match self.get("/room_keys/version").await {
            Err(Failure::Refused { status: 404, errcode, .. }) if errcode == "M_NOT_FOUND" => {
                return Ok(None);
            }
            answer => answer?,
        };
        Ok(parse::<Value>(&answer)?["version"].as_str().map(str::to_owned))
    }

    /// Stores keys of one room, by session, in a backup.
    pub async fn back_up(
        &mut self,
        version: &str,
        room: &str,
        sessions: &BTreeMap<String, Value>,
    ) -> Result<(), Failure> {
        let path = format!("/room_keys/keys?version={}", segment(version));
        self.put(&path, &json!({ "rooms": { (room): { "sessions": sessions } } })).await.map(drop)
    }

    /// The sessions of a room that are in a backup, with what is kept of each.
    pub async fn backed_up(&mut self, version: &str, room: &str) -> Result<BTreeMap<String, Value>, Failure> {
        #[derive(Deserialize)]
        struct Sessions {
            sessions: BTreeMap<String, Value>,
        }
        let path = format!("/room_keys/keys/{}?version={}", segment(room), segment(version));
        Ok(parse::<Sessions>(&self.get(&path).await?)?.sessions)
    }
}

/// A key for a backup: as large as real ones are.
pub fn backup_key(first_message_index: u64, text: &str) -> Value {
    json!({
        "first_message_index": first_message_index,
        "forwarded_count": 0,
        "is_verified": true,
        "session_data": {
            "ephemeral": STANDARD_NO_PAD.encode([1; 32]),
            "ciphertext": format!("{text}{}", "A".repeat(500)),
            "mac": STANDARD_NO_PAD.encode([2; 8]),
        },
    })
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signature, Verifier as _};
    use hyper::header::HeaderValue;

    use super::*;

    /// What a server has to find right (appendices, "Checking for a signature").
    #[test]
    fn keys_are_signed_by_the_device_that_they_name() {
        let account = Account {
            user_id: "@a:b.c".into(),
            device_id: "D".into(),
            password: String::new(),
            token: HeaderValue::from_static(""),
        };
        let identity = Identity::of(&account);
        let mut keys = identity.device_keys();
        let signature = keys["signatures"]["@a:b.c"]["ed25519:D"].as_str().expect("a signature").to_owned();
        keys.as_object_mut().expect("an object").remove("signatures");
        let bytes: [u8; 64] =
            STANDARD_NO_PAD.decode(signature).expect("base64").try_into().expect("64 bytes");
        let verified =
            identity.key.verifying_key().verify(keys.to_string().as_bytes(), &Signature::from_bytes(&bytes));
        assert!(verified.is_ok());
        let names: Vec<_> = keys.as_object().expect("an object").keys().map(String::as_str).collect();
        assert!(names.is_sorted(), "as canonical JSON has them: {names:?}");
    }
}
