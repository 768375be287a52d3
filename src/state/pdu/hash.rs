//! Hashes of events and the event ids made of them.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use ruma::{OwnedEventId, room_version_rules::EventIdFormatVersion};
use sha2::{Digest, Sha256};

use crate::{json::Members, redact::signed_bytes, version::Rules};

/// The content hash of an event (server-server API, "Calculating the content hash").
pub fn content_hash(event: &Members<'_>) -> [u8; 32] {
    let covered = event.iter().filter(|(key, _)| !matches!(*key, "hashes" | "signatures" | "unsigned"));
    let mut sha = Sha256::new();
    let mut separator = "{\"";
    for (key, value) in covered {
        for part in [separator, key, "\":", value] {
            sha.update(part);
        }
        separator = ",\"";
    }
    sha.update(if separator == "{\"" { "{}" } else { "}" });
    sha.finalize().into()
}

/// The reference hash of an event (server-server API, "Calculating the reference hash for an event").
pub fn reference_hash(event: &Members<'_>, rules: &Rules) -> [u8; 32] {
    Sha256::digest(signed_bytes(event, &rules.spec.redaction)).into()
}

/// The event id made of the reference hash, or `None` in the versions (1 and 2) where an event carries its id.
pub(crate) fn event_id(reference_hash: &[u8; 32], rules: &Rules) -> Option<OwnedEventId> {
    let hash = match rules.spec.event_id_format {
        EventIdFormatVersion::V2 => STANDARD_NO_PAD.encode(reference_hash),
        EventIdFormatVersion::V3 => URL_SAFE_NO_PAD.encode(reference_hash),
        _ => return None,
    };
    // Always valid: a dollar sign, then 43 characters without a colon.
    OwnedEventId::try_from(format!("${hash}")).ok()
}
