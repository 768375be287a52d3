//! Keys, events and rules that the tests share.

use std::collections::BTreeMap;

use plop_base::UnixMillis;
use ruma::{EventId, OwnedEventId, RoomId, RoomVersionId, ServerName, UserId};
use serde_json::{Value, json};

use crate::{
    builder::EventBuilder,
    json::to_object,
    pdu::Pdu,
    sign::{SigningKey, VerifyKey, VerifyKeys},
    version::{ALL, Rules, rules},
};

/// The time of every event here.
pub const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

pub fn all() -> impl Iterator<Item = &'static Rules> {
    ALL.iter()
}

pub fn version(number: u8) -> &'static Rules {
    rules(&RoomVersionId::try_from(number.to_string().as_str()).unwrap()).unwrap()
}

pub fn number(rules: &Rules) -> u8 {
    rules.version.as_str().parse().unwrap()
}

pub fn key(server: &str) -> SigningKey {
    let mut seed = [7; 32];
    for (slot, byte) in seed.iter_mut().zip(server.bytes()) {
        *slot = byte;
    }
    SigningKey::from_seed(ServerName::parse(server).unwrap(), "1", &seed).unwrap()
}

/// The keys of these servers, valid for a day after [`NOW`].
pub fn keys(servers: &[&str]) -> VerifyKeys {
    let valid = UnixMillis(NOW.0 + 86_400_000);
    servers
        .iter()
        .map(|server| {
            let key = key(server);
            let known = BTreeMap::from([(key.id().into(), key.verify_key(valid))]);
            (key.server().to_owned(), known)
        })
        .collect()
}

pub fn verify_keys(server: &str, keys: impl IntoIterator<Item = (&'static str, VerifyKey)>) -> VerifyKeys {
    let keys = keys.into_iter().map(|(id, key)| (id.into(), key)).collect();
    BTreeMap::from([(ServerName::parse(server).unwrap(), keys)])
}

pub fn event_id(rules: &Rules, name: &str) -> OwnedEventId {
    let domain = if rules.spec.event_format.require_event_id { ":a.test" } else { "" };
    EventId::parse(format!("${name}{domain}")).unwrap()
}

pub fn builder(rules: &Rules, kind: &str, content: Value) -> EventBuilder {
    let room =
        if number(rules) < 12 { "!room:a.test" } else { "!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM" };
    let room = RoomId::parse(room).unwrap();
    let sender = UserId::parse("@alice:a.test").unwrap();
    let mut builder = EventBuilder::new(Some(room), kind, sender, to_object(&content).unwrap());
    builder.prev_events = vec![event_id(rules, "parent")];
    builder.auth_events = vec![event_id(rules, "create"), event_id(rules, "levels")];
    builder.depth = 12;
    builder.origin_server_ts = NOW.0;
    builder.event_id = rules.spec.event_format.require_event_id.then(|| event_id(rules, "self"));
    builder
}

pub fn state(rules: &Rules, kind: &str, state_key: &str, content: Value) -> EventBuilder {
    EventBuilder { state_key: Some(state_key.to_owned()), ..builder(rules, kind, content) }
}

pub fn message(rules: &Rules) -> Pdu {
    let content = json!({"msgtype": "m.text", "body": "hello"});
    builder(rules, "m.room.message", content).build(rules, &key("a.test")).unwrap()
}

pub fn to_json(pdu: &Pdu) -> Value {
    serde_json::from_str(pdu.canonical()).unwrap()
}

/// An event of that version as another server would send it, changed by `change`.
pub fn changed(rules: &Rules, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut event = to_json(&message(rules));
    change(&mut event);
    event.to_string().into_bytes()
}

pub fn parse_json(event: &Value, rules: &Rules) -> Pdu {
    Pdu::parse(event.to_string().as_bytes(), rules).unwrap()
}
