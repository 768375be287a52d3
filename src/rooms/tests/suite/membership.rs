//! Join, invite, leave, kick, ban, unban, knock.

use plop_accounts::schema::Profiles;
use plop_base::Actor;
use plop_db::Batch;
use plop_db::codec::Tail;
use plop_rooms::ops::create::CreateRoom;
use plop_rooms::ops::refusal::Refusal;
use plop_rooms::schema::Membership;
use plop_state::auth::AuthError;
use plop_state::json::Object;
use ruma::{OwnedRoomId, RoomId, RoomVersionId, owned_device_id, room_id, user_id};

use crate::suite::bed::{Bed, id, json, private_room, user};

const PUBLIC: Option<&str> = Some(r#"{"join_rule":"public"}"#);
const KNOCK: Option<&str> = Some(r#"{"join_rule":"knock"}"#);

fn none() -> Object {
    Object::new()
}

fn guest(name: &str) -> Actor {
    Actor::Guest { user: id(name), device: owned_device_id!("GUEST") }
}

async fn join(bed: &Bed, room: &RoomId, name: &str) {
    bed.rooms.join(&user(name), room, &none()).await.expect("a join");
}

/// The join rules of a room that lets in the members of another.
fn restricted(word: &str, allowed: &RoomId) -> String {
    format!(r#"{{"join_rule":"{word}","allow":[{{"type":"m.room_membership","room_id":"{allowed}"}}]}}"#)
}

#[tokio::test]
async fn in_every_version_an_invited_user_comes_and_goes() {
    let bed = Bed::new().await;
    for rules in &plop_state::version::ALL {
        let room = bed.room(rules.version.clone(), None).await;
        bed.rooms.invite(&user("alice"), &room, &id("bob"), &json(r#"{"reason":"tea"}"#)).await.expect("in");
        assert_eq!(bed.state(&room, "m.room.member", "@bob:plop.example").await["reason"], "tea");
        join(&bed, &room, "bob").await;
        assert_eq!(bed.membership(&room, "bob").await, Some(Membership::Join), "version {}", rules.version);
        bed.rooms.leave(&user("bob"), &room, &none()).await.expect("out");
        let again = bed.rooms.join(&user("bob"), &room, &none()).await;
        assert!(matches!(again, Err(Refusal::NotAdmitted)), "version {}: {again:?}", rules.version);
        let restarted = bed.restarted().await;
        assert_eq!(restarted.membership(&room, "bob").await, Some(Membership::Leave));
    }
}

#[tokio::test]
async fn a_repeated_join_makes_no_second_event_unless_the_profile_changed() {
    let bed = Bed::new().await;
    let room = bed.room(RoomVersionId::V12, PUBLIC).await;
    let (bob, none) = (user("bob"), none());
    let (first, second) =
        tokio::join!(bed.rooms.join(&bob, &room, &none), bed.rooms.join(&bob, &room, &none));
    let first = first.expect("a join");
    assert_eq!(first, second.expect("a join"), "two joins at once are one event");
    let head = bed.head(&room).await;
    let third = bed.rooms.join(&bob, &room, &json(r#"{"reason":"again"}"#)).await.expect("a join");
    assert_eq!((first.clone(), head), (third, bed.head(&room).await));

    let mut batch = Batch::durable();
    let key = (id("bob"), "displayname".to_owned());
    batch.put::<Profiles>(&key, &Tail(r#""Bob""#.to_owned()));
    bed.rooms.core().db.commit(batch).await.expect("a profile");
    let renamed = bed.rooms.join(&bob, &room, &none).await.expect("a join");
    assert_ne!(first, renamed);
    assert_eq!(bed.state(&room, "m.room.member", "@bob:plop.example").await["displayname"], "Bob");
    let after_restart = bed.restarted().await.rooms.join(&bob, &room, &none).await.expect("a join");
    assert_eq!(renamed, after_restart);

    let mut batch = Batch::durable();
    batch.delete::<Profiles>(&key);
    bed.rooms.core().db.commit(batch).await.expect("no profile");
    let nameless = bed.rooms.refresh_profile(&bob, &room).await.expect("a change");
    assert_eq!(nameless, bed.rooms.refresh_profile(&bob, &room).await.expect("no change"));
    let state = bed.state(&room, "m.room.member", "@bob:plop.example").await;
    assert_eq!(state, serde_json::json!({"membership": "join"}));
    bed.rooms.leave(&bob, &room, &none).await.expect("out");
    let outside = bed.rooms.refresh_profile(&bob, &room).await;
    assert!(matches!(outside, Err(Refusal::NotInRoom)), "{outside:?}");
}

#[tokio::test]
async fn a_member_event_that_a_user_sets_keeps_its_own_name() {
    let bed = Bed::new().await;
    let room = bed.room(RoomVersionId::V11, PUBLIC).await;
    join(&bed, &room, "bob").await;
    let content = json(r#"{"membership":"join","displayname":"Robert","x":1}"#);
    let set = bed.rooms.set_member(&user("bob"), &room, &id("bob"), &content, None).await.expect("set");
    let again = bed.rooms.set_member(&user("bob"), &room, &id("bob"), &content, None).await.expect("set");
    assert_eq!(set, again);
    let state = bed.state(&room, "m.room.member", "@bob:plop.example").await;
    assert_eq!((&state["displayname"], &state["x"]), (&"Robert".into(), &1.into()));
    let other = bed.rooms.set_member(&user("alice"), &room, &id("carol"), &content, None).await;
    assert!(matches!(other, Err(Refusal::Rule(AuthError::JoinOrKnockForOtherUser))), "{other:?}");
    let dance = json(r#"{"membership":"dance"}"#);
    let dance = bed.rooms.set_member(&user("bob"), &room, &id("bob"), &dance, None).await;
    assert!(matches!(dance, Err(Refusal::Rule(AuthError::UnknownMembership))), "{dance:?}");
    let leave = json(r#"{"membership":"leave"}"#);
    bed.rooms.set_member(&user("alice"), &room, &id("bob"), &leave, None).await.expect("a kick");
    assert_eq!(bed.membership(&room, "bob").await, Some(Membership::Leave));
}

#[tokio::test]
async fn a_room_that_is_closed_looks_like_one_that_is_not_here() {
    let bed = Bed::new().await;
    let (room, unknown) =
        (bed.room(RoomVersionId::V12, None).await, room_id!("!nothing:plop.example").to_owned());
    let (eve, alice) = (user("eve"), id("alice"));
    let head = bed.head(&room).await;
    let mut heard: [Vec<String>; 2] = Default::default();
    for (room, heard) in [&room, &unknown].into_iter().zip(&mut heard) {
        let rooms = &bed.rooms;
        for refused in [
            rooms.join(&eve, room, &none()).await,
            rooms.join(&guest("eve"), room, &none()).await,
            rooms.knock(&eve, room, &none()).await,
            rooms.leave(&eve, room, &none()).await,
            rooms.invite(&eve, room, &id("bob"), &none()).await,
            rooms.kick(&eve, room, &alice, &none()).await,
            rooms.ban(&eve, room, &alice, &none()).await,
            rooms.unban(&eve, room, &alice, &none()).await,
            rooms.set_member(&eve, room, &id("eve"), &json(r#"{"membership":"join"}"#), None).await,
            rooms.set_member(&eve, room, &alice, &json(r#"{"membership":"leave"}"#), None).await,
        ] {
            heard.push(refused.expect_err("a refusal").to_string());
        }
    }
    let [there, nowhere] = heard;
    assert_eq!(there, nowhere);
    assert_eq!(head, bed.head(&room).await, "a refusal stores nothing");
}

#[tokio::test]
async fn leaving_rejects_an_invite_and_is_done_once() {
    let bed = Bed::new().await;
    let room = bed.room(RoomVersionId::V10, None).await;
    bed.rooms.invite(&user("alice"), &room, &id("bob"), &none()).await.expect("an invite");
    let left = bed.rooms.leave(&user("bob"), &room, &none()).await.expect("a rejection");
    let again = bed.rooms.leave(&user("bob"), &room, &json(r#"{"reason":"no"}"#)).await.expect("nothing");
    assert_eq!(left, again);
    bed.rooms.ban(&user("alice"), &room, &id("bob"), &none()).await.expect("a ban");
    let banned = bed.rooms.leave(&user("bob"), &room, &none()).await;
    assert!(matches!(banned, Err(Refusal::Banned)), "{banned:?}");
}

#[tokio::test]
async fn an_invite_stands_until_it_is_answered() {
    let bed = Bed::new().await;
    let room = bed.room(RoomVersionId::V12, None).await;
    let alice = user("alice");
    let first = bed.rooms.invite(&alice, &room, &id("bob"), &none()).await.expect("an invite");
    let again = bed.rooms.invite(&alice, &room, &id("bob"), &json(r#"{"reason":"x"}"#)).await.expect("it");
    assert_eq!(first, again);
    join(&bed, &room, "bob").await;
    let joined = bed.rooms.invite(&alice, &room, &id("bob"), &none()).await;
    assert!(matches!(joined, Err(Refusal::TargetJoined(_))), "{joined:?}");
    let head = bed.head(&room).await;
    let far = bed.rooms.invite(&alice, &room, user_id!("@bob:far.example"), &none()).await;
    assert!(matches!(far, Err(Refusal::Unreachable(_))), "{far:?}");
    bed.set("alice", &room, "m.room.power_levels", r#"{"invite":50}"#).await;
    let powerless = bed.rooms.invite(&user("bob"), &room, &id("carol"), &none()).await;
    assert!(matches!(powerless, Err(Refusal::Rule(AuthError::InviteLevel))), "{powerless:?}");
    assert_eq!(head.next_event.0 + 1, bed.head(&room).await.next_event.0, "refusals store nothing");
}

#[tokio::test]
async fn power_decides_who_kicks_and_bans() {
    let bed = Bed::new().await;
    for version in [RoomVersionId::V1, RoomVersionId::V8, RoomVersionId::V12] {
        let room = bed.room(version, PUBLIC).await;
        let (alice, bob) = (user("alice"), user("bob"));
        join(&bed, &room, "bob").await;
        join(&bed, &room, "carol").await;
        let (carol, dave) = (id("carol"), id("dave"));
        let powerless = bed.rooms.kick(&bob, &room, &carol, &none()).await;
        assert!(matches!(powerless, Err(Refusal::Rule(AuthError::KickLevel))), "{powerless:?}");
        let upwards = bed.rooms.ban(&bob, &room, &id("alice"), &none()).await;
        assert!(matches!(upwards, Err(Refusal::Rule(AuthError::BanLevel))), "{upwards:?}");
        let absent = bed.rooms.kick(&alice, &room, &dave, &none()).await;
        assert!(matches!(absent, Err(Refusal::TargetNotInRoom(_))), "{absent:?}");
        let innocent = bed.rooms.unban(&alice, &room, &carol, &none()).await;
        assert!(matches!(innocent, Err(Refusal::TargetNotBanned(_))), "{innocent:?}");

        bed.rooms.kick(&alice, &room, &carol, &none()).await.expect("a kick");
        join(&bed, &room, "carol").await;
        let banned = bed.rooms.ban(&alice, &room, &carol, &none()).await.expect("a ban");
        let again = bed.rooms.ban(&alice, &room, &carol, &none()).await.expect("the same ban");
        assert_eq!(banned, again);
        let refused = bed.rooms.join(&user("carol"), &room, &none()).await;
        assert!(matches!(refused, Err(Refusal::Banned)), "{refused:?}");
        let invited = bed.rooms.invite(&alice, &room, &carol, &none()).await;
        assert!(matches!(invited, Err(Refusal::TargetBanned(_))), "{invited:?}");
        let kicked = bed.rooms.kick(&alice, &room, &carol, &none()).await;
        assert!(matches!(kicked, Err(Refusal::TargetBanned(_))), "a kick is no pardon: {kicked:?}");
        let pardoned = bed.rooms.unban(&bob, &room, &carol, &none()).await;
        assert!(matches!(pardoned, Err(Refusal::Rule(AuthError::BanLevel))), "{pardoned:?}");
        bed.rooms.unban(&alice, &room, &carol, &none()).await.expect("a pardon");
        join(&bed, &room, "carol").await;
        bed.rooms.ban(&alice, &room, &dave, &none()).await.expect("a ban of one who was never there");
        assert_eq!(bed.restarted().await.membership(&room, "dave").await, Some(Membership::Ban));
    }
}

#[tokio::test]
async fn nobody_removes_a_creator_of_version_12() {
    let bed = Bed::new().await;
    let request = CreateRoom {
        creation_content: json(r#"{"additional_creators":["@bob:plop.example"]}"#),
        invite: vec![id("bob")],
        ..private_room(RoomVersionId::V12)
    };
    let room = bed.rooms.create(&user("alice"), &request).await.expect("a room");
    join(&bed, &room, "bob").await;
    for (by, of) in [("alice", "bob"), ("bob", "alice")] {
        let refused = bed.rooms.kick(&user(by), &room, &id(of), &none()).await;
        assert!(matches!(refused, Err(Refusal::Rule(AuthError::KickLevel))), "{refused:?}");
    }
}

#[tokio::test]
async fn b3_59_knocks_from_version_7_on_and_each_once() {
    let bed = Bed::new().await;
    for rules in &plop_state::version::ALL {
        let room = bed.room(rules.version.clone(), KNOCK).await;
        let extra = json(r#"{"reason":"me","join_authorised_via_users_server":"@alice:plop.example"}"#);
        let knock = bed.rooms.knock(&user("bob"), &room, &extra).await;
        if !rules.spec.authorization.knocking {
            assert!(matches!(knock, Err(Refusal::NotAdmitted)), "version {}: {knock:?}", rules.version);
            continue;
        }
        let again = bed.rooms.knock(&user("bob"), &room, &extra).await;
        assert_eq!(knock.expect("a knock"), again.expect("the same knock"));
        let state = bed.state(&room, "m.room.member", "@bob:plop.example").await;
        assert_eq!((&state["membership"], &state["reason"]), (&"knock".into(), &"me".into()));
        assert!(state.get("join_authorised_via_users_server").is_none());
        bed.rooms.leave(&user("bob"), &room, &none()).await.expect("taken back");
        bed.rooms.knock(&user("bob"), &room, &none()).await.expect("a knock");
        bed.rooms.invite(&user("alice"), &room, &id("bob"), &none()).await.expect("an answer");
        let invited = bed.rooms.knock(&user("bob"), &room, &none()).await;
        assert!(matches!(invited, Err(Refusal::WrongMembership)), "{invited:?}");
        join(&bed, &room, "bob").await;
        bed.rooms.knock(&user("carol"), &room, &none()).await.expect("a knock");
        bed.rooms.kick(&user("alice"), &room, &id("carol"), &none()).await.expect("declined");
        bed.rooms.ban(&user("alice"), &room, &id("carol"), &none()).await.expect("a ban");
        let banned = bed.rooms.knock(&user("carol"), &room, &none()).await;
        assert!(matches!(banned, Err(Refusal::Banned)), "{banned:?}");
    }
}

#[tokio::test]
async fn restricted_rooms_let_in_the_members_of_the_allowed_room() {
    let bed = Bed::new().await;
    let club = bed.room(RoomVersionId::V6, PUBLIC).await;
    join(&bed, &club, "bob").await;
    for rules in &plop_state::version::ALL {
        let flags = &rules.spec.authorization;
        let words = [
            ("restricted", flags.restricted_join_rule),
            ("knock_restricted", flags.knock_restricted_join_rule),
        ];
        for (word, is_known) in words {
            let room = bed.room(rules.version.clone(), Some(&restricted(word, &club))).await;
            let stranger = bed.rooms.join(&user("eve"), &room, &none()).await;
            assert!(matches!(stranger, Err(Refusal::NotAdmitted)), "{word}, {}: {stranger:?}", rules.version);
            let member = bed.rooms.join(&user("bob"), &room, &none()).await;
            if !is_known {
                assert!(matches!(member, Err(Refusal::NotAdmitted)), "{word}, {}: {member:?}", rules.version);
                continue;
            }
            let joined = member.expect("a join");
            let state = bed.state(&room, "m.room.member", "@bob:plop.example").await;
            assert_eq!(state["join_authorised_via_users_server"], "@alice:plop.example");
            assert_eq!(joined, bed.rooms.join(&user("bob"), &room, &none()).await.expect("the same"));
            bed.rooms.invite(&user("alice"), &room, &id("eve"), &none()).await.expect("an invite");
            join(&bed, &room, "eve").await;
            let knock = bed.rooms.knock(&user("carol"), &room, &none()).await;
            assert_eq!(knock.is_ok(), word == "knock_restricted");
        }
    }
}

#[tokio::test]
async fn b3_57_who_authorises_a_restricted_join_is_chosen_here() {
    let bed = Bed::new().await;
    let club = bed.room(RoomVersionId::V6, PUBLIC).await;
    join(&bed, &club, "bob").await;
    let room = bed.room(RoomVersionId::V12, Some(&restricted("restricted", &club))).await;
    let head = bed.head(&room).await;
    // Alice could authorise, but eve is in no allowed room.
    let content = json(r#"{"membership":"join","join_authorised_via_users_server":"@alice:plop.example"}"#);
    let named = bed.rooms.set_member(&user("eve"), &room, &id("eve"), &content, None).await;
    assert!(matches!(named, Err(Refusal::NotAdmitted)), "{named:?}");
    assert_eq!(head, bed.head(&room).await);

    bed.rooms.leave(&user("bob"), &club, &none()).await.expect("out");
    let left = bed.rooms.join(&user("bob"), &room, &none()).await;
    assert!(matches!(left, Err(Refusal::NotAdmitted)), "{left:?}");

    join(&bed, &club, "bob").await;
    join(&bed, &club, "carol").await;
    let nobody = json(r#"{"membership":"join","join_authorised_via_users_server":"@nobody:plop.example"}"#);
    bed.rooms.set_member(&user("bob"), &room, &id("bob"), &nobody, None).await.expect("a join");
    let state = bed.state(&room, "m.room.member", "@bob:plop.example").await;
    assert_eq!(state["join_authorised_via_users_server"], "@alice:plop.example");

    bed.set("alice", &room, "m.room.power_levels", r#"{"invite":50}"#).await;
    bed.rooms.leave(&user("alice"), &room, &none()).await.expect("out");
    let head = bed.head(&room).await;
    let powerless = bed.rooms.join(&user("carol"), &room, &none()).await;
    assert!(matches!(powerless, Err(Refusal::UnableToAuthorise)), "{powerless:?}");
    assert_eq!(head, bed.head(&room).await);
}

#[tokio::test]
async fn odd_conditions_let_nobody_in_and_harm_nothing() {
    let bed = Bed::new().await;
    let club = bed.room(RoomVersionId::V6, PUBLIC).await;
    for allow in [
        r#""all""#.to_owned(),
        "[]".to_owned(),
        r#"[1,null,{"type":"m.room_membership"},{"type":"m.room_membership","room_id":"x"}]"#.to_owned(),
        format!(r#"[{{"type":"m.other","room_id":"{club}"}}]"#),
    ] {
        let rules = format!(r#"{{"join_rule":"restricted","allow":{allow}}}"#);
        let room: OwnedRoomId = bed.room(RoomVersionId::V10, Some(&rules)).await;
        join(&bed, &club, "bob").await;
        let refused = bed.rooms.join(&user("bob"), &room, &none()).await;
        assert!(matches!(refused, Err(Refusal::NotAdmitted)), "{allow}: {refused:?}");
    }
}

#[tokio::test]
async fn guests_join_where_guest_access_says_so_and_do_nothing_else() {
    let bed = Bed::new().await;
    let room = bed.room(RoomVersionId::V12, PUBLIC).await;
    let guest = guest("g");
    bed.rooms.join(&guest, &room, &none()).await.expect("private rooms are made with guest access");
    let invite = bed.rooms.invite(&guest, &room, &id("bob"), &none()).await;
    assert!(matches!(invite, Err(Refusal::Guest)), "{invite:?}");
    bed.rooms.leave(&guest, &room, &none()).await.expect("out");
    bed.set("alice", &room, "m.room.guest_access", r#"{"guest_access":"forbidden"}"#).await;
    let refused = bed.rooms.join(&guest, &room, &none()).await;
    assert!(matches!(refused, Err(Refusal::Guest)), "{refused:?}");
    bed.set("alice", &room, "m.room.join_rules", r#"{"join_rule":"invite"}"#).await;
    let closed = bed.rooms.join(&guest, &room, &none()).await;
    assert!(matches!(closed, Err(Refusal::NotAdmitted)), "{closed:?}");
}

/// A task of the runtime may move between threads.
fn can_be_spawned(_: impl Future + Send) {}

#[tokio::test]
async fn operations_can_be_spawned() {
    let bed = Bed::new().await;
    let (rooms, alice, none) = (&bed.rooms, user("alice"), none());
    let (room, target) = (room_id!("!a:plop.example"), user_id!("@bob:plop.example"));
    let alias = ruma::room_alias_id!("#a:plop.example");
    can_be_spawned(rooms.join(&alice, room, &none));
    can_be_spawned(rooms.ban(&alice, room, target, &none));
    can_be_spawned(rooms.set_member(&alice, room, target, &none, None));
    can_be_spawned(rooms.forget(&alice, room));
    can_be_spawned(rooms.create_alias(&alice, alias, room));
    can_be_spawned(rooms.delete_alias(&alice, alias));
    can_be_spawned(rooms.aliases_of(&alice, room));
    can_be_spawned(rooms.publish(&alice, room, true));
    can_be_spawned(rooms.published_rooms(&Default::default()));
    let request = private_room(RoomVersionId::V12);
    can_be_spawned(rooms.create(&alice, &request));
    let request = plop_rooms::ops::upgrade::UpgradeRoom {
        version: RoomVersionId::V12,
        additional_creators: Vec::new(),
    };
    can_be_spawned(rooms.upgrade(&alice, room, &request));
}
