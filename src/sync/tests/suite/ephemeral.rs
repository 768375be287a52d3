//! Typing, receipts and presence.

use std::time::Duration;

use plop_accounts::schema::Profiles;
use plop_db::{Batch, Position};
use plop_ephemeral::receipts::{NewReceipt, Receipts};
use plop_ephemeral::{PresenceState, ReceiptKind, Thread};
use plop_rooms::schema::Arrivals;
use plop_sync::SyncRequest;
use ruma::{EventId, RoomId};
use serde_json::{Value, json as value};

use crate::bed::{Bed, Client, id, keys, user};

const MINUTE: Duration = Duration::from_secs(60);

/// The user has read a room up to an event.
pub async fn read(bed: &Bed, name: &str, room: &RoomId, event: &EventId, kind: ReceiptKind, thread: Thread) {
    let number = bed.rooms.number(room).await.expect("a read").expect("a room");
    let snapshot = bed.db.snapshot();
    let found =
        bed.rooms.events().number(&snapshot, number, event).await.expect("a read").expect("the event");
    let arrival: Position =
        snapshot.get::<Arrivals>(&(number, found)).await.expect("a read").expect("a place");
    let new =
        NewReceipt { kind, thread, event: found, event_id: event.to_owned(), arrival, at: bed.clock.now() };
    let receipts = Receipts::new(bed.db.clone());
    receipts.set(&user(name), number, &id(name), &[new]).await.expect("a receipt");
}

fn ephemeral(answer: &Value, room: &RoomId) -> Value {
    answer["rooms"]["join"][room.as_str()]["ephemeral"]["events"].clone()
}

#[tokio::test(start_paused = true)]
async fn typing_comes_and_goes() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    let number = bed.rooms.number(&room).await.expect("a read").expect("a room");
    let mut bob = bed.client("bob");
    bob.sync().await;
    let typing = |users: Value| value!([{"type": "m.typing", "content": {"user_ids": users}}]);
    let type_later = async {
        bed.clock.sleep(Duration::from_secs(1)).await;
        bed.typing.start(&user("alice"), number, &id("alice"), Duration::from_secs(20)).expect("typing");
    };
    let (answer, ()) = tokio::join!(bob.wait(MINUTE), type_later);
    assert_eq!(ephemeral(&answer, &room), typing(value!(["@alice:plop.example"])));
    assert_eq!(keys(&bob.sync().await), ["next_batch"]);
    let first = bed.client("alice").sync().await;
    assert_eq!(ephemeral(&first, &room), typing(value!(["@alice:plop.example"])));
    let before = bed.clock.monotonic();
    let answer = bob.wait(MINUTE).await;
    assert_eq!(ephemeral(&answer, &room), typing(value!([])), "it ends by itself");
    assert_eq!(bed.clock.monotonic() - before, Duration::from_secs(20));
    assert_eq!(ephemeral(&bed.client("alice").sync().await, &room), value!(null));
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_nobody_is_left_typing() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let number = bed.rooms.number(&room).await.expect("a read").expect("a room");
    bed.typing.start(&user("alice"), number, &id("alice"), MINUTE).expect("typing");
    let mut alice = bed.client("alice");
    alice.sync().await;
    let bed = bed.restarted().await;
    let mut client = bed.client("alice");
    client.since = alice.since;
    let answer = client.wait(MINUTE).await;
    assert_eq!(ephemeral(&answer, &room)[0]["content"]["user_ids"], value!([]));
    assert_eq!(keys(&client.sync().await), ["next_batch"]);
}

