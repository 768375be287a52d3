//! Each read path against the model.

use plop_base::{Actor, Random};
use plop_db::Direction;
use plop_rooms::operation::{Operation, Placement};
use plop_rooms::reader::access::{ReadRefusal, RoomReader};
use plop_rooms::reader::history::PageRequest;
use plop_rooms::reader::members::MemberFilter;
use plop_rooms::schema::{Outcome, UserRooms};
use plop_state::builder::EventBuilder;
use ruma::{OwnedEventId, RoomVersionId, owned_device_id};

use super::model::Model;
use super::script::{Room, ids};
use crate::suite::bed::{Bed, id, json, user};

const VISIBILITIES: [&str; 4] = ["world_readable", "shared", "invited", "joined"];

/// What happens to bob, and what he is afterwards.
const FATES: [(&str, &[&str]); 10] = [
    ("never there", &[]),
    ("invited", &["invite"]),
    ("joined", &["join"]),
    ("joined after an invite", &["invite", "join"]),
    ("left", &["invite", "join", "leave"]),
    ("banned", &["join", "ban"]),
    ("unbanned", &["join", "ban", "leave"]),
    ("rejoined", &["invite", "join", "leave", "join"]),
    ("invited again", &["join", "leave", "invite"]),
    ("rejected the invite", &["invite", "leave"]),
];

#[tokio::test]
async fn b4_76_each_visibility_for_each_fate() {
    let bed = Bed::new().await;
    for visibility in VISIBILITIES {
        for (fate, steps) in FATES {
            let room = Room::new(&bed, RoomVersionId::V12).await;
            room.say("alice", "before the visibility is set").await;
            room.set_visibility(visibility).await;
            room.say("alice", "before bob").await;
            for step in steps {
                room.member("bob", step).await;
                room.say("alice", "and then").await;
            }
            room.set_visibility("joined").await;
            room.say("alice", "behind closed doors").await;
            room.set_visibility(visibility).await;
            agrees(&room, &["alice", "bob", "stranger"], &format!("{visibility}, {fate}")).await;
        }
    }
}

