//! Signatures of events.

use std::collections::{BTreeMap, BTreeSet};

use plop_base::UnixMillis;
use plop_base::limits::MAX_ID_BYTES;
use ruma::{OwnedServerName, OwnedUserId};
use thiserror::Error;

use super::{
    keys::{KeyId, SigningKey, VerifyKeys},
    object::insert_signature,
};
use crate::{
    json::{Members, members, parse_object, unescape},
    pdu::{FormatError, Pdu, content_hash},
    redact::signed_bytes,
    unpadded_base64,
    version::Rules,
};

/// The one signature algorithm; others are passed over.
const ED25519: &str = "ed25519:";

/// What was found of an event whose signatures are right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// The content hash fits too: the event is as its server made it.
    All,
    /// The content hash does not fit: only [`Pdu::redacted`] is what its server signed, and only that may be used.
    HashMismatch,
}

/// Why an event's signatures do not make it an event of its server. It is dropped.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// There is no signature of a server that must sign.
    #[error("not signed by {0}")]
    NotSigned(OwnedServerName),
    /// A server that must sign did so only with keys that are unknown or do not count for the event's time. With more
    /// keys the verdict may change.
    #[error("no usable key of {0}")]
    NoUsableKey(OwnedServerName),
    /// A signature is wrong.
    #[error("wrong signature of {0}")]
    Wrong(OwnedServerName),
    /// `join_authorised_via_users_server` is not a user id, so nobody could have signed for it.
    #[error("the authorising user is no user id")]
    NoAuthorisingServer,
}

/// The servers that must have signed an event (server-server API, "Validating hashes and signatures on received
/// events"; room version 8 for restricted joins).
pub fn required_signers(pdu: &Pdu, rules: &Rules) -> Result<BTreeSet<OwnedServerName>, SignatureError> {
    let mut servers = BTreeSet::new();
    let content = members(pdu.content_text());
    let content_of_member = content.as_ref().filter(|_| pdu.type_name() == "m.room.member");
    // The sender of an invite by third-party identifier only stands for who asked for it: another server makes the
    // event, and the auth rules check the identity server's signature.
    let by_third_party = pdu.membership() == Some("invite")
        && content_of_member
            .and_then(|content| content.get("third_party_invite"))
            .is_some_and(|invite| invite.starts_with('{'));
    if !by_third_party {
        servers.insert(pdu.sender().server_name().to_owned());
    }
    if rules.spec.signatures.check_event_id_server {
        servers.extend(pdu.event_id().server_name().map(ToOwned::to_owned));
    }
    let authoriser = content_of_member.and_then(|content| content.get("join_authorised_via_users_server"));
    if let Some(user) = authoriser.filter(|_| rules.spec.signatures.check_join_authorised_via_users_server) {
        let user = unescape(user).and_then(|user| OwnedUserId::try_from(user.as_ref()).ok());
        servers.insert(user.ok_or(SignatureError::NoAuthorisingServer)?.server_name().to_owned());
    }
    Ok(servers)
}

/// The keys by which the servers that must sign claim to have signed: what to have in hand before [`verify`]. How many
/// ids an event lists is up to who made it; whoever fetches keys sets the bound. No key has an id longer than
/// [`MAX_ID_BYTES`].
pub fn keys_wanted(
    pdu: &Pdu,
    rules: &Rules,
) -> Result<BTreeMap<OwnedServerName, BTreeSet<KeyId>>, SignatureError> {
    let signatures = pdu.members().get("signatures").and_then(members);
    let ids_of = |server: &str| {
        let by_server = signatures.as_ref().and_then(|signatures| members(signatures.get(server)?));
        let ids = by_server.iter().flat_map(Members::iter).map(|(id, _)| id);
        let ids = ids.filter(|id| id.starts_with(ED25519) && id.len() <= MAX_ID_BYTES);
        ids.map(KeyId::from).collect()
    };
    Ok(required_signers(pdu, rules)?
        .into_iter()
        .map(|server| (server.clone(), ids_of(server.as_str())))
        .collect())
}

/// Checks an event's signatures and then its content hash. Of each server that must sign, every signature by a known
/// key that counts for the event's time must be right, and there must be one; other signatures are passed over.
pub fn verify(pdu: &Pdu, keys: &VerifyKeys, rules: &Rules) -> Result<Verified, SignatureError> {
    let event = pdu.members();
    let message = signed_bytes(&event, &rules.spec.redaction);
    let signatures = event.get("signatures").and_then(members);
    for server in required_signers(pdu, rules)? {
        let by_server = signatures
            .as_ref()
            .and_then(|signatures| members(signatures.get(server.as_str())?))
            .ok_or_else(|| SignatureError::NotSigned(server.clone()))?;
        verify_server(pdu, server, &by_server, &message, keys, rules)?;
    }
    let claimed = event.get("hashes").and_then(members).and_then(|hashes| hashes.get("sha256"));
    let claimed = claimed.and_then(unescape).and_then(|hash| unpadded_base64::decode(&hash));
    let fits = claimed.as_deref() == Some(content_hash(&event).as_slice());
    Ok(if fits { Verified::All } else { Verified::HashMismatch })
}

fn verify_server(
    pdu: &Pdu,
    server: OwnedServerName,
    signatures: &Members<'_>,
    message: &str,
    keys: &VerifyKeys,
    rules: &Rules,
) -> Result<(), SignatureError> {
    let ts = UnixMillis(pdu.origin_server_ts().get().into());
    let mut understood = signatures
        .iter()
        .filter_map(|(id, signature)| Some((id, unescape(signature)?)))
        .filter(|(id, _)| id.starts_with(ED25519))
        .peekable();
    if understood.peek().is_none() {
        return Err(SignatureError::NotSigned(server));
    }
    let known = keys.get(&server);
    let mut verified = false;
    for (id, signature) in understood {
        let key = known.and_then(|known| known.get(id));
        let Some(key) = key.filter(|key| key.counts_at(ts, rules.spec.enforce_key_validity)) else {
            continue;
        };
        if !key.verifies(message.as_bytes(), &signature) {
            return Err(SignatureError::Wrong(server));
        }
        verified = true;
    }
    if verified { Ok(()) } else { Err(SignatureError::NoUsableKey(server)) }
}

/// Our signature over an event that has its hashes.
pub(crate) fn sign_event(event: &Members<'_>, key: &SigningKey, rules: &Rules) -> String {
    key.sign(signed_bytes(event, &rules.spec.redaction).as_bytes())
}

/// The event with our signature added, as for an invitation of one of our users or a restricted join that we authorise.
/// What it covers was made by another server: whoever calls this has checked every part of it.
///
/// # Errors
/// With one more signature the event is too large.
pub fn countersign(pdu: &Pdu, key: &SigningKey, rules: &Rules) -> Result<Pdu, FormatError> {
    let mut event = parse_object(pdu.canonical().as_bytes(), rules.numbers)?;
    insert_signature(&mut event, key, sign_event(&pdu.members(), key, rules));
    Pdu::from_object(&event, rules)
}
