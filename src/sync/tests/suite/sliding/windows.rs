//! Lists: order, windows that grow, filters, counts.

use std::collections::BTreeSet;
use std::time::Duration;

use plop_state::json::Object;
use plop_sync::sliding::request::{Dialect, Filters, List};
use ruma::OwnedRoomId;
use serde_json::json as value;

use super::bed::{Slider, config, rooms, state};
use crate::bed::{Bed, id, json, told, user};

async fn some_rooms(bed: &Bed, number: usize) -> Vec<OwnedRoomId> {
    let mut made = Vec::new();
    for _ in 0..number {
        made.push(bed.room("alice").await);
    }
    made
}

/// What Element X does at its start.
#[tokio::test(start_paused = true)]
async fn a_window_grows_and_each_room_comes_once() {
    let bed = Bed::new().await;
    let made = some_rooms(&bed, 25).await;
    let mut alice = Slider::new(&bed, "alice", 20);
    let first = alice.next().await;
    let newest: BTreeSet<&str> = made.iter().skip(5).map(|room| room.as_str()).collect();
    assert_eq!(rooms(&first), newest);
    assert_eq!(first["lists"], value!({"all": {"count": 25}}));
    let room = &first["rooms"][made[24].as_str()];
    assert_eq!(room["initial"], true);
    assert_eq!(room["timeline"].as_array().map(Vec::len), Some(1));
    assert_eq!(room["limited"], true);
    assert_eq!(room["joined_count"], 1);
    assert_eq!(room["invited_count"], 0);
    assert!(room["prev_batch"].is_string() && room["bump_stamp"].is_u64());
    assert_eq!(state(room), BTreeSet::from([("m.room.create".to_owned(), String::new())]));

    alice.window(100);
    let second = alice.next().await;
    let oldest: BTreeSet<&str> = made.iter().take(5).map(|room| room.as_str()).collect();
    assert_eq!(rooms(&second), oldest);
    let third = alice.next().await;
    assert_eq!(rooms(&third), BTreeSet::new());
    assert_eq!(third["pos"], second["pos"], "nothing new: nothing is written");
}