#[tokio::test]
async fn b4_76_any_course_of_events() {
    let bed = Bed::new().await;
    for seed in 0..40 {
        let random = Random::seeded(seed);
        let version = if seed % 2 == 0 { RoomVersionId::V12 } else { RoomVersionId::V1 };
        let room = Room::new(&bed, version).await;
        let mut now = [("bob", "leave"), ("carol", "leave")];
        for _ in 0..30 {
            let pick = |count: usize| usize::try_from(random.below(count as u64)).expect("a small number");
            match random.below(10) {
                0 => drop(room.set_visibility(VISIBILITIES[pick(4)]).await),
                1..4 => drop(room.say("alice", "hm").await),
                4 => drop(room.set("m.room.topic", &format!(r#"{{"topic":"{}"}}"#, random.token(4))).await),
                _ => {
                    let (name, membership) = &mut now[pick(2)];
                    let next: &[&str] = match *membership {
                        "leave" => &["join", "join", "invite", "ban"],
                        "invite" => &["join", "leave"],
                        "join" => &["leave", "leave", "ban"],
                        _ => &["leave"],
                    };
                    *membership = next[pick(next.len())];
                    room.member(name, membership).await;
                }
            }
        }
        agrees(&room, &["alice", "bob", "carol", "stranger"], &format!("seed {seed}")).await;
    }
}

/// Checks every read path for each of some users.
async fn agrees(room: &Room<'_>, names: &[&str], case: &str) {
    let events = room.events().await;
    let model = Model::of(&events);
    let all = ids(&events);
    let rooms = &room.bed.rooms;
    for name in names {
        let (actor, user) = (user(name), id(name));
        let mut reader = rooms.reader(&actor, &room.id).await.expect("a reader");
        for (step, event) in events.iter().enumerate() {
            let expected = model.sees(&user, step);
            let case = format!("{case}: {name} and event {step} ({})", event.pdu.type_name());
            assert_eq!(reader.sees(event).await.expect("an answer"), expected, "{case}");
            let found = rooms.reader_of_event(&actor, &room.id, event.pdu.event_id()).await;
            match found {
                Ok((mut reader, event)) => {
                    assert!(expected, "{case}");
                    let context = reader.context(event, 6, |_| true).await.expect("a context");
                    let around = context.before.events.iter().chain(&context.after.events);
                    for id in around.map(|event| event.pdu.event_id()) {
                        let step = all.iter().position(|other| other == id).expect("an event of the room");
                        assert!(model.sees(&user, step), "{case}: {step} in the context");
                    }
                }
                Err(ReadRefusal::NoSuchEvent) => assert!(!expected, "{case}"),
                Err(other) => panic!("{case}: {other}"),
            }
        }
        let shown: Vec<_> = model.pages(&user).into_iter().map(|step| all[step].clone()).collect();
        let case = format!("{case}: {name}");
        if model.is_admitted(&user) {
            assert_eq!(everything(&mut reader, Direction::Forward, 3).await, shown, "{case}");
            let mut backward = everything(&mut reader, Direction::Backward, 7).await;
            backward.reverse();
            assert_eq!(backward, shown, "{case}");
        } else {
            let refused = reader.history(first(Direction::Backward, 10), |_| true).await;
            assert!(matches!(refused, Err(ReadRefusal::NotInRoom)), "{case}");
        }
        members_agree(&mut reader, &model, &actor, &case).await;
    }
}

async fn members_agree(reader: &mut RoomReader<'_>, model: &Model, actor: &Actor, case: &str) {
    let user = actor.user_id().expect("a user");
    assert_eq!(reader.joined_members().is_ok(), model.is_joined(user), "{case}");
    let pages = reader.members(None, MemberFilter::default()).await;
    let Ok(mut pages) = pages else {
        assert!(!model.is_admitted(user), "{case}");
        return;
    };
    assert!(model.is_admitted(user), "{case}");
    let mut members = std::collections::BTreeMap::new();
    while let Some(page) = pages.next(reader).await.expect("a page") {
        for event in page {
            let key = event.pdu.state_key().expect("a user").to_owned();
            members.insert(key, event.pdu.membership().expect("a membership").to_owned());
        }
    }
    assert_eq!(&members, model.members(user), "{case}");
}

fn first(direction: Direction, limit: u64) -> PageRequest {
    PageRequest { from: None, to: None, direction, limit }
}

/// All pages in a direction.
async fn everything(reader: &mut RoomReader<'_>, direction: Direction, limit: u64) -> Vec<OwnedEventId> {
    let mut request = first(direction, limit);
    let mut all = Vec::new();
    loop {
        let page = reader.history(request, |_| true).await.expect("a page");
        assert!(page.events.len() <= usize::try_from(limit).expect("small"));
        all.extend(ids(&page.events));
        match page.end() {
            Some(end) => request.from = Some(end),
            None => return all,
        }
    }
}

#[tokio::test]
async fn b4_77_a_room_that_is_not_here_is_refused_like_one_that_is_closed() {
    let bed = Bed::new().await;
    let room = Room::new(&bed, RoomVersionId::V12).await;
    let secret = room.say("alice", "between us").await;
    let (mallory, nowhere) = (user("mallory"), ruma::room_id!("!nowhere:plop.example"));
    let absent = bed.rooms.reader(&mallory, nowhere).await.err().expect("a refusal").to_string();
    let mut reader = bed.rooms.reader(&mallory, &room.id).await.expect("a reader");
    let refused = reader.history(first(Direction::Backward, 10), |_| true).await.expect_err("a refusal");
    assert_eq!(refused.to_string(), absent);
    assert_eq!(reader.state_in_reach().expect_err("a refusal").to_string(), absent);
    assert_eq!(reader.joined_members().err().expect("a refusal").to_string(), absent);
    let absent = bed.rooms.reader_of_event(&mallory, nowhere, &secret).await.err().expect("a refusal");
    let refused = bed.rooms.reader_of_event(&mallory, &room.id, &secret).await.err().expect("a refusal");
    assert_eq!(refused.to_string(), absent.to_string());
}

#[tokio::test]
async fn b4_74_an_event_of_a_private_room_is_not_found_through_another_room() {
    let bed = Bed::new().await;
    let private = Room::new(&bed, RoomVersionId::V12).await;
    let secret = private.say("alice", "between us").await;
    let open = Room::new(&bed, RoomVersionId::V12).await;
    open.member("bob", "join").await;
    let bob = user("bob");
    let found = bed.rooms.reader_of_event(&bob, &open.id, &secret).await;
    assert!(matches!(found, Err(ReadRefusal::NoSuchEvent)));
}

#[tokio::test]
async fn b4_75_nothing_newer_than_the_leave() {
    let bed = Bed::new().await;
    for fate in ["leave", "ban"] {
        let room = Room::new(&bed, RoomVersionId::V12).await;
        room.set("m.room.topic", r#"{"topic":"for bob"}"#).await;
        room.member("bob", "join").await;
        room.member("bob", fate).await;
        let later = room.set("m.room.topic", r#"{"topic":"not for bob"}"#).await;
        room.member("carol", "join").await;
        let bob = user("bob");
        let mut reader = bed.rooms.reader(&bob, &room.id).await.expect("a reader");
        let topic = plop_state::StateKey::new("m.room.topic", "");
        let topic = reader.state_event(&topic).await.expect("a state").expect("a topic");
        assert!(topic.pdu.content_text().contains("for bob"), "{fate}");
        assert!(matches!(reader.event(&later).await, Err(ReadRefusal::NoSuchEvent)), "{fate}");
        let now = reader.token_at(bed.rooms.core().db.published()).await.expect("a token");
        for at in [None, Some(now)] {
            let mut pages = reader.members(at, MemberFilter::default()).await.expect("members");
            let page = pages.next(&reader).await.expect("a page").expect("members");
            assert!(page.iter().all(|event| event.pdu.state_key() != Some(id("carol").as_str())), "{fate}");
        }
        let page = reader.history(
            PageRequest { from: Some(now), to: None, direction: Direction::Backward, limit: 1 },
            |_| true,
        );
        let page = page.await.expect("a page");
        assert_eq!(
            page.events[0].pdu.state_key(),
            Some(id("bob").as_str()),
            "{fate}: the newest is the leave"
        );
    }
}

#[tokio::test]
async fn a_guest_looks_into_open_rooms_only_and_the_server_is_no_reader() {
    let bed = Bed::new().await;
    let room = Room::new(&bed, RoomVersionId::V12).await;
    let guest = Actor::Guest { user: id("guest"), device: owned_device_id!("G") };
    let mut reader = bed.rooms.reader(&guest, &room.id).await.expect("a reader");
    let refused = reader.history(first(Direction::Backward, 10), |_| true).await;
    assert!(matches!(refused, Err(ReadRefusal::NotInRoom)));
    room.set_visibility("world_readable").await;
    let open = room.say("alice", "come in").await;
    let mut reader = bed.rooms.reader(&guest, &room.id).await.expect("a reader");
    let page = reader.history(first(Direction::Backward, 1), |_| true).await.expect("a page");
    assert_eq!(ids(&page.events), [open]);
    let server = bed.rooms.reader(&Actor::Server, &room.id).await;
    assert!(matches!(server, Err(ReadRefusal::NoUser)));
}

#[tokio::test]
async fn a_long_chain_of_bans_after_a_leave_has_an_end() {
    let bed = Bed::new().await;
    let room = Room::new(&bed, RoomVersionId::V12).await;
    room.member("bob", "join").await;
    for _ in 0..100 {
        room.member("bob", "ban").await;
        room.member("bob", "leave").await;
    }
    let bob = user("bob");
    let reader = bed.rooms.reader(&bob, &room.id).await.expect("a reader");
    assert!(reader.admitted().is_ok(), "the join is found behind 200 events");
    for _ in 0..100 {
        room.member("bob", "ban").await;
        room.member("bob", "leave").await;
    }
    let reader = bed.rooms.reader(&bob, &room.id).await.expect("a reader");
    assert!(matches!(reader.admitted(), Err(ReadRefusal::NotInRoom)), "it is not looked for without end");
}

#[tokio::test]
async fn b4_80_an_outlier_is_served_to_nobody_nor_is_what_was_not_accepted() {
    let bed = Bed::new().await;
    let room = Room::new(&bed, RoomVersionId::V12).await;
    let alice = user("alice");
    for outcome in [Outcome::Outlier, Outcome::Rejected, Outcome::SoftFailed] {
        let work = async |operation: &mut Operation<'_>| {
            let (view, key) = (operation.view(), &operation.core().key);
            let content = json(&format!(r#"{{"body":"{outcome:?}"}}"#));
            let builder = EventBuilder::new(Some(view.id.clone()), "m.room.message", id("alice"), content);
            let pdu = builder.build(view.rules, key).expect("an event");
            let id = pdu.event_id_owned().clone();
            if outcome == Outcome::Outlier {
                operation.put_outlier(pdu, outcome).await.expect("an event");
            } else {
                let before = view.root;
                let placement = Placement {
                    outcome,
                    provisional: false,
                    before,
                    place: None,
                    backward_extremities: Vec::new(),
                };
                operation.place(pdu, placement, None).await.expect("an event");
            }
            id
        };
        let unseen = room.write(work).await;
        let found = bed.rooms.reader_of_event(&alice, &room.id, &unseen).await;
        assert!(matches!(found, Err(ReadRefusal::NoSuchEvent)), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_forgotten_room_is_a_room_one_never_was_in() {
    let bed = Bed::new().await;
    let room = Room::new(&bed, RoomVersionId::V12).await;
    let join = room.member("bob", "join").await;
    room.member("bob", "leave").await;
    let bob = user("bob");
    assert!(bed.rooms.reader(&bob, &room.id).await.expect("a reader").admitted().is_ok());
    let key = (id("bob"), room.number);
    let mut row =
        bed.rooms.core().db.snapshot().get::<UserRooms>(&key).await.expect("a read").expect("a row");
    row.forgotten = true;
    room.write(async |operation: &mut Operation<'_>| operation.batch().put::<UserRooms>(&key, &row)).await;
    let mut reader = bed.rooms.reader(&bob, &room.id).await.expect("a reader");
    assert!(matches!(reader.admitted(), Err(ReadRefusal::NotInRoom)));
    assert!(matches!(reader.event(&join).await, Err(ReadRefusal::NoSuchEvent)));
}
