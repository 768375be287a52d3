//! Rooms that two users share.

use plop_base::UnixMillis;
use plop_bed::id;
use plop_db::Batch;
use plop_directory::mutual::PAGE_ROOMS;
use plop_rooms::schema::{RoomRecords, RoomRow};
use plop_state_store::RoomNumber;
use ruma::{OwnedRoomId, owned_user_id};

use crate::bed::{Bed, put_member};

#[tokio::test(start_paused = true)]
async fn only_rooms_that_both_are_in_are_shared() {
    let bed = Bed::new().await;
    bed.register(&["alice", "bob"]).await;
    let shared = bed.room("alice").await;
    bed.room("alice").await;
    bed.room("bob").await;
    bed.join("bob", &shared).await;
    let left = bed.room("alice").await;
    bed.join("bob", &left).await;
    bed.leave("bob", &left).await;
    for (one, other) in [("alice", "bob"), ("bob", "alice")] {
        let found = bed.directory.mutual_rooms(&id(one), &id(other), None).await.expect("an answer");
        assert_eq!((found.rooms, found.count, found.next), (vec![shared.clone()], 1, None), "{one} {other}");
    }
    let nobody = bed.directory.mutual_rooms(&id("alice"), &id("nobody"), None).await.expect("an answer");
    assert_eq!((nobody.rooms, nobody.count), (Vec::new(), 0));
}

#[tokio::test(start_paused = true)]
async fn many_rooms_come_in_pages_each_once() {
    let bed = Bed::new().await;
    let (alice, other) = (id("alice"), owned_user_id!("@other:there.example"));
    let rooms = PAGE_ROOMS as u64 * 2 + 50;
    let mut batch = Batch::durable();
    for number in 1..=rooms {
        let name = OwnedRoomId::try_from(format!("!{number:05}:plop.example")).expect("an id");
        let row = RoomRow { id: name, version: "11".to_owned(), since: UnixMillis(0) };
        batch.put::<RoomRecords>(&RoomNumber(number), &row);
        put_member(&mut batch, &alice, RoomNumber(number), None);
        put_member(&mut batch, &other, RoomNumber(number), None);
    }
    bed.db.commit(batch).await.expect("rows");
    let (mut after, mut all, mut pages) = (None, Vec::new(), 0);
    loop {
        let page = bed.directory.mutual_rooms(&alice, &other, after).await.expect("a page");
        assert_eq!(page.count, rooms);
        all.extend(page.rooms);
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((all.len() as u64, pages), (rooms, 3));
    assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "each once");
}
