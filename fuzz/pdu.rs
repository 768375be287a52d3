//! An event of another server: its stored form reads back, and its redacted form is the same event.

use std::collections::BTreeMap;

use plop_state::Pdu;
use plop_state::pdu::ClientFormat;
use plop_state::relation::Relation;
use plop_state::sign::{SigningKey, required_signers, verify};
use plop_state::version::{ALL, Rules};

/// Takes what another server calls an event, in each room version.
pub fn target(data: &[u8]) {
    for rules in &ALL {
        if let Ok(pdu) = Pdu::parse(data, rules) {
            holds_for(&pdu, rules);
        }
    }
}

fn holds_for(pdu: &Pdu, rules: &Rules) {
    let redacted = pdu.redacted(rules);
    for event in [pdu, &redacted] {
        let stored = Pdu::from_stored(event.canonical(), None, rules);
        let stored = stored.unwrap_or_else(|error| panic!("{error}: {}", event.canonical()));
        assert_eq!(stored.canonical(), event.canonical());
        assert_eq!(
            (stored.event_id(), stored.room_id(), stored.sender(), stored.redacts()),
            (event.event_id(), event.room_id(), event.sender(), event.redacts())
        );
        assert_eq!(event.event_id(), pdu.event_id());
        assert_eq!(event.reference_hash_text(rules), pdu.reference_hash_text(rules));
        for format in [ClientFormat::Full, ClientFormat::WithoutRoomId, ClientFormat::Federation] {
            // Open, for what each reader gets in `unsigned`.
            let text = event.client_json(rules, format) + "}";
            assert!(serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok(), "{text}");
        }
        let _ = Relation::of(event);
    }
    assert_eq!(redacted.redacted(rules).canonical(), redacted.canonical());

    // Without keys nothing verifies that somebody must have signed. Then with the sender's key.
    let nobody_signs = required_signers(pdu, rules).is_ok_and(|signers| signers.is_empty());
    assert_eq!(verify(pdu, &BTreeMap::new(), rules).is_ok(), nobody_signs);
    let server = pdu.sender().server_name().to_owned();
    let Ok(key) = SigningKey::from_seed(server.clone(), "1", &[7; 32]) else { return };
    let known = BTreeMap::from([(key.id().into(), key.verify_key(plop_base::UnixMillis(u64::MAX)))]);
    let _ = verify(pdu, &BTreeMap::from([(server, known)]), rules);
}
