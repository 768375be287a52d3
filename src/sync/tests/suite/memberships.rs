//! Rooms come and go: invites, joins, knocks, leaves, bans, forgetting.

use plop_db::Batch;
use plop_rooms::ops::create::{CreateRoom, Preset};
use plop_rooms::schema::UserRooms;
use plop_state::json::Object;
use ruma::RoomVersionId;
use serde_json::{Value, json as value};

use crate::bed::{Bed, id, json, keys, private_room, public_room, told, user};

fn sections(answer: &Value) -> Vec<String> {
    let rooms = &answer["rooms"];
    let mut found: Vec<String> = keys(rooms)
        .into_iter()
        .flat_map(|section| keys(&rooms[section]).into_iter().map(move |room| format!("{section} {room}")))
        .collect();
    found.sort();
    found
}

#[tokio::test(start_paused = true)]
async fn an_invite_is_shown_with_what_identifies_the_room() {
    let bed = Bed::new().await;
    let request = CreateRoom { name: Some("Tea".to_owned()), ..private_room(RoomVersionId::V12) };
    let room = bed.rooms.create(&user("alice"), &request).await.expect("a room");
    let mut bob = bed.client("bob");
    bob.sync().await;
    bed.rooms.invite(&user("alice"), &room, &id("bob"), &Object::new()).await.expect("an invite");
    let answer = bob.sync().await;
    assert_eq!(sections(&answer), [format!("invite {room}")]);
    let events = &answer["rooms"]["invite"][room.as_str()]["invite_state"]["events"];
    let events = events.as_array().expect("events");
    let of = |kind: &str| events.iter().find(|event| event["type"] == kind).expect("it is there");
    assert_eq!(of("m.room.name")["content"]["name"], "Tea");
    assert_eq!(of("m.room.create")["sender"], "@alice:plop.example");
    assert_eq!(of("m.room.member")["content"]["membership"], "invite");
    assert_eq!(of("m.room.member")["state_key"], "@bob:plop.example");
    let inviter =
        events.iter().find(|event| event["state_key"] == "@alice:plop.example").expect("who invites");
    assert_eq!(
        (&inviter["type"], &inviter["content"]["membership"]),
        (&value!("m.room.member"), &value!("join"))
    );
    assert!(events.iter().all(|event| keys(event) == ["content", "sender", "state_key", "type"]));

    assert_eq!(keys(&bob.sync().await), ["next_batch"], "once is enough");
    bed.set("alice", &room, "m.room.name", r#"{"name":"Coffee"}"#).await;
    assert_eq!(keys(&bob.sync().await), ["next_batch"], "who is invited does not follow the room");
    let fresh = bed.client("bob").sync().await;
    assert_eq!(sections(&fresh), [format!("invite {room}")]);
    let shown = fresh["rooms"]["invite"][room.as_str()]["invite_state"]["events"].to_string();
    assert!(shown.contains("Tea") && !shown.contains("Coffee"), "as it was with the invite: {shown}");

    bed.leave("bob", &room).await;
    let answer = bob.sync().await;
    assert_eq!(sections(&answer), [format!("leave {room}")]);
    let left = &answer["rooms"]["leave"][room.as_str()];
    assert_eq!(
        told(&left["timeline"]["events"]),
        ["m.room.member"],
        "the end of the invite, and nothing else"
    );
    assert_eq!(left["state"], value!({"events": []}));
    assert_eq!(keys(&bed.client("bob").sync().await), ["next_batch"]);
}

#[tokio::test(start_paused = true)]
async fn a_room_that_is_joined_comes_as_a_whole() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let mut bob = bed.client("bob");
    bob.sync().await;
    for number in 0..20 {
        bed.say("alice", &room, &format!("{number}")).await;
    }
    bed.join("bob", &room).await;
    let answer = bob.sync().await;
    let joined = &answer["rooms"]["join"][room.as_str()];
    assert_eq!(joined["timeline"]["limited"], true);
    assert_eq!(told(&joined["timeline"]["events"]).len(), 10);
    let state = told(&joined["state"]["events"]);
    for kind in ["m.room.create", "m.room.power_levels", "m.room.join_rules", "m.room.member"] {
        assert!(state.contains(&kind.to_owned()), "{kind} of {state:?}");
    }
    assert_eq!(joined["summary"]["m.joined_member_count"], 2);
    assert_eq!(joined["summary"]["m.heroes"], value!(["@alice:plop.example"]));
    bed.say("alice", &room, "after").await;
    let answer = bob.sync().await;
    assert_eq!(keys(&answer["rooms"]["join"][room.as_str()]), ["timeline", "unread_notifications"]);
}

