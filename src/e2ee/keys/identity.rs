//! Identity keys of devices: what is asked of them, and looking them up.
//!
//! Owns: the checks of an upload. Does not own: the batch ([`super::uploading`]).

use plop_accounts::schema::Devices;
use plop_db::codec::Tail;
use plop_db::{ReadError, Snapshot};
use plop_state::json::Object;
use ruma::UserId;

use super::Owner;
use super::error::KeyRejected;
use super::published::{Published, verify_key};
use crate::schema::{
    CrossSigningKeyRow, CrossSigningKeys, DeviceKeys, DeviceKeysRow, Inbox, KeyUsage, SignatureRow,
};

/// Checks the identity keys of a device. `self_signing`: its user's key, by which they may be signed, too.
///
/// Keys that nobody signed are taken as they are: no client believes them, and conformance tests upload such, whose ed25519 key is any 32 bytes. Those that
/// are signed have to be signed by the device.
pub fn checked(
    object: &Object,
    (user, device): &Owner,
    self_signing: Option<&CrossSigningKeyRow>,
) -> Result<DeviceKeysRow, KeyRejected> {
    let published = Published::new(object)?;
    published.expect("user_id", user.as_str())?;
    published.expect("device_id", device.as_str())?;
    published.texts("algorithms")?;
    let keys = published.keys()?;
    let of_device = |id: &&str| id.split_once(':').is_some_and(|(_, name)| name == device.as_str());
    if !keys.keys().all(of_device) {
        return Err(KeyRejected::Malformed("`keys` has an identifier that does not name the device"));
    }
    let signing_key = keys.get(format!("ed25519:{device}").as_str()).copied();
    let signing_key = signing_key.ok_or(KeyRejected::Malformed("`keys` has no ed25519 key of the device"))?;
    let signature = if published.has_signatures() {
        let key = verify_key(signing_key)?;
        Some(published.verified(user, device.as_str(), &key).ok_or(KeyRejected::InvalidSignature)?)
    } else {
        None
    };
    Ok(DeviceKeysRow {
        signing_key: signing_key.to_owned(),
        signature: signature.map(ToOwned::to_owned),
        self_signature: self_signing.and_then(|signer| signature_by(&published, user, signer)),
        keys: Tail(published.text.as_str().into()),
    })
}

/// The signature of a user's cross-signing key, if it is there and verifies.
pub fn signature_by(
    published: &Published<'_>,
    user: &UserId,
    signer: &CrossSigningKeyRow,
) -> Option<SignatureRow> {
    let key = verify_key(&signer.public).ok()?;
    let signature = published.verified(user, &signer.public, &key)?;
    Some(SignatureRow { key: signer.public.clone(), signature: signature.to_owned() })
}

/// A device with its time, and its identity keys; `None` where it is gone or has none.
pub async fn identity(
    snapshot: &Snapshot,
    owner: &Owner,
) -> Result<Option<(Inbox, DeviceKeysRow)>, ReadError> {
    let Some(device) = snapshot.get::<Devices>(owner).await? else { return Ok(None) };
    let inbox = (owner.0.clone(), owner.1.clone(), device.since);
    let row = snapshot.get::<DeviceKeys>(&inbox).await?;
    Ok(row.map(|row| (inbox, row)))
}

/// A cross-signing key.
pub async fn cross_signing_key(
    snapshot: &Snapshot,
    user: &UserId,
    usage: KeyUsage,
) -> Result<Option<CrossSigningKeyRow>, ReadError> {
    snapshot.get::<CrossSigningKeys>(&(user.to_owned(), usage)).await
}
