//! Commits that are refused, and batches that never become one.

use std::sync::Arc;

use futures_util::poll;
use plop_db::{Batch, CommitError, MemoryDisk};
use plop_rooms::draft::EventDraft;
use plop_rooms::ops::refusal::Refusal;
use plop_rooms::ops::send::SendEvent;
use plop_rooms::schema::{StrippedState, StrippedStateRow};
use plop_rooms::{RoomView, StoreFault};
use plop_state_store::RoomNumber;
use ruma::{OwnedRoomId, RoomVersionId};

use crate::suite::bed::{Bed, Ground, id, json, keyspaces, private_room, user};

fn message(text: &str) -> SendEvent {
    SendEvent {
        kind: "m.room.message".to_owned(),
        state_key: None,
        content: json(&format!(r#"{{"msgtype":"m.text","body":"{text}"}}"#)),
        transaction: None,
        ts: None,
    }
}

/// A room on a disk that can be filled.
async fn on_a_disk() -> (MemoryDisk, Bed, OwnedRoomId) {
    let disk = MemoryDisk::new();
    let bed = Bed::on(Ground::on_disk(&disk, keyspaces(), 7)).await;
    let room = bed.rooms.create(&user("alice"), &private_room(RoomVersionId::V12)).await.expect("a room");
    (disk, bed, room)
}

async fn picture(bed: &Bed, room: &OwnedRoomId) -> Arc<RoomView> {
    bed.rooms.view_by_id(room).await.expect("the room")
}

#[tokio::test]
async fn a_store_that_takes_no_writes_costs_a_room_one_load() {
    let (disk, bed, room) = on_a_disk().await;
    disk.set_full(true);
    let refused = bed.rooms.send(&user("alice"), &room, &message("refused on the way")).await;
    assert!(matches!(refused, Err(Refusal::Store(StoreFault::Commit(_)))), "{refused:?}");
    let loaded = picture(&bed, &room).await;
    let refused = bed.rooms.send(&user("alice"), &room, &message("refused at once")).await;
    assert!(matches!(refused, Err(Refusal::Store(StoreFault::Commit(_)))), "{refused:?}");
    assert!(Arc::ptr_eq(&loaded, &picture(&bed, &room).await), "the room was loaded anew");
    disk.set_full(false);
    bed.rooms.core().db.probe().await.expect("a write");
    bed.rooms.send(&user("alice"), &room, &message("through")).await.expect("an event");
}

#[tokio::test]
async fn a_request_that_ends_in_the_queue_leaves_the_room_as_it_was() {
    let (_disk, bed, room) = on_a_disk().await;
    let loaded = picture(&bed, &room).await;
    let db = &bed.rooms.core().db;
    let filler = |number: u64| {
        let mut batch = Batch::relaxed();
        let row = StrippedStateRow { events: vec!["x".repeat(80_000)] };
        for part in 0..95 {
            batch.put::<StrippedState>(&(id("nobody"), RoomNumber(number * 1000 + part)), &row);
        }
        batch
    };
    // Four of them fill the queue; the committer is a task that has no turn until something here waits.
    let mut receipts = Vec::new();
    for number in 1..=4 {
        receipts.push(db.submit(filler(number), |_| ()).await.expect("a place in the queue"));
    }
    {
        let (alice, event) = (user("alice"), message("too late"));
        let mut fifth = std::pin::pin!(db.submit(filler(5), |_| ()));
        assert!(poll!(&mut fifth).is_pending(), "the queue is not full");
        let mut send = std::pin::pin!(bed.rooms.send(&alice, &room, &event));
        assert!(poll!(&mut send).is_pending());
    }
    for receipt in receipts {
        receipt.await.expect("a commit");
    }
    assert!(Arc::ptr_eq(&loaded, &picture(&bed, &room).await), "the room was loaded anew");
    bed.rooms.send(&user("alice"), &room, &message("in time")).await.expect("an event");
    assert!(!Arc::ptr_eq(&loaded, &picture(&bed, &room).await));
}

/// The clock stands still and the message is the same one, so the room comes to the very head that was refused.
#[tokio::test]
async fn nothing_is_built_on_a_head_that_was_refused_and_came_again() {
    let (disk, bed, room) = on_a_disk().await;
    let number = bed.rooms.number(&room).await.expect("a read").expect("a room");
    let draft = || EventDraft::message("m.room.message", id("alice"), json(r#"{"body":"once"}"#));
    let mut writer = bed.rooms.writer(number).await.expect("the guard");
    disk.set_full(true);
    let mut operation = writer.begin();
    operation.append(draft()).await.expect("an event");
    let refused = operation.submit().await.expect("a place in the queue");
    let mut late = writer.begin();
    late.append(draft()).await.expect("an event on top of it");
    assert!(refused.await.is_err());
    disk.set_full(false);
    bed.rooms.core().db.probe().await.expect("a write");
    let once = SendEvent { content: json(r#"{"body":"once"}"#), ..message("") };
    bed.rooms.send(&user("alice"), &room, &once).await.expect("an event");
    let submitted = late.submit().await;
    assert!(
        matches!(submitted, Err(StoreFault::Commit(CommitError::Conflict { .. }))),
        "built on the event that was refused"
    );
    drop(writer);
    bed.rooms.send(&user("alice"), &room, &message("then")).await.expect("an event");
}

/// A room that was never committed is not there afterwards.
#[tokio::test]
async fn a_room_that_was_not_made_is_nowhere() {
    let (disk, bed, room) = on_a_disk().await;
    disk.set_full(true);
    let refused = bed.rooms.send(&user("alice"), &room, &message("makes the store read-only")).await;
    assert!(refused.is_err());
    let created = bed.rooms.create(&user("alice"), &private_room(RoomVersionId::V12)).await;
    assert!(created.is_err());
    let next = RoomNumber(bed.rooms.number(&room).await.expect("a read").expect("a room").0 + 1);
    assert!(bed.rooms.view(next).await.is_err(), "a room without rows");
}
