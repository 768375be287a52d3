//! Pages of history.

use plop_db::{Direction, Position};
use plop_rooms::operation::{Operation, Placement};
use plop_rooms::reader::access::RoomReader;
use plop_rooms::reader::history::{HistoryPage, MAX_PAGE_BYTES, MAX_PAGE_EVENTS, PageRequest};
use plop_rooms::reader::token::HistoryToken;
use plop_rooms::schema::{BackwardExtremities, BackwardExtremitiesRow, Outcome, Timeline};
use plop_state::builder::EventBuilder;
use ruma::{RoomVersionId, owned_event_id};

use super::script::{Room, ids};
use crate::suite::bed::{Bed, id, json, user};

async fn page(
    reader: &mut RoomReader<'_>,
    from: Option<HistoryToken>,
    direction: Direction,
    limit: u64,
) -> HistoryPage {
    let request = PageRequest { from, to: None, direction, limit };
    reader.history(request, |_| true).await.expect("a page")
}

#[tokio::test]
async fn pages_end_where_the_next_begin_and_stop_where_they_are_told() {
    let bed = Bed::new().await;
    let room = Room::new(&bed, RoomVersionId::V12).await;
    for number in 0..20 {
        room.say("alice", &number.to_string()).await;
    }
    let all = ids(&room.events().await);
    let alice = user("alice");
    let mut reader = bed.rooms.reader(&alice, &room.id).await.expect("a reader");
    let newest = page(&mut reader, None, Direction::Backward, 5).await;
    let older = page(&mut reader, newest.end(), Direction::Backward, 5).await;
    assert_eq!(older.start, newest.reached);
    let back = page(&mut reader, older.end(), Direction::Forward, 5).await;
    let mut shown = ids(&older.events);
    shown.reverse();
    assert_eq!(ids(&back.events), shown, "the same events the other way");
    assert_eq!(back.reached, newest.reached);
    let between = PageRequest {
        from: Some(newest.start),
        to: Some(older.reached),
        direction: Direction::Backward,
        limit: 100,
    };
    let between = reader.history(between, |_| true).await.expect("a page");
    assert_eq!(between.events.len(), 10);
    assert_eq!(between.end(), None);
    let messages = PageRequest { from: None, to: None, direction: Direction::Forward, limit: 3 };
    let kept =
        reader.history(messages, |event| event.pdu.type_name() == "m.room.message").await.expect("a page");
    assert_eq!(ids(&kept.events), all[all.len() - 20..all.len() - 17]);
}

#[tokio::test]
async fn huge_limits_are_cut_and_odd_places_are_harmless() {
    let bed = Bed::new().await;
    let room = Room::new(&bed, RoomVersionId::V12).await;
    room.say("alice", "hello").await;
    let all = ids(&room.events().await);
    assert!(all.len() < MAX_PAGE_EVENTS);
    let alice = user("alice");
    let mut reader = bed.rooms.reader(&alice, &room.id).await.expect("a reader");
    let everything = page(&mut reader, None, Direction::Forward, u64::MAX).await;
    assert_eq!(ids(&everything.events), all);
    assert!(page(&mut reader, None, Direction::Backward, 0).await.events.is_empty());
    let highest: HistoryToken = "h1_08ffffffffffffffff".parse().expect("a token");
    let lowest: HistoryToken = "h1_00".parse().expect("a token");
    assert_eq!(page(&mut reader, Some(highest), Direction::Backward, 100).await.events.len(), all.len());
    assert!(page(&mut reader, Some(highest), Direction::Forward, 100).await.events.is_empty());
    assert_eq!(page(&mut reader, Some(lowest), Direction::Forward, 100).await.events.len(), all.len());
    assert!(page(&mut reader, Some(lowest), Direction::Backward, 100).await.events.is_empty());
    let reversed =
        PageRequest { from: Some(lowest), to: Some(highest), direction: Direction::Backward, limit: 10 };
    assert!(reader.history(reversed, |_| true).await.expect("a page").events.is_empty());
    let future = Position::from_bytes([0xff; 12]);
    let now = reader.token_at(future).await.expect("a token");
    assert_eq!(page(&mut reader, Some(now), Direction::Backward, 100).await.events.len(), all.len());
}