#[tokio::test(start_paused = true)]
async fn a_changed_profile_does_not_make_the_room_new() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let mut alice = bed.client("alice");
    alice.sync().await;
    let content = json(r#"{"membership":"join","displayname":"Alice"}"#);
    bed.send("alice", &room, "m.room.member", Some(id("alice").as_str()), content).await;
    bed.say("alice", &room, "it is me").await;
    let answer = alice.sync().await;
    let joined = &answer["rooms"]["join"][room.as_str()];
    assert_eq!(told(&joined["timeline"]["events"]), ["m.room.member", "it is me"]);
    assert_eq!(joined["timeline"]["limited"], false);
    assert_eq!(joined["state"], value!(null));
}

/// A changed name is a member event in each room of its user: it is no change of the user's rooms, which those who look would read anew each time.
#[tokio::test(start_paused = true)]
async fn a_changed_profile_moves_no_row_of_the_users_rooms() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    let number = bed.rooms.number(&room).await.expect("a read").expect("a room");
    let row = async || bed.db.snapshot().get::<UserRooms>(&(id("bob"), number)).await.expect("a read");
    let before = row().await;
    for name in ["Bob", "Bobby"] {
        let content = json(&format!(r#"{{"membership":"join","displayname":"{name}"}}"#));
        bed.send("bob", &room, "m.room.member", Some(id("bob").as_str()), content).await;
        assert_eq!(row().await, before);
    }
    bed.leave("bob", &room).await;
    bed.join("bob", &room).await;
    assert!(row().await.map(|row| row.position) > before.map(|row| row.position));
}

/// The row of another room is gone, and nobody notices: a user of 5,000 rooms joins one more.
#[tokio::test(start_paused = true)]
async fn a_change_of_one_room_reads_the_row_of_no_other() {
    let bed = Bed::new().await;
    let (old, new) = (bed.room("alice").await, bed.room("alice").await);
    bed.join("bob", &old).await;
    let mut bob = bed.client("bob");
    bob.sync().await;
    let number = bed.rooms.number(&old).await.expect("a read").expect("a room");
    let mut batch = Batch::durable();
    batch.delete::<UserRooms>(&(id("bob"), number));
    bed.db.commit(batch).await.expect("a commit");
    for _ in 0..2 {
        bed.join("bob", &new).await;
        bed.say("alice", &old, "still here").await;
        let answer = bob.sync().await;
        assert_eq!(keys(&answer["rooms"]["join"]).len(), 2);
        assert_eq!(told(&answer["rooms"]["join"][old.as_str()]["timeline"]["events"]), ["still here"]);
        bed.leave("bob", &new).await;
        assert_eq!(sections(&bob.sync().await), [format!("leave {new}")]);
    }
    let row = bed.db.snapshot().get::<UserRooms>(&(id("bob"), number)).await.expect("a read");
    assert_eq!(row, None);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_gets_what_came_until_then_and_nothing_after() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    let mut bob = bed.client("bob");
    bob.sync().await;
    let mut away = bob.clone();
    bed.say("alice", &room, "before").await;
    bed.leave("bob", &room).await;
    bed.say("alice", &room, "after").await;
    bed.set("alice", &room, "m.room.topic", r#"{"topic":"secret"}"#).await;
    let answer = bob.sync().await;
    assert_eq!(sections(&answer), [format!("leave {room}")]);
    let left = &answer["rooms"]["leave"][room.as_str()];
    assert_eq!(told(&left["timeline"]["events"]), ["before", "m.room.member"]);
    assert!(!answer.to_string().contains("secret"));
    bed.say("alice", &room, "long after").await;
    assert_eq!(keys(&bob.sync().await), ["next_batch"]);
    assert_eq!(keys(&bed.client("bob").sync().await), ["next_batch"], "left rooms are not in a first answer");

    let answer = away.sync().await;
    assert_eq!(
        told(&answer["rooms"]["leave"][room.as_str()]["timeline"]["events"]),
        ["before", "m.room.member"]
    );
}

/// Hostile input, row 75.
#[tokio::test(start_paused = true)]
async fn who_is_banned_or_kicked_is_told_and_sees_nothing_newer() {
    for ban in [true, false] {
        let bed = Bed::new().await;
        let room = bed.room("alice").await;
        bed.join("bob", &room).await;
        let mut bob = bed.client("bob");
        bob.sync().await;
        let (alice, target, extra) = (user("alice"), id("bob"), Object::new());
        if ban {
            bed.rooms.ban(&alice, &room, &target, &extra).await.expect("a ban");
        } else {
            bed.rooms.kick(&alice, &room, &target, &extra).await.expect("a kick");
        }
        bed.say("alice", &room, "secret").await;
        bed.set("alice", &room, "m.room.name", r#"{"name":"secret"}"#).await;
        for full_state in [false, true] {
            for filter in [None, Some(r#"{"room":{"include_leave":true}}"#)] {
                for since in [bob.since.clone(), None] {
                    let mut client = bob.clone();
                    client.filter = filter.map(str::to_owned);
                    client.since.clone_from(&since);
                    let request = plop_sync::SyncRequest { full_state, ..Default::default() };
                    let answer = client.sync_with(request).await;
                    assert!(!answer.to_string().contains("secret"), "{answer}");
                    assert!(answer["rooms"]["join"].is_null());
                    if since.is_some() || filter.is_some() {
                        assert_eq!(sections(&answer), [format!("leave {room}")]);
                    }
                }
            }
        }
        let answer = bob.sync().await;
        let event = &answer["rooms"]["leave"][room.as_str()]["timeline"]["events"][0];
        assert_eq!(event["content"]["membership"], if ban { "ban" } else { "leave" });
    }
}

#[tokio::test(start_paused = true)]
async fn who_left_and_came_back_while_away_gets_the_room_anew() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    let mut bob = bed.client("bob");
    bob.sync().await;
    bed.leave("bob", &room).await;
    bed.set("alice", &room, "m.room.topic", r#"{"topic":"new"}"#).await;
    bed.join("bob", &room).await;
    let answer = bob.sync().await;
    assert_eq!(sections(&answer), [format!("join {room}")]);
    let joined = &answer["rooms"]["join"][room.as_str()];
    let mut told_of = told(&joined["state"]["events"]);
    told_of.extend(told(&joined["timeline"]["events"]));
    assert!(told_of.contains(&"m.room.create".to_owned()), "all of the state: {told_of:?}");
    assert!(told_of.contains(&"m.room.topic".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn who_joined_and_left_while_away_is_told_of_the_room() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let mut bob = bed.client("bob");
    bob.sync().await;
    bed.join("bob", &room).await;
    bed.leave("bob", &room).await;
    let answer = bob.sync().await;
    assert_eq!(sections(&answer), [format!("leave {room}")]);
}

#[tokio::test(start_paused = true)]
async fn left_rooms_are_there_for_who_wants_them_and_forgotten_ones_for_nobody() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    bed.say("alice", &room, "hello").await;
    let mut other_device = bed.client("bob");
    other_device.sync().await;
    bed.leave("bob", &room).await;
    let mut bob = bed.client("bob");
    bob.filter = Some(r#"{"room":{"include_leave":true}}"#.to_owned());
    let answer = bob.clone().sync().await;
    assert_eq!(sections(&answer), [format!("leave {room}")]);
    let left = &answer["rooms"]["leave"][room.as_str()];
    let told_of = told(&left["timeline"]["events"]);
    assert_eq!(told_of[told_of.len() - 2..], ["hello", "m.room.member"]);

    bed.rooms.forget(&user("bob"), &room).await.expect("forgotten");
    assert_eq!(keys(&bob.sync().await), ["next_batch"]);
    // A device that still shows the room learns that it is gone, and nothing else.
    let answer = other_device.sync().await;
    assert_eq!(sections(&answer), [format!("leave {room}")]);
    let left = &answer["rooms"]["leave"][room.as_str()];
    assert_eq!((&left["state"], &left["timeline"]["events"]), (&value!({"events": []}), &value!([])));
}

#[tokio::test(start_paused = true)]
async fn a_knock_is_shown_until_it_is_answered() {
    let bed = Bed::new().await;
    let rules = r#"{"join_rule":"knock"}"#;
    let room = bed.rooms.create(&user("alice"), &private_room(RoomVersionId::V12)).await.expect("a room");
    bed.set("alice", &room, "m.room.join_rules", rules).await;
    let mut bob = bed.client("bob");
    bob.sync().await;
    bed.rooms.knock(&user("bob"), &room, &Object::new()).await.expect("a knock");
    let answer = bob.sync().await;
    assert_eq!(sections(&answer), [format!("knock {room}")]);
    let events = told(&answer["rooms"]["knock"][room.as_str()]["knock_state"]["events"]);
    assert!(events.contains(&"m.room.create".to_owned()) && events.contains(&"m.room.member".to_owned()));
    bed.rooms.invite(&user("alice"), &room, &id("bob"), &Object::new()).await.expect("an invite");
    assert_eq!(sections(&bob.sync().await), [format!("invite {room}")]);
    bed.join("bob", &room).await;
    assert_eq!(sections(&bob.sync().await), [format!("join {room}")]);
}

#[tokio::test(start_paused = true)]
async fn heroes_are_the_first_members_where_the_room_has_no_name() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    for name in ["g", "f", "e", "d", "c", "b"] {
        bed.join(name, &room).await;
    }
    let mut alice = bed.client("alice");
    let summary = |answer: &Value| answer["rooms"]["join"][room.as_str()]["summary"].clone();
    let heroes = ["g", "f", "e", "d", "c"].map(|name| id(name).to_string());
    let first = summary(&alice.sync().await);
    assert_eq!(first, value!({"m.heroes": heroes, "m.joined_member_count": 7, "m.invited_member_count": 0}));
    bed.say("alice", &room, "no change").await;
    assert_eq!(summary(&alice.sync().await), value!(null));
    bed.set("alice", &room, "m.room.name", r#"{"name":"Seven"}"#).await;
    assert_eq!(
        summary(&alice.sync().await),
        value!({"m.joined_member_count": 7, "m.invited_member_count": 0})
    );
    for name in ["b", "c", "d", "e", "f", "g"] {
        bed.leave(name, &room).await;
    }
    bed.set("alice", &room, "m.room.name", "{}").await;
    let last = summary(&alice.sync().await);
    assert_eq!(last["m.joined_member_count"], 1);
    assert_eq!(last["m.heroes"].as_array().map(Vec::len), Some(5), "those who were there");
}

#[tokio::test(start_paused = true)]
async fn an_invite_by_somebody_ignored_is_shown_once_that_ends() {
    let bed = Bed::new().await;
    bed.register("bob").await;
    let ignore = |users: &str| json(&format!(r#"{{"ignored_users":{users}}}"#));
    let mut bob = bed.client("bob");
    bed.set_account_data("bob", None, "m.ignored_user_list", ignore(r#"{"@alice:plop.example":{}}"#)).await;
    bob.sync().await;
    let request = CreateRoom {
        preset: Preset::PrivateChat,
        invite: vec![id("bob")],
        ..public_room(RoomVersionId::V12)
    };
    let room = bed.rooms.create(&user("alice"), &request).await.expect("a room");
    assert_eq!(keys(&bob.sync().await), ["next_batch"]);
    assert_eq!(sections(&bed.client("bob").sync().await), [""; 0]);
    bed.set_account_data("bob", None, "m.ignored_user_list", ignore("{}")).await;
    assert_eq!(sections(&bob.sync().await), [format!("invite {room}")]);
}