/// In both dialects: what is not shown takes no place of what is.
#[tokio::test(start_paused = true)]
async fn invites_that_are_not_wanted_are_in_no_list() {
    let bed = Bed::new().await;
    bed.register("alice").await;
    let joined = some_rooms(&bed, 3).await;
    let mut invited = Vec::new();
    for _ in 0..2 {
        let room = bed.room("bob").await;
        bed.rooms.invite(&user("bob"), &room, &id("alice"), &Object::new()).await.expect("an invite");
        invited.push(room);
    }
    let of = |made: &[OwnedRoomId]| made.iter().map(|room| room.to_string()).collect::<BTreeSet<_>>();
    let found = |answer: &serde_json::Value| {
        let came = rooms(answer).into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
        (came, answer["lists"]["all"]["count"].as_u64())
    };
    let says = [
        ("m.ignored_user_list", r#"{"ignored_users":{"@bob:plop.example":{}}}"#),
        ("org.matrix.msc4155.invite_permission_config", r#"{"blocked_users":["@bob:*"]}"#),
        ("m.invite_permission_config", r#"{"default_action":"block"}"#),
    ];
    for dialect in [Dialect::Deployed, Dialect::Accepted] {
        for (kind, content) in says {
            let new = || {
                let mut client = Slider::new(&bed, "alice", 2);
                client.request.dialect = dialect;
                client
            };
            let mut before = new().named("before");
            assert_eq!(found(&before.next().await), (of(&invited), Some(5)));
            bed.set_account_data("alice", None, kind, json(content)).await;
            assert_eq!(found(&before.next().await), (of(&joined[1..]), Some(3)), "{kind}");
            let mut after = new().named("after");
            assert_eq!(found(&after.next().await), (of(&joined[1..]), Some(3)), "{kind}");
            bed.set_account_data("alice", None, kind, Object::new()).await;
            assert_eq!(found(&before.next().await), (BTreeSet::new(), Some(5)), "they are there already");
            assert_eq!(found(&after.next().await), (of(&invited), Some(5)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn activity_brings_a_room_into_the_window() {
    let bed = Bed::new().await;
    let made = some_rooms(&bed, 5).await;
    let mut alice = Slider::new(&bed, "alice", 2);
    assert_eq!(rooms(&alice.next().await), BTreeSet::from([made[3].as_str(), made[4].as_str()]));
    bed.say("alice", &made[0], "wake up").await;
    let answer = alice.next().await;
    assert_eq!(rooms(&answer), BTreeSet::from([made[0].as_str()]));
    let room = &answer["rooms"][made[0].as_str()];
    assert_eq!((&room["initial"], &room["num_live"]), (&value!(true), &value!(1)));
    // What came while a room was out of the window comes with its return.
    bed.say("alice", &made[1], "a").await;
    bed.say("alice", &made[2], "b").await;
    assert_eq!(rooms(&alice.next().await), BTreeSet::from([made[1].as_str(), made[2].as_str()]));
    bed.say("alice", &made[0], "while away").await;
    bed.say("alice", &made[3], "c").await;
    bed.say("alice", &made[4], "d").await;
    let answer = alice.next().await;
    assert_eq!(rooms(&answer), BTreeSet::from([made[3].as_str(), made[4].as_str()]));
    bed.say("alice", &made[0], "back").await;
    let answer = alice.next().await;
    let room = &answer["rooms"][made[0].as_str()];
    assert_eq!(told(&room["timeline"]), ["back"]);
    assert_eq!((&room["limited"], &room["initial"]), (&value!(true), &value!(null)));
}

/// Rooms that filters tell apart, in a server of their own.
struct Kinds {
    bed: Bed,
    plain: OwnedRoomId,
    direct: OwnedRoomId,
    encrypted: OwnedRoomId,
    tagged: OwnedRoomId,
    /// With the plain one in it.
    space: OwnedRoomId,
    invited: OwnedRoomId,
}

impl Kinds {
    async fn new() -> Self {
        let bed = Bed::new().await;
        bed.register("alice").await;
        let mut made = some_rooms(&bed, 4).await.into_iter();
        let mut next = || made.next().expect("a room");
        let (plain, direct, encrypted, tagged) = (next(), next(), next(), next());
        let mut request = crate::bed::public_room(ruma::RoomVersionId::V12);
        request.creation_content = json(r#"{"type":"m.space"}"#);
        let space = bed.rooms.create(&user("alice"), &request).await.expect("a space");
        bed.set("alice", &encrypted, "m.room.encryption", r#"{"algorithm":"m.megolm.v1.aes-sha2"}"#).await;
        let directs = json(&format!(r#"{{"@bob:plop.example":["{direct}"]}}"#));
        bed.set_account_data("alice", None, "m.direct", directs).await;
        let tags = json(r#"{"tags":{"m.favourite":{}}}"#);
        bed.set_account_data("alice", Some(&tagged), "m.tag", tags).await;
        let via = json(r#"{"via":["plop.example"]}"#);
        bed.send("alice", &space, "m.space.child", Some(plain.as_str()), via).await;
        let invited = bed.room("bob").await;
        let outcome = bed.rooms.invite(&user("bob"), &invited, &id("alice"), &Object::new()).await;
        outcome.expect("an invite");
        Self { bed, plain, direct, encrypted, tagged, space, invited }
    }

    /// These rooms are in a list with the filter, and no others.
    async fn are(&self, filters: Filters, expected: &[&OwnedRoomId]) {
        let what = format!("{filters:?}");
        let mut alice = Slider::new(&self.bed, "alice", 50);
        alice.list().filters = filters;
        let answer = alice.next().await;
        let expected: BTreeSet<&str> = expected.iter().map(|room| room.as_str()).collect();
        assert_eq!(rooms(&answer), expected, "{what}");
        assert_eq!(answer["lists"]["all"]["count"], expected.len(), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn filters_choose_rooms_by_what_they_are() {
    let kinds = Kinds::new().await;
    let Kinds { plain, direct, encrypted, tagged, space, invited, .. } = &kinds;
    let spaces = || BTreeSet::from([Some("m.space".into())]);
    let all = || Filters::default();
    kinds.are(all(), &[plain, direct, encrypted, tagged, space, invited]).await;
    kinds.are(Filters { is_encrypted: Some(true), ..all() }, &[encrypted]).await;
    kinds.are(Filters { is_invited: Some(true), ..all() }, &[invited]).await;
    let not_invited = [plain, direct, encrypted, tagged, space];
    kinds.are(Filters { is_invited: Some(false), ..all() }, &not_invited).await;
    let without_type = [plain, direct, encrypted, tagged, invited];
    kinds.are(Filters { room_types: Some(spaces()), ..all() }, &[space]).await;
    kinds.are(Filters { not_room_types: spaces(), ..all() }, &without_type).await;
    kinds.are(Filters { room_types: Some(BTreeSet::from([None])), ..all() }, &without_type).await;
    let both = Filters { room_types: Some(spaces()), not_room_types: spaces(), ..all() };
    kinds.are(both, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn filters_choose_rooms_by_what_the_user_says_of_them() {
    let kinds = Kinds::new().await;
    let Kinds { plain, direct, encrypted, tagged, space, invited, .. } = &kinds;
    let all = || Filters::default();
    kinds.are(Filters { is_dm: Some(true), ..all() }, &[direct]).await;
    kinds.are(Filters { is_dm: Some(false), ..all() }, &[plain, encrypted, tagged, space, invited]).await;
    let favourite = || BTreeSet::from(["m.favourite".to_owned()]);
    kinds.are(Filters { tags: Some(favourite()), ..all() }, &[tagged]).await;
    let not_tagged = [plain, direct, encrypted, space, invited];
    kinds.are(Filters { not_tags: favourite(), ..all() }, &not_tagged).await;
    let of = |space: &OwnedRoomId| Some(BTreeSet::from([space.clone()]));
    kinds.are(Filters { spaces: of(space), ..all() }, &[plain]).await;
    kinds.are(Filters { spaces: of(invited), ..all() }, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn what_several_lists_want_of_a_room_is_united() {
    let bed = Bed::new().await;
    let made = some_rooms(&bed, 2).await;
    bed.say("alice", &made[1], "one").await;
    bed.say("alice", &made[1], "two").await;
    let mut alice = Slider::new(&bed, "alice", 50);
    let top = List {
        ranges: Some(vec![(0, 0)]),
        config: config(2, &[("m.room.power_levels", "")]),
        ..List::default()
    };
    alice.request.lists.push(("top".to_owned(), top));
    let answer = alice.next().await;
    let first = &answer["rooms"][made[1].as_str()];
    assert_eq!(told(&first["timeline"]), ["one", "two"]);
    assert_eq!(state(first).len(), 2);
    assert_eq!(state(&answer["rooms"][made[0].as_str()]).len(), 1);
    assert_eq!(answer["lists"], value!({"all": {"count": 2}, "top": {"count": 2}}));
}

#[tokio::test(start_paused = true)]
async fn a_list_without_ranges_has_all_rooms_and_a_window_may_be_anywhere() {
    let bed = Bed::new().await;
    let made = some_rooms(&bed, 6).await;
    let mut alice = Slider::new(&bed, "alice", 1);
    alice.list().ranges = Some(vec![(1, 2), (5, u64::MAX)]);
    let expected = BTreeSet::from([made[4].as_str(), made[3].as_str(), made[0].as_str()]);
    assert_eq!(rooms(&alice.next().await), expected);
    alice.list().ranges = None;
    assert_eq!(rooms(&alice.next().await).len(), 3);
}

/// Nothing of the order is read again for who has it.
#[tokio::test(start_paused = true)]
async fn many_rooms_come_in_order_whoever_moves() {
    let bed = Bed::new().await;
    let made = some_rooms(&bed, 120).await;
    let mut alice = Slider::new(&bed, "alice", 20);
    assert_eq!(rooms(&alice.next().await).len(), 20);
    for step in 2..=6 {
        alice.window(20 * step);
        let answer = alice.wait(Duration::ZERO).await;
        assert_eq!(rooms(&answer).len(), 20, "{step}");
    }
    for room in made.iter().step_by(7) {
        bed.say("alice", room, "here").await;
        let answer = alice.next().await;
        assert_eq!(rooms(&answer), BTreeSet::from([room.as_str()]));
    }
    bed.leave("alice", &made[3]).await;
    let answer = alice.next().await;
    assert_eq!(rooms(&answer), BTreeSet::from([made[3].as_str()]));
    assert_eq!(alice.next().await["lists"]["all"]["count"], 119);
}

/// How often a look at all of a user's rooms, of which none has anything new, lets others run.
async fn turns(rooms: usize) -> usize {
    let bed = Bed::new().await;
    some_rooms(&bed, rooms).await;
    let mut alice = Slider::new(&bed, "alice", 1);
    alice.next().await;
    let mut turns = 0;
    let mut request = std::pin::pin!(alice.attempt());
    let counted = std::future::poll_fn(|context| {
        let polled = request.as_mut().poll(context);
        turns += usize::from(polled.is_pending());
        polled
    });
    counted.await.expect("an answer");
    turns
}

/// Hostile input, row 137: a look at many rooms and lists lets others run.
#[tokio::test(start_paused = true)]
async fn row_137_windows_are_cut_in_turns() {
    assert_eq!(turns(200).await - turns(1).await, 3);
}
