//! The directory of published rooms.

use plop_db::{Batch, KeyRange};
use plop_rooms::ops::create::{CreateRoom, InitialState, Preset};
use plop_rooms::ops::directory::{DirectoryPage, DirectoryQuery, Place};
use plop_rooms::ops::refusal::Refusal;
use plop_rooms::schema::Members;
use plop_rooms::summary::RoomSummary;
use plop_state::json::Object;
use ruma::{RoomVersionId, room_id};

use crate::suite::bed::{Bed, json, private_room, user};

async fn published(bed: &Bed, name: &str, kind: Option<&str>) {
    let creation_content = kind.map(|kind| json(&format!(r#"{{"type":"{kind}"}}"#))).unwrap_or_default();
    let request = CreateRoom {
        preset: Preset::PublicChat,
        published: true,
        name: Some(name.to_owned()),
        topic: Some(format!("All about {name}")),
        alias: Some(name.to_owned()),
        creation_content,
        ..private_room(RoomVersionId::V12)
    };
    bed.rooms.create(&user("alice"), &request).await.expect("a room");
}

fn names(page: &DirectoryPage) -> Vec<&str> {
    page.rooms.iter().filter_map(|room| room.name.as_deref()).collect()
}

async fn page(bed: &Bed, query: DirectoryQuery) -> DirectoryPage {
    bed.rooms.published_rooms(&query).await.expect("a page")
}

#[tokio::test]
async fn pages_go_forth_and_back() {
    let bed = Bed::new().await;
    for name in ["a", "b", "c", "d", "e"] {
        published(&bed, name, None).await;
    }
    let at = |since: Option<Place>| page(&bed, DirectoryQuery { limit: 2, since, ..Default::default() });
    let first = at(None).await;
    assert_eq!((names(&first), first.previous), (vec!["a", "b"], None));
    let second = at(first.next).await;
    assert_eq!(names(&second), ["c", "d"]);
    let third = at(second.next).await;
    assert_eq!((names(&third), third.next), (vec!["e"], None));
    let back = at(third.previous).await;
    assert_eq!(names(&back), ["c", "d"]);
    let start = at(back.previous).await;
    assert_eq!((names(&start), start.previous), (vec!["a", "b"], None));
    assert_eq!(names(&at(start.next).await), ["c", "d"]);
}

#[tokio::test]
async fn a_search_looks_at_names_topics_aliases_and_types() {
    let bed = Bed::new().await;
    published(&bed, "Tea", None).await;
    published(&bed, "Cake", Some("m.space")).await;
    let term = |term: &str| DirectoryQuery { term: Some(term.to_owned()), ..Default::default() };
    assert_eq!(names(&page(&bed, term("TEA")).await), ["Tea"]);
    assert_eq!(names(&page(&bed, term("about c")).await), ["Cake"]);
    assert_eq!(names(&page(&bed, term("#cake:plop")).await), ["Cake"]);
    assert!(page(&bed, term("beer")).await.rooms.is_empty());
    let types = |types: &[Option<&str>]| DirectoryQuery {
        room_types: Some(types.iter().map(|kind| kind.map(ToOwned::to_owned)).collect()),
        ..Default::default()
    };
    assert_eq!(names(&page(&bed, types(&[Some("m.space")])).await), ["Cake"]);
    assert_eq!(names(&page(&bed, types(&[None])).await), ["Tea"]);
    assert_eq!(page(&bed, types(&[None, Some("m.space")])).await.rooms.len(), 2);
    assert!(page(&bed, types(&[])).await.rooms.is_empty());
}

#[tokio::test]
async fn power_over_the_canonical_alias_lists_a_room() {
    let bed = Bed::new().await;
    let room = bed.room(RoomVersionId::V10, Some(r#"{"join_rule":"public"}"#)).await;
    let (alice, bob) = (user("alice"), user("bob"));
    for room in [&*room, room_id!("!nothing:plop.example")] {
        let outside = bed.rooms.publish(&bob, room, true).await;
        assert!(matches!(outside, Err(Refusal::NotInRoom)), "{outside:?}");
    }
    bed.rooms.join(&bob, &room, &Object::new()).await.expect("a join");
    let powerless = bed.rooms.publish(&bob, &room, true).await;
    assert!(matches!(powerless, Err(Refusal::MayNotPublish)), "{powerless:?}");
    assert!(!bed.rooms.is_published(&room).await.expect("an answer"));
    bed.rooms.publish(&alice, &room, true).await.expect("listed");
    bed.rooms.publish(&alice, &room, true).await.expect("listed before");
    let bed = bed.restarted().await;
    assert!(bed.rooms.is_published(&room).await.expect("an answer"));
    let listed = page(&bed, DirectoryQuery::default()).await;
    assert_eq!(listed.rooms.iter().map(|room| room.joined_members).collect::<Vec<_>>(), [2]);
    bed.rooms.publish(&alice, &room, false).await.expect("off");
    assert!(page(&bed, DirectoryQuery::default()).await.rooms.is_empty());
}

/// The rows of the members are gone, and nobody notices: a list of 500 rooms does not take 500 rooms into memory.
#[tokio::test]
async fn b4_89_a_page_reads_no_members() {
    let bed = Bed::new().await;
    let room = bed.room(RoomVersionId::V12, Some(r#"{"join_rule":"public"}"#)).await;
    for name in ["bob", "carol"] {
        bed.rooms.join(&user(name), &room, &Object::new()).await.expect("a join");
    }
    bed.rooms.leave(&user("carol"), &room, &Object::new()).await.expect("a leave");
    bed.rooms.publish(&user("alice"), &room, true).await.expect("listed");
    let number = bed.rooms.number(&room).await.expect("a read").expect("a room");
    let mut batch = Batch::durable();
    batch.delete_range(KeyRange::<Members>::prefix(&number));
    bed.rooms.core().db.commit(batch).await.expect("a commit");
    let bed = bed.restarted().await;
    let listed = page(&bed, DirectoryQuery { limit: usize::MAX, ..Default::default() }).await;
    assert_eq!(listed.rooms.iter().map(|room| room.joined_members).collect::<Vec<_>>(), [2]);
    assert_eq!(listed.rooms[0].join_rule.as_deref(), Some("public"));
}

/// Each field has something: a new one that is read of a type which the directory does not load would be missing here.
#[tokio::test]
async fn the_directory_shows_what_the_picture_says() {
    let bed = Bed::new().await;
    let state = [
        ("m.room.avatar", r#"{"url":"mxc://plop.example/tea"}"#),
        ("m.room.guest_access", r#"{"guest_access":"can_join"}"#),
        ("m.room.history_visibility", r#"{"history_visibility":"world_readable"}"#),
    ];
    let initial_state = state.map(|(kind, content)| InitialState {
        kind: kind.to_owned(),
        state_key: String::new(),
        content: json(content),
    });
    let request = CreateRoom {
        preset: Preset::PublicChat,
        published: true,
        name: Some("Tea".to_owned()),
        topic: Some("All about tea".to_owned()),
        alias: Some("tea".to_owned()),
        creation_content: json(r#"{"type":"m.space"}"#),
        initial_state: initial_state.to_vec(),
        ..private_room(RoomVersionId::V12)
    };
    let room = bed.rooms.create(&user("alice"), &request).await.expect("a room");
    let mut listed = page(&bed, DirectoryQuery::default()).await.rooms;
    assert_eq!(listed, [RoomSummary::of(&bed.rooms.view_by_id(&room).await.expect("the room"))]);
    let RoomSummary {
        room: id,
        name,
        topic,
        avatar_url,
        canonical_alias,
        joined_members,
        is_world_readable,
        guests_may_join,
        join_rule,
        room_type,
        allowed_rooms,
        encryption,
        version,
    } = listed.remove(0);
    assert_eq!((id, joined_members, version), (room, 1, RoomVersionId::V12));
    assert_eq!((allowed_rooms, encryption), (Vec::new(), None));
    let texts = [name, topic, avatar_url, canonical_alias.map(Into::into), join_rule, room_type];
    let expected =
        ["Tea", "All about tea", "mxc://plop.example/tea", "#tea:plop.example", "public", "m.space"];
    assert_eq!(texts.each_ref().map(Option::as_deref), expected.map(Some));
    assert!(is_world_readable && guests_may_join);
}

#[tokio::test]
async fn a_summary_survives_odd_state() {
    let bed = Bed::new().await;
    let odd = [
        ("m.room.name", r#"{"name":{"x":1}}"#),
        ("m.room.topic", r#"{"topic":"old","m.topic":{"m.text":[{"mimetype":"text/html","body":"<b>"}]}}"#),
        ("m.room.avatar", r#"{"url":7}"#),
        ("m.room.guest_access", r#"{"guest_access":[]}"#),
        ("m.room.history_visibility", r#"{"history_visibility":"world_readable"}"#),
    ];
    let initial_state = odd
        .map(|(kind, content)| InitialState {
            kind: kind.to_owned(),
            state_key: String::new(),
            content: json(content),
        })
        .to_vec();
    let request = CreateRoom { published: true, initial_state, ..private_room(RoomVersionId::V12) };
    bed.rooms.create(&user("alice"), &request).await.expect("a room");
    let listed = page(&bed, DirectoryQuery::default()).await.rooms;
    let [room] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!((&room.name, &room.topic, &room.avatar_url), (&None, &None, &None));
    assert!(room.is_world_readable && !room.guests_may_join);
    assert_eq!(room.join_rule.as_deref(), Some("invite"));
}
