//! Room upgrades.

use plop_rooms::ops::create::{CreateRoom, InitialState, Preset};
use plop_rooms::ops::refusal::Refusal;
use plop_rooms::ops::send::SendEvent;
use plop_rooms::ops::upgrade::UpgradeRoom;
use plop_rooms::schema::{self, Membership};
use plop_state::auth::AuthError;
use plop_state::json::Object;
use ruma::{OwnedRoomId, RoomAliasId, RoomId, RoomVersionId};
use serde_json::{Value, json as value};

use crate::suite::bed::{Bed, id, json, private_room, user};

fn to(version: RoomVersionId) -> UpgradeRoom {
    UpgradeRoom { version, additional_creators: Vec::new() }
}

fn state(kind: &str, state_key: &str, content: &str) -> InitialState {
    InitialState { kind: kind.to_owned(), state_key: state_key.to_owned(), content: json(content) }
}

async fn upgrade(bed: &Bed, by: &str, room: &RoomId, version: RoomVersionId) -> OwnedRoomId {
    bed.rooms.upgrade(&user(by), room, &to(version)).await.expect("an upgrade")
}

async fn say(bed: &Bed, by: &str, room: &RoomId) -> Result<(), Refusal> {
    let event = SendEvent {
        kind: "m.room.message".to_owned(),
        state_key: None,
        content: json(r#"{"msgtype":"m.text","body":"hi"}"#),
        transaction: None,
        ts: None,
    };
    bed.rooms.send(&user(by), room, &event).await.map(drop)
}

async fn rooms_stored(bed: &Bed) -> usize {
    let range = plop_db::KeyRange::<schema::RoomRecords>::all();
    let snapshot = bed.rooms.core().db.snapshot();
    snapshot.scan(range, plop_db::Direction::Forward, 100).await.expect("rows").rows.len()
}

const CARRIED: [(&str, &str); 8] = [
    ("m.room.server_acl", r#"{"allow":["*"],"deny":["evil.example"]}"#),
    ("m.room.encryption", r#"{"algorithm":"m.megolm.v1.aes-sha2"}"#),
    ("m.room.name", r#"{"name":"Tea"}"#),
    ("m.room.avatar", r#"{"url":"mxc://plop.example/a"}"#),
    ("m.room.topic", r#"{"topic":"Leaves"}"#),
    ("m.room.guest_access", r#"{"guest_access":"forbidden"}"#),
    ("m.room.history_visibility", r#"{"history_visibility":"joined"}"#),
    ("m.room.join_rules", r#"{"join_rule":"public"}"#),
];

#[tokio::test]
async fn from_every_version_to_every_other_what_clients_expect_moves() {
    let bed = Bed::new().await;
    for (index, old) in plop_state::version::ALL.iter().enumerate() {
        // Each to a few others, up and down, and itself.
        for step in [0, 1, 4, 11] {
            let new = &plop_state::version::ALL[(index + step) % plop_state::version::ALL.len()];
            let request = CreateRoom {
                alias: Some(format!("tea-{index}-{step}")),
                published: true,
                creation_content: json(r#"{"type":"org.example.kitchen","m.federate":false}"#),
                initial_state: CARRIED.iter().map(|(kind, content)| state(kind, "", content)).collect(),
                invite: vec![id("dave")],
                ..private_room(old.version.clone())
            };
            let room = bed.rooms.create(&user("alice"), &request).await.expect("a room");
            let ban = json(r#"{"reason":"rude"}"#);
            bed.rooms.ban(&user("alice"), &room, &id("mallory"), &ban).await.expect("a ban");
            let next = upgrade(&bed, "alice", &room, new.version.clone()).await;
            let bed = bed.restarted().await;

            let create = bed.state(&next, "m.room.create", "").await;
            assert_eq!(create["room_version"], new.version.as_str());
            assert_eq!(create["predecessor"]["room_id"], room.as_str());
            assert!(create["predecessor"]["event_id"].is_string());
            assert_eq!(
                (&create["type"], &create["m.federate"]),
                (&"org.example.kitchen".into(), &false.into())
            );
            for (kind, content) in CARRIED {
                let expected: Value = serde_json::from_str(content).expect("JSON");
                assert_eq!(bed.state(&next, kind, "").await, expected, "{kind}");
            }
            let tombstone = bed.state(&room, "m.room.tombstone", "").await;
            assert_eq!(tombstone["replacement_room"], next.as_str());
            let alias = RoomAliasId::parse(format!("#tea-{index}-{step}:plop.example")).expect("an alias");
            assert_eq!(bed.rooms.resolve_alias(&alias).await.expect("the room"), next);
            assert_eq!(bed.rooms.aliases_of(&user("alice"), &next).await.expect("a list"), [&*alias]);
            assert!(bed.rooms.aliases_of(&user("alice"), &room).await.expect("a list").is_empty());
            assert_eq!(bed.state(&next, "m.room.canonical_alias", "").await, value!({"alias": alias}));
            assert_eq!(bed.state(&room, "m.room.canonical_alias", "").await, value!({}));
            assert!(bed.rooms.is_published(&next).await.expect("an answer"));
            assert!(!bed.rooms.is_published(&room).await.expect("an answer"));
            let banned = bed.state(&next, "m.room.member", "@mallory:plop.example").await;
            assert_eq!(banned, value!({"membership": "ban", "reason": "rude"}));
            assert_eq!(bed.membership(&next, "dave").await, None, "invites stay behind");
            say(&bed, "alice", &next).await.expect("the new room is in use");
        }
    }
}

#[tokio::test]
async fn the_old_room_is_closed_to_those_without_power() {
    let bed = Bed::new().await;
    let request = CreateRoom { preset: Preset::PublicChat, ..private_room(RoomVersionId::V11) };
    let room = bed.rooms.create(&user("alice"), &request).await.expect("a room");
    bed.rooms.join(&user("bob"), &room, &Object::new()).await.expect("a join");
    say(&bed, "bob", &room).await.expect("open");
    let next = upgrade(&bed, "alice", &room, RoomVersionId::V12).await;
    let levels = bed.state(&room, "m.room.power_levels", "").await;
    assert_eq!((&levels["events_default"], &levels["invite"]), (&50.into(), &50.into()));
    let closed = say(&bed, "bob", &room).await;
    assert!(matches!(closed, Err(Refusal::Rule(AuthError::EventLevel))), "{closed:?}");
    bed.rooms.join(&user("bob"), &next, &Object::new()).await.expect("a join");
    say(&bed, "bob", &next).await.expect("the lock is the old room's alone");
}

#[tokio::test]
async fn power_follows_the_new_version() {
    let bed = Bed::new().await;
    let request = CreateRoom {
        power_levels_override: json(
            r#"{"users":{"@alice:plop.example":100,"@bob:plop.example":50,"@carol:plop.example":100},
                "events":{"m.room.tombstone":50,"m.room.name":70}}"#,
        ),
        initial_state: vec![state("m.room.join_rules", "", r#"{"join_rule":"public"}"#)],
        ..private_room(RoomVersionId::V9)
    };
    let room = bed.rooms.create(&user("alice"), &request).await.expect("a room");
    bed.rooms.join(&user("bob"), &room, &Object::new()).await.expect("a join");

    // A moderator may upgrade, and is no more than that afterwards.
    let next = upgrade(&bed, "bob", &room, RoomVersionId::V11).await;
    let levels = bed.state(&next, "m.room.power_levels", "").await;
    let users = value!({"@alice:plop.example": 100, "@bob:plop.example": 50, "@carol:plop.example": 100});
    assert_eq!((&levels["users"], &levels["events"]["m.room.name"]), (&users, &70.into()));

    // In version 12 who upgrades is a creator, and stands in no list.
    let request = UpgradeRoom {
        version: RoomVersionId::V12,
        additional_creators: vec![id("carol"), user_of_another_server()],
    };
    let next = bed.rooms.upgrade(&user("bob"), &room, &request).await.expect("an upgrade");
    let levels = bed.state(&next, "m.room.power_levels", "").await;
    assert_eq!(levels["users"], value!({"@alice:plop.example": 100}));
    assert_eq!(levels["events"]["m.room.tombstone"], 150);
    let create = bed.state(&next, "m.room.create", "").await;
    assert_eq!(create["additional_creators"], value!(["@carol:plop.example", "@zed:far.example"]));

    // Back again, creators need levels to keep their power.
    let back = upgrade(&bed, "bob", &next, RoomVersionId::V10).await;
    let levels = bed.state(&back, "m.room.power_levels", "").await;
    for user in ["@alice", "@bob", "@carol"] {
        assert_eq!(levels["users"][format!("{user}:plop.example")], 100);
    }
    assert!(bed.state(&back, "m.room.create", "").await.get("additional_creators").is_none());
}

fn user_of_another_server() -> ruma::OwnedUserId {
    ruma::owned_user_id!("@zed:far.example")
}

#[tokio::test]
async fn what_old_versions_wrote_loosely_is_written_strictly() {
    let bed = Bed::new().await;
    let request = CreateRoom {
        power_levels_override: json(
            r#"{"users":{"@alice:plop.example":" +100 "},"kick":"30","events":{"m.room.name":"60"}}"#,
        ),
        ..private_room(RoomVersionId::V1)
    };
    let room = bed.rooms.create(&user("alice"), &request).await.expect("a room");
    let next = upgrade(&bed, "alice", &room, RoomVersionId::V11).await;
    let levels = bed.state(&next, "m.room.power_levels", "").await;
    assert_eq!(levels["users"], value!({"@alice:plop.example": 100}));
    assert_eq!((&levels["kick"], &levels["events"]["m.room.name"]), (&30.into(), &60.into()));
}

#[tokio::test]
async fn join_rules_stay_as_far_as_the_new_version_knows_them() {
    let bed = Bed::new().await;
    let rules = r#"{"join_rule":"knock_restricted","allow":[{"type":"m.room_membership","room_id":"!a:b"}]}"#;
    let room = bed.room(RoomVersionId::V10, Some(rules)).await;
    let next = upgrade(&bed, "alice", &room, RoomVersionId::V12).await;
    let kept: Value = serde_json::from_str(rules).expect("JSON");
    assert_eq!(bed.state(&next, "m.room.join_rules", "").await, kept);
    let older = upgrade(&bed, "alice", &next, RoomVersionId::V9).await;
    assert_eq!(bed.state(&older, "m.room.join_rules", "").await, value!({"join_rule": "invite"}));
}

#[tokio::test]
async fn a_space_keeps_its_rooms() {
    let bed = Bed::new().await;
    let request = CreateRoom {
        creation_content: json(r#"{"type":"m.space"}"#),
        initial_state: vec![
            state("m.space.child", "!one:b", r#"{"via":["b"]}"#),
            state("m.space.child", "!gone:b", "{}"),
            state("org.example.other", "!one:b", r#"{"x":1}"#),
        ],
        ..private_room(RoomVersionId::V10)
    };
    let room = bed.rooms.create(&user("alice"), &request).await.expect("a room");
    let next = upgrade(&bed, "alice", &room, RoomVersionId::V12).await;
    assert_eq!(bed.state(&next, "m.space.child", "!one:b").await, value!({"via": ["b"]}));
    assert_eq!(bed.state(&next, "m.space.child", "!gone:b").await, Value::Null);
    assert_eq!(bed.state(&next, "org.example.other", "!one:b").await, Value::Null);
}

#[tokio::test]
async fn more_bans_than_one_batch_holds_are_all_carried() {
    let bed = Bed::new().await;
    let room = bed.room(RoomVersionId::V11, None).await;
    for index in 0..230 {
        let target = id(&format!("mallory{index}"));
        bed.rooms.ban(&user("alice"), &room, &target, &Object::new()).await.expect("a ban");
    }
    let next = upgrade(&bed, "alice", &room, RoomVersionId::V12).await;
    let view = bed.restarted().await.rooms.view_by_id(&next).await.expect("the room");
    let banned = view.members.iter().filter(|(_, member)| member.membership == Membership::Ban).count();
    assert_eq!(banned, 230);
}

#[tokio::test]
async fn a_refused_upgrade_stores_nothing() {
    let bed = Bed::new().await;
    let request = CreateRoom { preset: Preset::PublicChat, ..private_room(RoomVersionId::V11) };
    let room = bed.rooms.create(&user("alice"), &request).await.expect("a room");
    bed.rooms.join(&user("bob"), &room, &Object::new()).await.expect("a join");
    let head = bed.head(&room).await;
    let powerless = bed.rooms.upgrade(&user("bob"), &room, &to(RoomVersionId::V12)).await;
    assert!(matches!(powerless, Err(Refusal::Rule(AuthError::EventLevel))), "{powerless:?}");
    for room in [&*room, ruma::room_id!("!nothing:plop.example")] {
        let stranger = bed.rooms.upgrade(&user("eve"), room, &to(RoomVersionId::V12)).await;
        assert!(matches!(stranger, Err(Refusal::NotInRoom)), "{stranger:?}");
    }
    let unknown = to(RoomVersionId::try_from("99").expect("a version"));
    let unknown = bed.rooms.upgrade(&user("alice"), &room, &unknown).await;
    assert!(matches!(unknown, Err(Refusal::UnknownVersion(_))), "{unknown:?}");
    assert_eq!((head, 1), (bed.head(&room).await, rooms_stored(&bed).await));
}

#[tokio::test]
async fn two_upgrades_at_once_end_as_if_one_came_after_the_other() {
    let bed = Bed::new().await;
    let request = CreateRoom { alias: Some("tea".to_owned()), ..private_room(RoomVersionId::V11) };
    let room = bed.rooms.create(&user("alice"), &request).await.expect("a room");
    let (alice, request) = (user("alice"), to(RoomVersionId::V12));
    let (first, second) =
        tokio::join!(bed.rooms.upgrade(&alice, &room, &request), bed.rooms.upgrade(&alice, &room, &request));
    let both = [first.expect("an upgrade"), second.expect("an upgrade")];
    let tombstone = bed.state(&room, "m.room.tombstone", "").await;
    let next = tombstone["replacement_room"].as_str().expect("an id");
    assert!(both.iter().any(|room| room == next));
    assert!(both[0] != both[1], "two rooms of the same moment and content have two ids");
}

#[tokio::test]
async fn b3_68_an_odd_create_event_makes_a_usable_room() {
    let bed = Bed::new().await;
    for rules in &plop_state::version::ALL {
        let request = CreateRoom {
            creation_content: json(
                r#"{"predecessor":"!old:b","m.federate":"false","type":7,"room_version":5,"x":{"y":[]}}"#,
            ),
            ..private_room(rules.version.clone())
        };
        let room = bed.rooms.create(&user("alice"), &request).await.expect("a room");
        say(&bed, "alice", &room).await.expect("a message");
        let next = upgrade(&bed, "alice", &room, RoomVersionId::V12).await;
        let create = bed.state(&next, "m.room.create", "").await;
        assert_eq!(create["predecessor"]["room_id"], room.as_str());
        assert!(create.get("type").is_none() && create.get("m.federate").is_none());
    }
}
