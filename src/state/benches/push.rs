//! What push rules cost for one event: reading it, a reader's rules, the default outcome, and globs on long text.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use plop_state::{
    Pdu,
    builder::EventBuilder,
    json::to_object,
    push::{Glob, PushEvent, Reader, RoomContext, default_outcome, evaluate},
    rules,
    sign::SigningKey,
};
use ruma::{EventId, RoomId, RoomVersionId, ServerName, UserId, push::Ruleset, user_id};
use serde_json::json;

fn message(body: &str) -> Pdu {
    let rules = rules(&RoomVersionId::V12).unwrap();
    let key = SigningKey::from_seed(ServerName::parse("a.test").unwrap(), "1", &[7; 32]).unwrap();
    let room = RoomId::parse("!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM").unwrap();
    let sender = UserId::parse("@alice:a.test").unwrap();
    let content = to_object(&json!({"msgtype": "m.text", "body": body})).unwrap();
    let mut builder = EventBuilder::new(Some(room), "m.room.message", sender, content);
    builder.prev_events = vec![EventId::parse(format!("${:x<43}", "a")).unwrap()];
    builder.auth_events = vec![EventId::parse(format!("${:x<43}", "b")).unwrap()];
    builder.depth = 12;
    builder.build(rules, &key).unwrap()
}

fn push(c: &mut Criterion) {
    let user = user_id!("@bob:a.test");
    let defaults = Ruleset::server_default(user);
    let room = RoomContext { members: 3, authority: None };
    let reader = Reader { user, display_name: None, subscribed: None };
    for (name, body) in [("40 bytes", "a".repeat(40)), ("64 kB", "a".repeat(64_000))] {
        let event = message(&body);
        let read = PushEvent::new(&event);
        let mut group = c.benchmark_group(format!("push, body of {name}"));
        group.bench_function("read", |b| b.iter(|| PushEvent::new(black_box(&event))));
        group.bench_function("default rules of one reader", |b| {
            b.iter(|| evaluate(&defaults, black_box(&read), &room, &reader).notify)
        });
        group.bench_function("default outcome", |b| b.iter(|| default_outcome(black_box(&event), None)));
        let glob = Glob::new(&("*a".repeat(200) + "b")).unwrap();
        group.bench_function("hostile glob", |b| b.iter(|| glob.matches_words(black_box(&body).chars())));
        group.finish();
    }
}

criterion_group!(benches, push);
criterion_main!(benches);
