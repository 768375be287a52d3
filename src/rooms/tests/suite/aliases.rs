//! Room aliases.

use plop_rooms::ops::create::CreateRoom;
use plop_rooms::ops::refusal::Refusal;
use plop_rooms::ops::send::SendEvent;
use plop_state::json::Object;
use ruma::{OwnedRoomAliasId, RoomAliasId, RoomId, RoomVersionId, room_id};

use crate::suite::bed::{Bed, json, private_room, user};

const PUBLIC: Option<&str> = Some(r#"{"join_rule":"public"}"#);

fn alias(localpart: &str) -> OwnedRoomAliasId {
    RoomAliasId::parse(format!("#{localpart}:plop.example")).expect("an alias")
}

async fn claim(bed: &Bed, room: &RoomId, content: &str) -> Result<(), Refusal> {
    let event = SendEvent {
        kind: "m.room.canonical_alias".to_owned(),
        state_key: Some(String::new()),
        content: json(content),
        transaction: None,
        ts: None,
    };
    bed.rooms.send(&user("alice"), room, &event).await.map(drop)
}

#[tokio::test]
async fn an_alias_is_given_resolved_listed_and_taken() {
    let bed = Bed::new().await;
    let room = bed.room(RoomVersionId::V12, None).await;
    let alice = user("alice");
    for name in ["tea", "cake"] {
        bed.rooms.create_alias(&alice, &alias(name), &room).await.expect("an alias");
    }
    let bed = bed.restarted().await;
    assert_eq!(bed.rooms.resolve_alias(&alias("tea")).await.expect("the room"), room);
    let listed = bed.rooms.aliases_of(&alice, &room).await.expect("a list");
    assert_eq!(listed, [alias("cake"), alias("tea")]);
    bed.rooms.delete_alias(&alice, &alias("tea")).await.expect("gone");
    let gone = bed.rooms.resolve_alias(&alias("tea")).await;
    assert!(matches!(gone, Err(Refusal::NoSuchAlias)), "{gone:?}");
    let again = bed.rooms.delete_alias(&alice, &alias("tea")).await;
    assert!(matches!(again, Err(Refusal::NoSuchAlias)), "{again:?}");
    assert_eq!(bed.rooms.aliases_of(&alice, &room).await.expect("a list"), [alias("cake")]);
    bed.rooms.create_alias(&alice, &alias("tea"), &room).await.expect("free again");
}

#[tokio::test]
async fn b8_127_taken_and_foreign_aliases_are_refused() {
    let bed = Bed::new().await;
    let (mine, other) =
        (bed.room(RoomVersionId::V12, PUBLIC).await, bed.room(RoomVersionId::V6, PUBLIC).await);
    let (alice, bob) = (user("alice"), user("bob"));
    bed.rooms.create_alias(&alice, &alias("admins"), &mine).await.expect("an alias");
    let taken = bed.rooms.create_alias(&alice, &alias("admins"), &other).await;
    assert!(matches!(taken, Err(Refusal::AliasInUse)), "{taken:?}");
    assert_eq!(bed.rooms.resolve_alias(&alias("admins")).await.expect("the room"), mine);
    for name in ["#tea:far.example", "#a b:plop.example", "#:plop.example"] {
        let Ok(name) = RoomAliasId::parse(name) else { continue };
        let refused = bed.rooms.create_alias(&alice, &name, &mine).await;
        assert!(matches!(refused, Err(Refusal::InvalidAlias)), "{name}: {refused:?}");
    }
    for room in [&*other, room_id!("!nothing:plop.example")] {
        let outside = bed.rooms.create_alias(&bob, &alias("tea"), room).await;
        assert!(matches!(outside, Err(Refusal::NotInRoom)), "{outside:?}");
        let outside = bed.rooms.aliases_of(&bob, room).await;
        assert!(matches!(outside, Err(Refusal::NotInRoom)), "{outside:?}");
    }
    bed.rooms.join(&bob, &mine, &Object::new()).await.expect("a join");
    let not_his = bed.rooms.delete_alias(&bob, &alias("admins")).await;
    assert!(matches!(not_his, Err(Refusal::MayNotChangeAlias)), "{not_his:?}");
    bed.rooms.create_alias(&bob, &alias("bobs"), &mine).await.expect("an alias");
    bed.rooms.delete_alias(&alice, &alias("bobs")).await.expect("her power reaches");
    bed.rooms.create_alias(&bob, &alias("bobs"), &mine).await.expect("an alias");
    bed.rooms.leave(&bob, &mine, &Object::new()).await.expect("out");
    bed.rooms.delete_alias(&bob, &alias("bobs")).await.expect("it is his");
}

#[tokio::test]
async fn one_of_two_gets_an_alias_that_both_want() {
    let bed = Bed::new().await;
    let (one, other) = (bed.room(RoomVersionId::V12, None).await, bed.room(RoomVersionId::V12, None).await);
    let (alice, name) = (user("alice"), alias("tea"));
    let (first, second) = tokio::join!(
        bed.rooms.create_alias(&alice, &name, &one),
        bed.rooms.create_alias(&alice, &name, &other)
    );
    assert!(first.is_ok() != second.is_ok());
    let lists = [&one, &other].map(|room| bed.rooms.aliases_of(&alice, room));
    let [one, other] = lists;
    assert_eq!(one.await.expect("a list").len() + other.await.expect("a list").len(), 1);
}

#[tokio::test]
async fn a_room_claims_only_aliases_that_lead_to_it() {
    let bed = Bed::new().await;
    let request = CreateRoom { alias: Some("tea".to_owned()), ..private_room(RoomVersionId::V11) };
    let room = bed.rooms.create(&user("alice"), &request).await.expect("a room");
    let other = bed.room(RoomVersionId::V11, None).await;
    bed.rooms.create_alias(&user("alice"), &alias("cake"), &other).await.expect("an alias");
    let head = bed.head(&room).await;
    for (content, bad) in [
        (r##"{"alias":"#cake:plop.example"}"##, true),
        (r##"{"alias":"#none:plop.example"}"##, true),
        (r##"{"alias":"#tea:plop.example","alt_aliases":["#cake:plop.example"]}"##, true),
        (r##"{"alias":"#tea:far.example"}"##, true),
        (r##"{"alias":"tea"}"##, false),
        (r##"{"alias":7}"##, false),
        (r##"{"alt_aliases":"#tea:plop.example"}"##, false),
        (r##"{"alt_aliases":[null]}"##, false),
    ] {
        let refused = claim(&bed, &room, content).await;
        match refused {
            Err(Refusal::BadAlias(_)) if bad => {}
            Err(Refusal::InvalidAlias) if !bad => {}
            refused => panic!("{content}: {refused:?}"),
        }
    }
    assert_eq!(head, bed.head(&room).await);
    claim(&bed, &room, r##"{"alt_aliases":["#tea:plop.example"]}"##).await.expect("its own");
    claim(&bed, &room, r##"{"alias":""}"##).await.expect("none");
    claim(&bed, &room, "{}").await.expect("none");
}

#[tokio::test]
async fn a_deleted_alias_leaves_the_claim_too() {
    let bed = Bed::new().await;
    let request = CreateRoom { alias: Some("tea".to_owned()), ..private_room(RoomVersionId::V12) };
    let room = bed.rooms.create(&user("alice"), &request).await.expect("a room");
    bed.rooms.create_alias(&user("alice"), &alias("cake"), &room).await.expect("an alias");
    claim(&bed, &room, r##"{"alias":"#tea:plop.example","alt_aliases":["#cake:plop.example"]}"##)
        .await
        .expect("a claim");
    bed.rooms.delete_alias(&user("alice"), &alias("tea")).await.expect("gone");
    let claim = bed.state(&room, "m.room.canonical_alias", "").await;
    assert_eq!(claim, serde_json::json!({"alt_aliases": ["#cake:plop.example"]}));
    // An alias that is no more and still claimed may stay claimed.
    bed.rooms.delete_alias(&user("alice"), &alias("cake")).await.expect("gone");
    assert_eq!(bed.state(&room, "m.room.canonical_alias", "").await, serde_json::json!({"alt_aliases": []}));
}
