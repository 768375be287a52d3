//! A client that syncs step by step, while others talk, change state, come and go, and itself is let in and thrown out, knows in the end what the room
//! is, has missed nothing of what was until it left, and got nothing of what came after.

use std::collections::{BTreeMap, BTreeSet};

use plop_base::Random;
use plop_rooms::schema::Membership;
use plop_state::json::Object;
use plop_sync::{StateAt, SyncRequest};
use ruma::{OwnedRoomId, RoomId};
use serde_json::Value;

use crate::bed::{Bed, Client, id, user};

type State = BTreeMap<(String, String), String>;

/// What a client knows of a room.
#[derive(Default)]
struct Known {
    state: State,
    timeline: Vec<String>,
}

/// A client with its own way of asking.
struct Reader<'b> {
    client: Client<'b>,
    state_at: StateAt,
    joined: BTreeMap<String, Known>,
}

impl<'b> Reader<'b> {
    fn new(bed: &'b Bed, state_at: StateAt, filter: &str) -> Self {
        let client = Client { filter: Some(filter.to_owned()), ..bed.client("reader") };
        Self { client, state_at, joined: BTreeMap::new() }
    }

    async fn sync(&mut self, departures: &Departures) {
        let request = SyncRequest { state_at: self.state_at, ..SyncRequest::default() };
        let answer = self.client.sync_with(request).await;
        for (room, news) in answer["rooms"]["leave"].as_object().into_iter().flatten() {
            let known = self.joined.remove(room);
            check_left(self.client.bed, room, news, known, departures.get(room).copied()).await;
        }
        for section in ["invite", "knock"] {
            for room in answer["rooms"][section].as_object().into_iter().flat_map(|rooms| rooms.keys()) {
                self.joined.remove(room);
            }
        }
        for (room, news) in answer["rooms"]["join"].as_object().into_iter().flatten() {
            let known = self.joined.entry(room.clone()).or_default();
            let timeline = &news["timeline"];
            if timeline["limited"] == true {
                known.timeline.clear();
            }
            let events: Vec<String> =
                crate::bed::ids(&timeline["events"]).into_iter().map(str::to_owned).collect();
            // A room that was joined again may come with what the client has.
            known.timeline.retain(|event| !events.contains(event));
            known.timeline.extend(events);
            match self.state_at {
                StateAt::Start => {
                    apply(&mut known.state, &news["state"]["events"]);
                    apply(&mut known.state, &timeline["events"]);
                }
                StateAt::End | StateAt::EndUnstable => {
                    apply(&mut known.state, &news["state_after"]["events"]);
                }
            }
        }
    }

    /// Compares what is known with what is.
    async fn check(&self, bed: &Bed, rooms: &[OwnedRoomId], step: &str) {
        let mut in_rooms = BTreeSet::new();
        for room in rooms {
            let view = bed.rooms.view_by_id(room).await.expect("a room");
            if !view.members.is_joined(&id("reader")) {
                continue;
            }
            in_rooms.insert(room.to_string());
            let known = self.joined.get(room.as_str()).unwrap_or_else(|| panic!("{step}: {room} is missing"));
            assert_eq!(known.state, state(bed, room).await, "{step}: the state of {room}");
            let all = arrivals(bed, room).await;
            assert!(all.ends_with(&known.timeline), "{step}: the timeline of {room}");
        }
        let shown: BTreeSet<String> = self.joined.keys().cloned().collect();
        assert_eq!(shown, in_rooms, "{step}");
    }
}

/// Where in the live stream the reader has left each room last.
type Departures = BTreeMap<String, usize>;

/// What is told of a room that was left: everything until the departure, and nothing after it but what happened to the reader.
async fn check_left(bed: &Bed, room: &str, news: &Value, known: Option<Known>, departure: Option<usize>) {
    let all = arrivals(bed, &OwnedRoomId::try_from(room).expect("a room id")).await;
    let until = departure.map_or(0, |place| place + 1);
    for pointer in ["/timeline/events", "/state/events", "/state_after/events"] {
        for event in news.pointer(pointer).and_then(Value::as_array).into_iter().flatten() {
            let is_own = event["type"] == "m.room.member" && event["state_key"] == id("reader").as_str();
            let place = all.iter().position(|id| event["event_id"] == id.as_str());
            assert!(is_own || place.is_some_and(|place| place < until), "{room}: {event} of {pointer}");
        }
    }
    if let Some(mut known) = known {
        let timeline = &news["timeline"];
        if timeline["limited"] == true {
            known.timeline.clear();
        }
        known.timeline.extend(crate::bed::ids(&timeline["events"]).into_iter().map(str::to_owned));
        assert!(all[..until].ends_with(&known.timeline), "the end of {room}");
    }
}