/// Bodies are up to 64 KiB: a page of a thousand would be 64 MB, before what is told with each.
#[tokio::test]
async fn pages_are_bounded_by_bytes_too_and_lose_nothing() {
    let bed = Bed::new().await;
    let room = Room::new(&bed, RoomVersionId::V12).await;
    for _ in 0..MAX_PAGE_BYTES / 60_000 + 10 {
        room.say("alice", &"x".repeat(60_000)).await;
    }
    let all = ids(&room.events().await);
    let alice = user("alice");
    let mut reader = bed.rooms.reader(&alice, &room.id).await.expect("a reader");
    let newest = page(&mut reader, None, Direction::Backward, 1_000).await;
    let bytes: usize = newest.events.iter().map(|event| event.pdu.canonical().len()).sum();
    assert!((MAX_PAGE_BYTES..MAX_PAGE_BYTES + 65_536).contains(&bytes), "{bytes}");
    let older = page(&mut reader, newest.end(), Direction::Backward, 1_000).await;
    assert_eq!(older.end(), None);
    let mut shown = [ids(&newest.events), ids(&older.events)].concat();
    shown.reverse();
    assert_eq!(shown, all);
}

#[tokio::test]
async fn a_position_of_the_live_stream_has_its_place_in_history() {
    let bed = Bed::new().await;
    let room = Room::new(&bed, RoomVersionId::V12).await;
    let early = room.say("alice", "early").await;
    let position = bed.rooms.view(room.number).await.expect("the room").position;
    room.say("alice", "late").await;
    let alice = user("alice");
    let mut reader = bed.rooms.reader(&alice, &room.id).await.expect("a reader");
    let token = reader.token_at(position).await.expect("a token");
    assert_eq!(ids(&page(&mut reader, Some(token), Direction::Backward, 1).await.events), [early]);
    let start = reader.token_at(Position::START).await.expect("a token");
    assert!(page(&mut reader, Some(start), Direction::Backward, 10).await.events.is_empty());
    let rows = plop_db::KeyRange::<Timeline>::prefix(&room.number);
    let rows = bed.rooms.core().db.snapshot().scan(rows, Direction::Forward, 100).await.expect("rows");
    let shown = page(&mut reader, Some(start), Direction::Forward, 100).await.events.len();
    assert_eq!(shown, rows.rows.len());
}

#[tokio::test]
async fn b4_83_a_token_of_another_user_shows_only_what_one_may_see() {
    let bed = Bed::new().await;
    let room = Room::new(&bed, RoomVersionId::V12).await;
    room.set_visibility("joined").await;
    room.say("alice", "before bob").await;
    let alice = user("alice");
    let mut reader = bed.rooms.reader(&alice, &room.id).await.expect("a reader");
    let tokens = page(&mut reader, None, Direction::Backward, 1).await;
    let join = room.member("bob", "join").await;
    let bob = user("bob");
    let mut reader = bed.rooms.reader(&bob, &room.id).await.expect("a reader");
    let older = page(&mut reader, Some(tokens.start), Direction::Backward, 1000).await;
    assert!(older.events.iter().all(|event| event.pdu.type_name() != "m.room.message"));
    let newer = page(&mut reader, Some(tokens.reached), Direction::Forward, 1000).await;
    assert_eq!(ids(&newer.events), [join]);
}

const MANY: usize = 5000;

