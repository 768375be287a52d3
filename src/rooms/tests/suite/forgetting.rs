//! Forgetting rooms.

use plop_rooms::ops::refusal::Refusal;
use plop_rooms::schema::UserRooms;
use plop_state::json::Object;
use ruma::{RoomId, RoomVersionId, room_id};

use crate::suite::bed::{Bed, id, user};

async fn is_forgotten(bed: &Bed, room: &RoomId, name: &str) -> bool {
    let number = bed.rooms.number(room).await.expect("a read").expect("a room");
    let row = bed.rooms.core().db.snapshot().get::<UserRooms>(&(id(name), number)).await.expect("a read");
    row.expect("a row").forgotten
}

#[tokio::test]
async fn only_a_room_that_was_left_is_forgotten() {
    let bed = Bed::new().await;
    let room = bed.room(RoomVersionId::V12, Some(r#"{"join_rule":"knock"}"#)).await;
    let (alice, bob, none) = (user("alice"), user("bob"), Object::new());
    for nowhere in [room.clone(), room_id!("!nothing:plop.example").to_owned()] {
        let stranger = bed.rooms.forget(&bob, &nowhere).await;
        assert!(matches!(stranger, Err(Refusal::NotInRoom)), "{stranger:?}");
    }
    bed.rooms.knock(&bob, &room, &none).await.expect("a knock");
    assert!(matches!(bed.rooms.forget(&bob, &room).await, Err(Refusal::StillInRoom)));
    bed.rooms.invite(&alice, &room, &id("bob"), &none).await.expect("an invite");
    assert!(matches!(bed.rooms.forget(&bob, &room).await, Err(Refusal::StillInRoom)));
    bed.rooms.join(&bob, &room, &none).await.expect("a join");
    assert!(matches!(bed.rooms.forget(&bob, &room).await, Err(Refusal::StillInRoom)));
    bed.rooms.leave(&bob, &room, &none).await.expect("out");
    assert!(!is_forgotten(&bed, &room, "bob").await);
    bed.rooms.forget(&bob, &room).await.expect("forgotten");
    bed.rooms.forget(&bob, &room).await.expect("forgotten before");
    assert!(is_forgotten(&bed.restarted().await, &room, "bob").await);
}

#[tokio::test]
async fn a_forgotten_room_comes_back_with_an_invite_and_not_with_a_ban() {
    let bed = Bed::new().await;
    let room = bed.room(RoomVersionId::V11, None).await;
    let (alice, bob, none) = (user("alice"), user("bob"), Object::new());
    bed.rooms.invite(&alice, &room, &id("bob"), &none).await.expect("an invite");
    bed.rooms.leave(&bob, &room, &none).await.expect("a rejection");
    bed.rooms.forget(&bob, &room).await.expect("forgotten");
    bed.rooms.ban(&alice, &room, &id("bob"), &none).await.expect("a ban");
    assert!(is_forgotten(&bed, &room, "bob").await);
    bed.rooms.unban(&alice, &room, &id("bob"), &none).await.expect("a pardon");
    assert!(is_forgotten(&bed, &room, "bob").await);
    bed.rooms.invite(&alice, &room, &id("bob"), &none).await.expect("an invite");
    assert!(!is_forgotten(&bed, &room, "bob").await);
    bed.rooms.ban(&alice, &room, &id("bob"), &none).await.expect("a ban");
    bed.rooms.forget(&bob, &room).await.expect("a banned user may forget");
    assert!(is_forgotten(&bed, &room, "bob").await);
}