fn apply(state: &mut State, events: &Value) {
    for event in events.as_array().cloned().unwrap_or_default() {
        let text = |name: &str| event[name].as_str().map(str::to_owned);
        if let (Some(kind), Some(key), Some(id)) = (text("type"), text("state_key"), text("event_id")) {
            state.insert((kind, key), id);
        }
    }
}

async fn state(bed: &Bed, room: &RoomId) -> State {
    let actor = user("reader");
    let reader = bed.rooms.reader(&actor, room).await.expect("a reader");
    let mut pages = plop_rooms::reader::state::StatePages::of(reader.view().root);
    let mut state = State::new();
    while let Some(events) = pages.next(&reader).await.expect("a page") {
        for event in events {
            let key = event.pdu.as_state().expect("state");
            state.insert((key.kind().to_owned(), key.key().to_owned()), event.pdu.event_id().to_string());
        }
    }
    state
}

/// Every event of the live stream, as one who sees everything gets them.
async fn arrivals(bed: &Bed, room: &RoomId) -> Vec<String> {
    use plop_db::{Direction, KeyRange};
    use plop_rooms::schema::Timeline;
    let view = bed.rooms.view_by_id(room).await.expect("a room");
    let snapshot = bed.db.snapshot();
    let rows = KeyRange::<Timeline>::prefix(&view.number);
    let page = snapshot.scan(rows, Direction::Forward, 10_000).await.expect("rows");
    let numbers: Vec<_> = page.rows.iter().map(|(_, row)| row.event).collect();
    let events =
        bed.rooms.events().get_many(&snapshot, view.number, view.rules, &numbers).await.expect("events");
    events.iter().map(|event| event.pdu.event_id().to_string()).collect()
}

/// One thing that happens.
async fn happen(bed: &Bed, rooms: &[OwnedRoomId], departures: &mut Departures, random: &Random, step: u64) {
    let pick = |bound: usize| usize::try_from(random.below(bound as u64)).expect("small");
    let room = &rooms[pick(rooms.len())];
    let name = ["reader", "bob", "carol"][pick(3)];
    let membership = async |name: &str| {
        let view = bed.rooms.view_by_id(room).await.expect("a room");
        view.members.membership(&id(name))
    };
    let was_in = membership("reader").await == Membership::Join;
    let (alice, target, extra) = (user("alice"), id(name), Object::new());
    match (pick(13), membership(name).await) {
        (0..4, Membership::Join) => drop(bed.say(name, room, &format!("{step}")).await),
        (4..7, _) => {
            let kind = ["m.room.topic", "m.room.name", "org.example.x"][pick(3)];
            bed.set("alice", room, kind, &format!(r#"{{"step":"{step}"}}"#)).await;
        }
        (7, Membership::Join) => drop(bed.rooms.kick(&alice, room, &target, &extra).await.expect("a kick")),
        (7..9, Membership::Join | Membership::Leave) => {
            bed.rooms.ban(&alice, room, &target, &extra).await.expect("a ban");
        }
        (9, Membership::Leave) => {
            drop(bed.rooms.invite(&alice, room, &target, &extra).await.expect("an invite"))
        }
        (10.., Membership::Invite) | (_, Membership::Join) => drop(bed.leave(name, room).await),
        (_, Membership::Leave | Membership::Invite) => drop(bed.join(name, room).await),
        (_, Membership::Ban) => drop(bed.rooms.unban(&alice, room, &target, &extra).await.expect("an end")),
        (_, Membership::Knock) => {}
    }
    if was_in && membership("reader").await != Membership::Join {
        departures.insert(room.to_string(), arrivals(bed, room).await.len() - 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_syncs_step_by_step_knows_what_is() {
    for seed in 0..12 {
        let random = Random::seeded(seed);
        let bed = Bed::new().await;
        let mut rooms = Vec::new();
        for _ in 0..3 {
            rooms.push(bed.room("alice").await);
        }
        let ways = [
            (StateAt::Start, r#"{"room":{"timeline":{"limit":50}}}"#),
            (StateAt::Start, r#"{"room":{"timeline":{"limit":2}}}"#),
            (StateAt::End, r#"{"room":{"timeline":{"limit":2}}}"#),
        ];
        let mut readers = ways.map(|(state_at, filter)| Reader::new(&bed, state_at, filter));
        let mut departures = Departures::new();
        for step in 0..160 {
            happen(&bed, &rooms, &mut departures, &random, step).await;
            for (index, reader) in readers.iter_mut().enumerate() {
                // Some come each time, some after a while.
                if random.below(4) < 2 {
                    reader.sync(&departures).await;
                    reader.check(&bed, &rooms, &format!("seed {seed}, step {step}, way {index}")).await;
                }
            }
        }
    }
}