#[tokio::test]
async fn b4_48_rejected_and_soft_failed_events_are_no_history() {
    let bed = Bed::new().await;
    let room = Room::new(&bed, RoomVersionId::V12).await;
    let below = room.say("alice", "below").await;
    place_many(&room, Outcome::Rejected).await;
    place_many(&room, Outcome::SoftFailed).await;
    let above = room.say("alice", "above").await;
    let alice = user("alice");
    let mut reader = bed.rooms.reader(&alice, &room.id).await.expect("a reader");
    let newest = page(&mut reader, None, Direction::Backward, 2).await;
    assert_eq!(ids(&newest.events), [above, below]);
}

#[tokio::test]
async fn b4_48_many_events_that_one_may_not_see_are_passed_in_bounded_steps() {
    let bed = Bed::new().await;
    let room = Room::new(&bed, RoomVersionId::V12).await;
    let below = room.say("alice", "below").await;
    room.set_visibility("joined").await;
    place_many(&room, Outcome::Accepted).await;
    room.member("bob", "join").await;
    let bob = user("bob");
    let mut reader = bed.rooms.reader(&bob, &room.id).await.expect("a reader");
    let (mut from, mut pages) = (None, 0);
    loop {
        let page = page(&mut reader, from, Direction::Backward, 3).await;
        pages += 1;
        if ids(&page.events).contains(&below) {
            break;
        }
        from = Some(page.end().expect("a token to go on with"));
    }
    assert!((3..=5).contains(&pages), "{pages} pages: neither all at once nor one by one");
}

/// Places events of one outcome above everything that is there.
async fn place_many(room: &Room<'_>, outcome: Outcome) {
    for _ in 0..MANY / 500 {
        room.write(async |operation: &mut Operation<'_>| place(operation, outcome, 500).await).await;
    }
}

async fn place(operation: &mut Operation<'_>, outcome: Outcome, count: usize) {
    for _ in 0..count {
        let view = operation.view();
        let content = json(&format!(r#"{{"body":"{}"}}"#, operation.core().random.u64()));
        let builder = EventBuilder::new(Some(view.id.clone()), "m.room.message", id("mallory"), content);
        let pdu = builder.build(view.rules, &operation.core().key).expect("an event");
        let before = view.root;
        let placement =
            Placement { outcome, provisional: false, before, place: None, backward_extremities: Vec::new() };
        operation.place(pdu, placement, None).await.expect("an event");
    }
}

#[tokio::test]
async fn no_page_crosses_a_gap() {
    let bed = Bed::new().await;
    let room = Room::new(&bed, RoomVersionId::V12).await;
    for number in 0..6 {
        room.say("alice", &number.to_string()).await;
    }
    let events = room.events().await;
    let all = ids(&events);
    let missing = vec![owned_event_id!("$missing")];
    let gap = events[all.len() - 3].facts.place.expect("a place");
    let row = BackwardExtremitiesRow { missing: missing.clone() };
    room.write(async |operation: &mut Operation<'_>| {
        operation.batch().put::<BackwardExtremities>(&(room.number, gap), &row);
    })
    .await;
    let alice = user("alice");
    let mut reader = bed.rooms.reader(&alice, &room.id).await.expect("a reader");
    let above = page(&mut reader, None, Direction::Backward, 100).await;
    assert_eq!(above.events.len(), 3);
    assert_eq!(above.missing, missing);
    assert_eq!(above.end(), Some(HistoryToken::below(gap)));
    let below = page(&mut reader, above.end(), Direction::Backward, 100).await;
    assert_eq!(below.events.len(), all.len() - 3, "the next page goes on behind the gap");
    assert!(below.missing.is_empty() && below.end().is_none());
    let up = page(&mut reader, None, Direction::Forward, 100).await;
    assert_eq!((up.events.len(), &up.missing), (all.len() - 3, &missing));
    let rest = page(&mut reader, up.end(), Direction::Forward, 100).await;
    assert_eq!((rest.events.len(), rest.end()), (3, None));
    let short = page(&mut reader, None, Direction::Backward, 2).await;
    assert!(short.missing.is_empty() && short.more, "a page that ends before the gap says nothing of it");
}
