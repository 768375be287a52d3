//! The rule for invitations that redeem an `m.room.third_party_invite` (part 1 of the rule on `invite`).

use ed25519_dalek::{Signature, VerifyingKey};

use crate::json::{Object, Value, canonical_object};
use crate::pdu::Pdu;
use crate::unpadded_base64;

use super::error::ThirdPartyInviteError as Error;
use super::state::AuthState;

/// Most verifications for one event. An honest one has one signature and one or two keys; two hostile events of
/// 65 kB could ask for half a million.
const MAX_VERIFICATIONS: usize = 256;

/// Checks `content.third_party_invite` of an invitation of `target`, who is known not to be banned.
pub(super) fn check(invite: &Value, target: &str, sender: &str, state: &impl AuthState) -> Result<(), Error> {
    let signed = invite.get("signed").and_then(Value::as_object).ok_or(Error::Malformed)?;
    let mxid = signed.get("mxid").ok_or(Error::Malformed)?;
    let token = signed.get("token").and_then(Value::as_str).ok_or(Error::Malformed)?;
    if mxid.as_str() != Some(target) {
        return Err(Error::OtherUser);
    }
    let redeemed = state.third_party_invite(token).ok_or(Error::UnknownToken)?;
    if redeemed.sender().as_str() != sender {
        return Err(Error::OtherSender);
    }
    if is_signed_by_key_of(signed, &redeemed) { Ok(()) } else { Err(Error::Signature) }
}

/// Whether any signature of `signed` is by any key of `invite`. What cannot be read is passed over.
fn is_signed_by_key_of(signed: &Object, invite: &Pdu) -> bool {
    let message = canonical_object(signed, &["signatures", "unsigned"]);
    let keys = public_keys(&invite.content_object());
    signatures(signed)
        .flat_map(|signature| keys.iter().map(move |key| (signature, key)))
        .take(MAX_VERIFICATIONS)
        .any(|(signature, key)| key.verify_strict(message.as_bytes(), &signature).is_ok())
}

fn signatures(signed: &Object) -> impl Iterator<Item = Signature> {
    let servers = signed.get("signatures").and_then(Value::as_object).into_iter().flatten();
    servers
        .filter_map(|(_, signatures)| signatures.as_object())
        .flatten()
        .filter(|(key_id, _)| key_id.starts_with("ed25519:"))
        .filter_map(|(_, signature)| {
            Signature::from_slice(&unpadded_base64::decode(signature.as_str()?)?).ok()
        })
}

/// `public_key`, and that of each of `public_keys`.
fn public_keys(content: &Object) -> Vec<VerifyingKey> {
    let listed = content.get("public_keys").and_then(Value::as_array).unwrap_or_default();
    let listed = listed.iter().filter_map(|entry| entry.get("public_key"));
    content
        .get("public_key")
        .into_iter()
        .chain(listed)
        .take(MAX_VERIFICATIONS)
        .filter_map(|key| {
            // Both alphabets are allowed (client-server API, `m.room.third_party_invite`).
            let standard = key.as_str()?.replace('-', "+").replace('_', "/");
            VerifyingKey::try_from(unpadded_base64::decode(&standard)?.as_slice()).ok()
        })
        .collect()
}