#[tokio::test(start_paused = true)]
async fn receipts_come_once_and_the_newest_of_each() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    let one = bed.say("alice", &room, "one").await;
    let two = bed.say("alice", &room, "two").await;
    let mut alice = bed.client("alice");
    alice.sync().await;
    let public = ReceiptKind::Public;
    read(&bed, "bob", &room, &one, public, Thread::Unthreaded).await;
    read(&bed, "bob", &room, &two, public, Thread::Unthreaded).await;
    read(&bed, "bob", &room, &two, public, Thread::Main).await;
    let expected = value!([
        {"type": "m.receipt", "content": {two.as_str(): {"m.read": {"@bob:plop.example": {"ts": 1_700_000_000_000_u64}}}}},
        {"type": "m.receipt", "content": {two.as_str(): {"m.read": {"@bob:plop.example":
            {"ts": 1_700_000_000_000_u64, "thread_id": "main"}}}}},
    ]);
    assert_eq!(ephemeral(&alice.sync().await, &room), expected);
    assert_eq!(keys(&alice.sync().await), ["next_batch"]);
    assert_eq!(ephemeral(&bed.client("alice").sync().await, &room), expected);
}

/// Hostile input, row 86.
#[tokio::test(start_paused = true)]
async fn a_private_receipt_is_its_users_own() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    let one = bed.say("alice", &room, "one").await;
    let (mut alice, mut bob) = (bed.client("alice"), bed.client("bob"));
    alice.sync().await;
    bob.sync().await;
    read(&bed, "bob", &room, &one, ReceiptKind::Private, Thread::Unthreaded).await;
    assert_eq!(keys(&alice.sync().await), ["next_batch"]);
    assert!(!bed.client("alice").sync().await.to_string().contains("m.read.private"));
    let expected =
        value!({one.as_str(): {"m.read.private": {"@bob:plop.example": {"ts": 1_700_000_000_000_u64}}}});
    assert_eq!(ephemeral(&bob.sync().await, &room)[0]["content"], expected);
    assert_eq!(ephemeral(&bed.client("bob").sync().await, &room)[0]["content"], expected);
}

/// One device joins and reads, the other one gets the room as a whole.
#[tokio::test(start_paused = true)]
async fn a_receipt_in_a_room_that_is_new_is_written_once() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let one = bed.say("alice", &room, "one").await;
    let mut bob = bed.client("bob");
    bob.sync().await;
    bed.join("bob", &room).await;
    read(&bed, "bob", &room, &one, ReceiptKind::Private, Thread::Unthreaded).await;
    let text = bob.text(SyncRequest::default()).await.expect("an answer");
    assert_eq!(text.matches(r#""@bob:plop.example":{"ts""#).count(), 1, "{text}");
}

#[tokio::test(start_paused = true)]
async fn who_has_left_types_no_more() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    let number = bed.rooms.number(&room).await.expect("a read").expect("a room");
    for name in ["alice", "bob"] {
        bed.typing.start(&user(name), number, &id(name), MINUTE).expect("typing");
    }
    bed.leave("bob", &room).await;
    let first = bed.client("alice").sync().await;
    assert_eq!(ephemeral(&first, &room)[0]["content"]["user_ids"], value!(["@alice:plop.example"]));
}

/// A request whose user is there.
fn online() -> SyncRequest {
    SyncRequest { set_presence: PresenceState::Online, ..SyncRequest::default() }
}

fn presence(answer: &Value) -> Vec<(String, String)> {
    let events = answer["presence"]["events"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    events.iter().map(|event| (text(&event["sender"]), text(&event["content"]["presence"]))).collect()
}

#[tokio::test(start_paused = true)]
async fn presence_is_told_to_those_who_share_a_room() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    let (mut alice, mut bob, mut carol) = (bed.client("alice"), bed.client("bob"), bed.client("carol"));
    alice.sync_with(online()).await;
    carol.sync_with(online()).await;
    let joins = async {
        bed.clock.sleep(Duration::from_secs(5)).await;
        bob.sync_with(online()).await
    };
    let (answer, first) = tokio::join!(alice.sync_with(SyncRequest { timeout: MINUTE, ..online() }), joins);
    assert_eq!(presence(&answer), [("@bob:plop.example".to_owned(), "online".to_owned())]);
    assert_eq!(
        answer["presence"]["events"][0]["content"]["last_active_ago"].as_u64().map(|ago| ago <= 2_000),
        Some(true)
    );
    assert_eq!(presence(&first), [("@alice:plop.example".to_owned(), "online".to_owned())]);
    assert_eq!(presence(&carol.sync_with(online()).await), []);

    bed.join("carol", &room).await;
    let mut met = presence(&carol.sync_with(online()).await);
    met.sort();
    assert_eq!(
        met.iter().map(|(user, _)| user.as_str()).collect::<Vec<_>>(),
        ["@alice:plop.example", "@bob:plop.example"]
    );
    assert!(
        presence(&alice.sync_with(online()).await)
            .contains(&("@carol:plop.example".to_owned(), "online".to_owned()))
    );
}

