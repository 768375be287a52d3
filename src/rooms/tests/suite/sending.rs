//! Sending events.

use std::collections::BTreeSet;

use plop_accounts::schema::{DeviceRow, Devices};
use plop_base::clock::UnixMillis;
use plop_db::{Batch, Direction, KeyRange, MemoryDisk, Position};
use plop_rooms::ops::create::{CreateRoom, Preset};
use plop_rooms::ops::refusal::Refusal;
use plop_rooms::ops::send::SendEvent;
use plop_state::json::Object;
use ruma::{OwnedEventId, OwnedRoomId, RoomVersionId, owned_device_id};

use crate::suite::bed::{Bed, Ground, id, json, keyspaces, private_room, redaction, user};

fn message(text: &str, transaction: Option<&str>) -> SendEvent {
    SendEvent {
        kind: "m.room.message".to_owned(),
        state_key: None,
        content: json(&format!(r#"{{"msgtype":"m.text","body":"{text}"}}"#)),
        transaction: transaction.map(ToOwned::to_owned),
        ts: None,
    }
}

/// A message to a thread, which mentions alice.
fn in_thread(root: &OwnedEventId) -> SendEvent {
    let relation = format!(r#"{{"rel_type":"m.thread","event_id":"{root}"}}"#);
    let mentions = r#"{"user_ids":["@alice:plop.example"]}"#;
    let content = format!(r#"{{"body":"x","m.relates_to":{relation},"m.mentions":{mentions}}}"#);
    SendEvent { content: json(&content), ..message("", None) }
}

async fn room(bed: &Bed) -> OwnedRoomId {
    bed.rooms.create(&user("alice"), &private_room(RoomVersionId::V12)).await.expect("a room")
}

async fn content(bed: &Bed, room: &OwnedRoomId, event: &OwnedEventId) -> String {
    let view = bed.rooms.view_by_id(room).await.expect("the room");
    let (core, snapshot) = (bed.rooms.core(), bed.rooms.core().db.snapshot());
    let number = core.events.number(&snapshot, view.number, event).await.expect("a read").expect("the event");
    let event = core.events.get(&snapshot, view.number, view.rules, number).await.expect("the event");
    event.pdu.content_text().to_owned()
}

#[tokio::test]
async fn b8_138_a_transaction_id_makes_one_event_also_at_once_and_after_a_restart() {
    let bed = Bed::new().await;
    let room = room(&bed).await;
    let (alice, hello) = (user("alice"), message("hello", Some("1")));
    let (first, second) =
        tokio::join!(bed.rooms.send(&alice, &room, &hello), bed.rooms.send(&alice, &room, &hello));
    let first = first.expect("an event");
    assert_eq!(first, second.expect("an event"));
    let later = bed.restarted().await.rooms.send(&alice, &room, &hello).await.expect("an event");
    assert_eq!(first, later);
    let other_device =
        plop_base::Actor::User { user: crate::suite::bed::id("alice"), device: "TABLET".into() };
    let other = bed.restarted().await.rooms.send(&other_device, &room, &hello).await.expect("an event");
    assert_ne!(first, other);
}

#[tokio::test]
async fn many_senders_at_once_make_a_chain_without_loss() {
    let bed = Bed::new().await;
    let room = room(&bed).await;
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..50 {
        let (rooms, room) = (bed.rooms.clone(), room.clone());
        tasks.spawn(
            async move { rooms.send(&user("alice"), &room, &message(&index.to_string(), None)).await },
        );
    }
    let sent: BTreeSet<OwnedEventId> =
        tasks.join_all().await.into_iter().map(|sent| sent.expect("an event")).collect();
    assert_eq!(sent.len(), 50);
    let view = bed.restarted().await.rooms.view_by_id(&room).await.expect("the room");
    let snapshot = bed.rooms.core().db.snapshot();
    let head =
        snapshot.get::<plop_rooms::schema::Heads>(&view.number).await.expect("a read").expect("a head");
    assert_eq!(head.forward_extremities.len(), 1);
    assert_eq!(head.totals.all.notifying, 50);
}

#[tokio::test]
async fn the_same_state_again_is_the_same_event() {
    let bed = Bed::new().await;
    let room = room(&bed).await;
    let name = |text: &str| SendEvent {
        kind: "m.room.name".to_owned(),
        state_key: Some(String::new()),
        content: json(&format!(r#"{{"name":"{text}"}}"#)),
        transaction: None,
        ts: None,
    };
    let first = bed.rooms.send(&user("alice"), &room, &name("Tea")).await.expect("an event");
    assert_eq!(first, bed.rooms.send(&user("alice"), &room, &name("Tea")).await.expect("an event"));
    assert_ne!(first, bed.rooms.send(&user("alice"), &room, &name("Cake")).await.expect("an event"));
}

#[tokio::test]
async fn who_is_not_in_the_room_learns_nothing() {
    let bed = Bed::new().await;
    let room = room(&bed).await;
    let refused = bed.rooms.send(&user("mallory"), &room, &message("hello", None)).await;
    assert!(matches!(refused, Err(Refusal::NotInRoom)), "{refused:?}");
    let unknown = ruma::owned_room_id!("!nowhere:plop.example");
    let refused = bed.rooms.send(&user("mallory"), &unknown, &message("hello", None)).await;
    assert!(matches!(refused, Err(Refusal::NotInRoom)), "{refused:?}");
}

#[tokio::test]
async fn b4_88_a_redacted_event_shows_no_content_in_every_version() {
    let bed = Bed::new().await;
    for rules in &plop_state::version::ALL {
        let room =
            bed.rooms.create(&user("alice"), &private_room(rules.version.clone())).await.expect("a room");
        let sent = bed.rooms.send(&user("alice"), &room, &message("secret", None)).await.expect("an event");
        assert!(content(&bed, &room, &sent).await.contains("secret"));
        bed.rooms
            .redact(&user("alice"), &room, &sent, &redaction(Some("oops"), "r"))
            .await
            .expect("a redaction");
        assert_eq!(content(&bed, &room, &sent).await, "{}", "version {}", rules.version);
        assert_eq!(content(&bed.restarted().await, &room, &sent).await, "{}");
    }
}

#[tokio::test]
async fn b3_50_a_create_event_is_not_redacted_in_any_version() {
    let bed = Bed::new().await;
    for rules in &plop_state::version::ALL {
        let room =
            bed.rooms.create(&user("alice"), &private_room(rules.version.clone())).await.expect("a room");
        let view = bed.rooms.view_by_id(&room).await.expect("the room");
        let create = view.kept_type("m.room.create").expect("a create event").pdu.event_id_owned().clone();
        let refused = bed.rooms.redact(&user("alice"), &room, &create, &redaction(None, "r")).await;
        assert!(matches!(refused, Err(Refusal::MayNotRedact)), "version {}: {refused:?}", rules.version);
    }
}

#[tokio::test]
async fn redacting_an_event_that_is_not_here_is_refused() {
    let bed = Bed::new().await;
    let room = room(&bed).await;
    let unknown = ruma::owned_event_id!("$nowhere");
    let refused = bed.rooms.redact(&user("alice"), &room, &unknown, &redaction(None, "r")).await;
    assert!(matches!(refused, Err(Refusal::NoSuchEvent)), "{refused:?}");
}

#[tokio::test]
async fn a_transaction_id_of_a_redaction_is_valid_for_its_target() {
    let bed = Bed::new().await;
    let room = room(&bed).await;
    let alice = user("alice");
    let first = bed.rooms.send(&alice, &room, &message("one", None)).await.expect("an event");
    let second = bed.rooms.send(&alice, &room, &message("two", None)).await.expect("an event");
    let redact = async |target| {
        let redacted = bed.rooms.redact(&alice, &room, target, &redaction(None, "t")).await;
        redacted.expect("a redaction")
    };
    let redacted = redact(&first).await;
    assert_eq!(redacted, redact(&first).await);
    assert_ne!(redacted, redact(&second).await);
}

/// A client that was logged out and in again may count its transactions from the start.
#[tokio::test]
async fn b8_138_a_transaction_id_of_an_earlier_device_of_the_same_id_says_nothing() {
    let bed = Bed::new().await;
    let room = room(&bed).await;
    let log_in = async || {
        let mut batch = Batch::durable();
        let row = DeviceRow {
            since: Position::pending(0),
            display_name: None,
            created: UnixMillis(0),
            generation: 0,
        };
        batch.put::<Devices>(&(id("alice"), owned_device_id!("DEVICE")), &row);
        bed.rooms.core().db.commit(batch).await.expect("committed");
    };
    let send =
        async || bed.rooms.send(&user("alice"), &room, &message("hello", Some("1"))).await.expect("an event");
    log_in().await;
    let first = send().await;
    assert_eq!(send().await, first);
    log_in().await;
    let second = send().await;
    assert_ne!(second, first);
    assert_eq!(send().await, second);
}

#[tokio::test(start_paused = true)]
async fn old_transaction_ids_are_forgotten() {
    let bed = Bed::new().await;
    let room = room(&bed).await;
    let first = bed.rooms.send(&user("alice"), &room, &message("hello", Some("1"))).await.expect("an event");
    let core = bed.rooms.core();
    let lifetime = plop_rooms::schema::TRANSACTION_LIFETIME;
    let just_before = core.clock.now().plus(lifetime);
    plop_rooms::ops::transactions::forget_old(&core.db, just_before).await.expect("a walk");
    let again = bed.rooms.send(&user("alice"), &room, &message("hello", Some("1"))).await.expect("an event");
    assert_eq!(first, again);
    let after = core.clock.now().plus(lifetime + std::time::Duration::from_secs(1));
    plop_rooms::ops::transactions::forget_old(&core.db, after).await.expect("a walk");
    let anew = bed.rooms.send(&user("alice"), &room, &message("hello", Some("1"))).await.expect("an event");
    assert_ne!(first, anew);
}

#[tokio::test(start_paused = true)]
async fn originals_of_redacted_events_are_destroyed_in_time() {
    let bed = Bed::new().await;
    let room = room(&bed).await;
    let sent = bed.rooms.send(&user("alice"), &room, &message("secret", None)).await.expect("an event");
    bed.rooms.redact(&user("alice"), &room, &sent, &redaction(None, "r")).await.expect("a redaction");
    let core = bed.rooms.core();
    let originals = async || {
        let snapshot = core.db.snapshot();
        let all = KeyRange::<plop_rooms::schema::Originals>::all();
        snapshot.scan(all, Direction::Forward, 10).await.expect("rows").rows.len()
    };
    let due = core.clock.now().plus(core.redaction_retention);
    plop_rooms::redaction::destroy_originals(&core.db, due).await.expect("a walk");
    assert_eq!(originals().await, 1);
    let after = due.plus(std::time::Duration::from_millis(1));
    plop_rooms::redaction::destroy_originals(&core.db, after).await.expect("a walk");
    assert_eq!(originals().await, 0);
}

/// A repetition is acknowledged when the event is on disk and not before; on a full disk neither is.
#[tokio::test]
async fn a_repeated_request_waits_for_the_first_one() {
    let disk = MemoryDisk::new();
    let bed = Bed::on(Ground::on_disk(&disk, keyspaces(), 7)).await;
    let room = room(&bed).await;
    let event = message("hello", Some("t"));
    let alice = user("alice");
    disk.set_full(true);
    let (first, second) =
        tokio::join!(bed.rooms.send(&alice, &room, &event), bed.rooms.send(&alice, &room, &event));
    assert!(first.is_err() && second.is_err(), "{first:?} {second:?}");
    disk.set_full(false);
    bed.rooms.core().db.probe().await.expect("a write");
    let (first, second) =
        tokio::join!(bed.rooms.send(&alice, &room, &event), bed.rooms.send(&alice, &room, &event));
    assert_eq!(first.expect("an event"), second.expect("the same"));
}

/// What `plop check` asks of a database holds after everything that these tests do.
#[tokio::test]
async fn rows_agree_with_each_other() {
    let bed = Bed::new().await;
    for rules in &plop_state::version::ALL {
        let request = CreateRoom { preset: Preset::PublicChat, ..private_room(rules.version.clone()) };
        let room = bed.rooms.create(&user("alice"), &request).await.expect("a room");
        bed.rooms.join(&user("bob"), &room, &Object::new()).await.expect("a join");
        let sent = bed.rooms.send(&user("alice"), &room, &message("hello", None)).await.expect("an event");
        bed.rooms.redact(&user("alice"), &room, &sent, &redaction(None, "r")).await.expect("a redaction");
        bed.rooms.send(&user("bob"), &room, &in_thread(&sent)).await.expect("an event");
    }
    let checks =
        plop_state_store::reference_checks().into_iter().chain(plop_rooms::check::reference_checks());
    let report = bed.rooms.core().db.check(&checks.collect::<Vec<_>>()).await;
    assert!(report.is_sound(), "{:?}", report.problems);
    assert!(report.rows() > 200);
}

/// The futures of operations are moved between threads by the edge.
#[test]
fn operations_can_be_spawned() {
    fn is_send<T: Send>(_: &T) {}
    fn check(rooms: plop_rooms::Rooms, room: OwnedRoomId) {
        let work = async move { rooms.send(&user("alice"), &room, &message("hello", None)).await };
        is_send(&work);
    }
    let _: fn(plop_rooms::Rooms, OwnedRoomId) = check;
}
