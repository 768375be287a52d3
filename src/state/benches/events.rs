//! What an event costs: parse, read back, build and sign, verify.

use std::{collections::BTreeMap, hint::black_box};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use plop_base::UnixMillis;
use plop_state::{
    Pdu, Rules,
    builder::EventBuilder,
    json::to_object,
    pdu::ClientFormat,
    rules,
    sign::{SigningKey, VerifyKeys, verify},
};
use ruma::{EventId, RoomId, RoomVersionId, ServerName, UserId};
use serde_json::{Value, json};

const NOW: u64 = 1_700_000_000_000;

fn builder(kind: &str, content: &Value) -> EventBuilder {
    let room = RoomId::parse("!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM").unwrap();
    let sender = UserId::parse("@alice:a.test").unwrap();
    let id = |seed: &str| EventId::parse(format!("${seed:x<43}")).unwrap();
    let mut builder = EventBuilder::new(Some(room), kind, sender, to_object(content).unwrap());
    builder.prev_events = vec![id("a")];
    builder.auth_events = vec![id("b"), id("c")];
    builder.depth = 12;
    builder.origin_server_ts = NOW;
    builder
}

/// A message of about 1 kB, a message of 65 kB of text, and power levels with 2,000 users.
fn samples() -> [(&'static str, &'static str, Value); 3] {
    let text = "Lorem ipsum \"dolor\" sit amet, ";
    let users: BTreeMap<String, i64> = (0..2000).map(|n| (format!("@user{n}:a.test"), n)).collect();
    [
        ("1 kB text", "m.room.message", json!({"msgtype": "m.text", "body": text.repeat(12)})),
        ("64 kB text", "m.room.message", json!({"msgtype": "m.text", "body": text.repeat(2000)})),
        ("44 kB of levels", "m.room.power_levels", json!({"users": users})),
    ]
}

fn events(c: &mut Criterion) {
    let rules: &Rules = rules(&RoomVersionId::V12).unwrap();
    let key = SigningKey::from_seed(ServerName::parse("a.test").unwrap(), "1", &[7; 32]).unwrap();
    let known = BTreeMap::from([(key.id().into(), key.verify_key(UnixMillis(NOW)))]);
    let keys: VerifyKeys = BTreeMap::from([(key.server().to_owned(), known)]);
    for (name, kind, content) in samples() {
        let builder = builder(kind, &content);
        let pdu = builder.clone().build(rules, &key).unwrap();
        let text = pdu.canonical().to_owned();
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function("build, hash and sign", |b| {
            b.iter(|| builder.clone().build(rules, &key).unwrap())
        });
        group.bench_function("parse", |b| b.iter(|| Pdu::parse(black_box(text.as_bytes()), rules).unwrap()));
        group.bench_function("read back with its id", |b| {
            let id = pdu.event_id_owned();
            b.iter(|| Pdu::from_stored(black_box(text.as_str()), Some(id.clone()), rules).unwrap());
        });
        group.bench_function("verify", |b| b.iter(|| verify(black_box(&pdu), &keys, rules).unwrap()));
        group.bench_function("redact", |b| b.iter(|| black_box(&pdu).redacted(rules)));
        group.bench_function("client form", |b| {
            b.iter(|| black_box(&pdu).client_json(rules, ClientFormat::Full))
        });
        group.finish();
    }
}

criterion_group!(benches, events);
criterion_main!(benches);