#[tokio::test(start_paused = true)]
async fn presence_is_told_in_the_rooms_that_are_shared_now() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    for name in ["bob", "dave"] {
        bed.join(name, &room).await;
    }
    let (mut alice, mut dave, mut carol) = (bed.client("alice"), bed.client("dave"), bed.client("carol"));
    for client in [&mut alice, &mut dave, &mut carol] {
        client.sync_with(online()).await;
    }
    alice.sync_with(online()).await;
    let show = |state| bed.presence.set(&user("bob"), &id("bob"), state, None).expect("a presence");
    let bob = |shown: &str| [("@bob:plop.example".to_owned(), shown.to_owned())];
    show(PresenceState::Unavailable);
    for client in [&mut alice, &mut dave] {
        assert_eq!(presence(&client.sync_with(online()).await), bob("unavailable"));
        assert_eq!(presence(&client.sync_with(online()).await), []);
    }
    assert_eq!(presence(&carol.sync_with(online()).await), []);

    // He is there when dave looks, and not when alice does, whose token is older than the change.
    show(PresenceState::Online);
    assert_eq!(presence(&dave.sync_with(online()).await), bob("online"));
    bed.leave("bob", &room).await;
    assert_eq!(presence(&alice.sync_with(online()).await), []);
    show(PresenceState::Unavailable);
    assert_eq!(presence(&dave.sync_with(online()).await), []);
    bed.join("bob", &room).await;
    assert_eq!(presence(&alice.sync_with(online()).await), bob("unavailable"));
}

/// Client-server API, "Events on Change of Profile Information".
#[tokio::test(start_paused = true)]
async fn a_new_name_comes_with_the_presence_of_its_user() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    bed.register("bob").await;
    bed.join("bob", &room).await;
    let mut alice = bed.client("alice");
    alice.sync_with(online()).await;
    let (actor, bob) = (user("bob"), id("bob"));
    for (field, value) in [("displayname", "Bob"), ("avatar_url", "mxc://plop.example/b")] {
        let set = bed.accounts.set_profile_field(&actor, &bob, field, &value!(value)).await;
        set.expect("a field");
        bed.presence.profile_changed(&actor, &bob).expect("announced");
    }
    let shown = |presence: &str| value!({ "avatar_url": "mxc://plop.example/b", "displayname": "Bob", "presence": presence });
    // Never seen, and so offline.
    let answer = alice.sync_with(online()).await;
    assert_eq!(answer["presence"]["events"][0]["content"], shown("offline"));
    bed.client("bob").sync_with(online()).await;
    let answer = alice.sync_with(online()).await;
    let mut content = answer["presence"]["events"][0]["content"].clone();
    let content = content.as_object_mut().expect("an object");
    assert!(content.remove("last_active_ago").is_some());
    assert_eq!(content.remove("currently_active"), Some(value!(true)));
    assert_eq!(Value::Object(content.clone()), shown("online"));
}

/// The rows are gone, and nobody notices until they are told: what a thousand readers get is read once.
#[tokio::test(start_paused = true)]
async fn a_name_is_read_once_for_all_who_get_it_with_a_presence() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let (actor, bob) = (user("bob"), id("bob"));
    bed.register("bob").await;
    bed.accounts.set_profile_field(&actor, &bob, "displayname", &value!("Bob")).await.expect("a name");
    let mut clients = Vec::new();
    for name in ["bob", "carol", "dave"] {
        bed.join(name, &room).await;
        let mut client = bed.client(name);
        client.sync().await;
        clients.push(client);
    }
    let [_, carol, dave] = clients.as_mut_slice() else { panic!("three clients") };
    let named = |answer: &Value| answer["presence"]["events"][0]["content"]["displayname"].clone();
    bed.presence.set(&actor, &bob, PresenceState::Online, None).expect("a presence");
    assert_eq!(named(&carol.sync().await), "Bob");
    let mut batch = Batch::durable();
    batch.delete::<Profiles>(&(bob.clone(), "displayname".to_owned()));
    bed.db.commit(batch).await.expect("a commit");
    assert_eq!(named(&dave.sync().await), "Bob");
    bed.presence.profile_changed(&actor, &bob).expect("announced");
    for client in [carol, dave] {
        let answer = client.sync().await;
        assert_eq!((presence(&answer).len(), named(&answer)), (1, Value::Null));
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_forgotten_is_offline() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    bed.client("bob").sync_with(online()).await;
    let mut alice = bed.client("alice");
    assert_eq!(presence(&alice.sync_with(online()).await)[0].1, "online");
    bed.presence.forget(&id("bob"));
    let answer = alice.sync_with(online()).await;
    assert_eq!(answer["presence"]["events"][0]["content"], value!({ "presence": "offline" }));
}

#[tokio::test(start_paused = true)]
async fn what_wakes_loads_no_room() {
    let bed = Bed::new().await;
    let mut rooms = Vec::new();
    for _ in 0..3 {
        let room = bed.room("alice").await;
        bed.join("bob", &room).await;
        rooms.push(bed.rooms.number(&room).await.expect("a read").expect("a room"));
    }
    let mut sinces = Vec::new();
    for mut client in ["alice", "bob", "carol"].map(|name| bed.client(name)) {
        client.sync().await;
        sinces.push(client.since);
    }
    let bed = bed.restarted().await;
    let mut clients = ["alice", "bob", "carol"].map(|name| bed.client(name));
    for (client, since) in clients.iter_mut().zip(sinces) {
        client.since = since;
        // Nobody is typing any more.
        client.sync().await;
    }
    let [mut alice, mut bob, mut carol] = clients;
    let comes = async {
        bed.clock.sleep(Duration::from_secs(5)).await;
        bob.sync_with(online()).await;
    };
    let before = bed.clock.monotonic();
    let waited = async |client: &mut Client<'_>| {
        let answer = client.wait(MINUTE).await;
        (answer, bed.clock.monotonic() - before)
    };
    let ((answer, woken), (_, alone), ()) = tokio::join!(waited(&mut alice), waited(&mut carol), comes);
    assert_eq!(presence(&answer), [("@bob:plop.example".to_owned(), "online".to_owned())]);
    assert!(woken < Duration::from_secs(10), "{woken:?}");
    assert_eq!(alone, MINUTE);
    let types = async {
        bed.clock.sleep(Duration::from_secs(1)).await;
        bed.typing.start(&user("bob"), rooms[1], &id("bob"), MINUTE).expect("typing");
    };
    let before = bed.clock.monotonic();
    // Bob's one request ended, so his going away comes first.
    let waits = async {
        loop {
            let answer = alice.wait(MINUTE).await;
            if answer["rooms"]["join"].is_object() {
                return bed.clock.monotonic() - before;
            }
            assert_eq!(presence(&answer), [("@bob:plop.example".to_owned(), "offline".to_owned())]);
        }
    };
    let (woken, ()) = tokio::join!(waits, types);
    assert_eq!(woken, Duration::from_secs(1));
    assert!(rooms.iter().all(|room| bed.rooms.loaded_view(*room).is_none()));
}

#[tokio::test(start_paused = true)]
async fn set_presence_says_how_the_user_is_shown() {
    for (set_presence, shown) in [
        (PresenceState::Online, Some(PresenceState::Online)),
        (PresenceState::Unavailable, Some(PresenceState::Unavailable)),
        (PresenceState::Offline, None),
    ] {
        let bed = Bed::new().await;
        let mut alice = bed.client("alice");
        alice.sync_with(SyncRequest { set_presence, ..SyncRequest::default() }).await;
        let known = bed.presence.get(&id("alice")).await.expect("a read");
        assert_eq!(known.map(|known| known.state), shown);
    }
}
