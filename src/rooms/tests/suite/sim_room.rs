//! A room shared by simulated servers: what its users do, how it spreads, and what must hold afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use plop_base::{Actor, Random};
use plop_db::{Direction, KeyRange};
use plop_rooms::draft::EventDraft;
use plop_rooms::ingest::Verdict;
use plop_rooms::operation::AppendError;
use plop_rooms::ops::create::{CreateRoom, Preset};
use plop_rooms::remote::RawPdu;
use plop_rooms::schema::{Outcome, Timeline};
use plop_rooms::{RoomEvent, RoomView};
use plop_state::StateKey;
use plop_state::json::{Object, Value};
use plop_state_store::RoomNumber;
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, RoomVersionId, owned_device_id};

use crate::suite::bed::{json, private_room};
use crate::suite::sim_network::{Network, Server};

/// A user of a server.
pub fn user(server: &Server, name: &str) -> OwnedUserId {
    OwnedUserId::try_from(format!("@{name}:{}", server.name)).expect("a user id")
}

/// The administrator of a server, who stays.
pub fn admin(server: &Server) -> OwnedUserId {
    user(server, "admin")
}

pub fn actor(user: &OwnedUserId) -> Actor {
    Actor::User { user: user.clone(), device: owned_device_id!("DEVICE") }
}

/// A public room of the first server in which the administrators of all servers have all power.
pub async fn create(servers: &[Server], version: &RoomVersionId) -> OwnedRoomId {
    let first = servers.first().expect("a server");
    let rules = plop_state::rules(version).expect("a known version");
    let privileged = rules.spec.authorization.explicitly_privilege_room_creators;
    let named = servers.iter().skip(usize::from(privileged)).map(admin);
    let users: Object = named.map(|user| (user.to_string(), Value::Int(100))).collect();
    let request = CreateRoom {
        preset: Preset::PublicChat,
        power_levels_override: Object::from([("users".to_owned(), users.into())]),
        ..private_room(version.clone())
    };
    first.rooms.create(&actor(&admin(first)), &request).await.expect("a room")
}

pub async fn view(server: &Server, room: &OwnedRoomId) -> Arc<RoomView> {
    server.rooms.view_by_id(room).await.expect("the room")
}

/// Sends an event as a local user would; `None` where the rules refuse it.
pub async fn send(server: &Server, room: &OwnedRoomId, draft: EventDraft) -> Option<Arc<RoomEvent>> {
    let number = server.rooms.number(room).await.expect("a read").expect("the room");
    let mut writer = server.rooms.writer(number).await.expect("the guard");
    let mut operation = writer.begin();
    let event = match operation.append(draft).await {
        Ok(event) => event,
        Err(AppendError::Forbidden(_)) => return None,
        Err(error) => panic!("not appended: {error}"),
    };
    let receipt = operation.submit().await.expect("submitted");
    drop(writer);
    receipt.await.expect("committed");
    Some(event)
}

pub fn message(sender: OwnedUserId, body: &str) -> EventDraft {
    let content = Object::from([("msgtype".to_owned(), "m.text".into()), ("body".to_owned(), body.into())]);
    EventDraft::message("m.room.message", sender, content)
}

pub fn member(sender: OwnedUserId, target: &OwnedUserId, membership: &str) -> EventDraft {
    let content = Object::from([("membership".to_owned(), membership.into())]);
    EventDraft::state("m.room.member", target.as_str(), sender, content)
}

/// One random action on a server.
pub async fn act(servers: &[Server], server: &Server, room: &OwnedRoomId, random: &Random, count: u64) {
    const NAMES: [&str; 3] = ["admin", "one", "two"];
    let pick =
        |from: &[&str]| from[usize::try_from(random.below(from.len() as u64)).expect("small")].to_owned();
    let sender = user(server, &pick(&NAMES));
    let other = &servers[usize::try_from(random.below(servers.len() as u64)).expect("small")];
    let target = user(other, &pick(&NAMES[1..]));
    let text = format!("{} {count}", server.name);
    let draft = match random.below(14) {
        0..4 => message(sender, &text),
        4 => EventDraft::state("m.room.topic", "", sender, Object::from([("topic".to_owned(), text.into())])),
        5 => EventDraft::state("m.room.name", "", sender, Object::from([("name".to_owned(), text.into())])),
        6 => {
            let rule = pick(&["public", "invite", "public"]);
            EventDraft::state(
                "m.room.join_rules",
                "",
                sender,
                Object::from([("join_rule".to_owned(), rule.into())]),
            )
        }
        7 => match power_levels(
            server,
            room,
            &target,
            [0, 50, 100][usize::try_from(count % 3).expect("small")],
        )
        .await
        {
            Some(content) => EventDraft::state("m.room.power_levels", "", admin(server), content),
            None => return,
        },
        8 | 9 => {
            let own = user(server, &pick(&NAMES[1..]));
            member(own.clone(), &own, "join")
        }
        10 => {
            let own = user(server, &pick(&NAMES[1..]));
            member(own.clone(), &own, "leave")
        }
        11 => member(sender, &target, &pick(&["ban", "leave", "invite"])),
        12 => member(admin(server), &target, &pick(&["ban", "leave"])),
        _ => {
            let events = timeline(server, room).await;
            let index = usize::try_from(random.below(events.len() as u64)).expect("small");
            let Some(event) = events.get(index) else { return };
            let mut draft = EventDraft::message("m.room.redaction", sender, Object::new());
            draft.redacts = Some(event.pdu.event_id_owned().clone());
            draft
        }
    };
    send(server, room, draft).await;
}

/// The current power levels with one user's changed.
async fn power_levels(
    server: &Server,
    room: &OwnedRoomId,
    target: &OwnedUserId,
    level: i64,
) -> Option<Object> {
    let view = view(server, room).await;
    let levels = view.kept(&StateKey::power_levels())?;
    let mut content = json(levels.pdu.content_text());
    let Some(Value::Object(users)) = content.get_mut("users") else { return None };
    users.insert(target.to_string(), Value::Int(level));
    Some(content)
}

/// The live events of a server, in the order of arrival.
pub async fn timeline(server: &Server, room: &OwnedRoomId) -> Vec<Arc<RoomEvent>> {
    let view = view(server, room).await;
    let snapshot = server.rooms.core().db.snapshot();
    let page = snapshot
        .scan(KeyRange::<Timeline>::prefix(&view.number), Direction::Forward, 100_000)
        .await
        .expect("rows");
    let mut events = Vec::new();
    for (_, row) in page.rows {
        let event = server.rooms.core().events.get(&snapshot, view.number, view.rules, row.event).await;
        events.push(event.expect("the event"));
    }
    events
}

/// Hands every event that a server makes to another one, until that has taken it: shuffled, in transactions that get lost and come twice.
pub async fn deliver(network: Arc<Network>, from: Server, to: Server, room: OwnedRoomId) {
    let mut sent = 0;
    loop {
        network.clock.sleep(Duration::from_millis(5 + network.random().below(30))).await;
        let Ok(view) = from.rooms.view_by_id(&room).await else { continue };
        let shown = timeline(&from, &room).await;
        let own = shown.iter().filter(|event| event.pdu.sender().server_name() == from.name);
        let own: Vec<RawPdu> = own.map(|event| event.pdu.canonical().into()).collect();
        if !view.members.has_server(&to.name) {
            // What was before it joined is no news to it.
            sent = own.len();
            continue;
        }
        let end = own.len().min(sent + 1 + usize::try_from(network.random().below(20)).expect("small"));
        let mut batch = own[sent..end].to_vec();
        if batch.is_empty() {
            continue;
        }
        if network.random().below(2) == 0 {
            batch.reverse();
        }
        if network.travel(&from.name, &to.name).await.is_err() {
            continue;
        }
        for received in to.ingest.transaction(&from.name, &batch).await {
            match received.verdict.expect("the store works") {
                Verdict::Rejected(error) => panic!("{} rejected an event of {}: {error}", to.name, from.name),
                Verdict::Dropped(plop_rooms::ingest::Unfit::RoomNotHere) => {}
                Verdict::Dropped(unfit) => panic!("{} dropped an event of {}: {unfit}", to.name, from.name),
                _ => {}
            }
        }
        if network.travel(&to.name, &from.name).await.is_ok() {
            sent = end;
        }
    }
}

/// What can be compared between servers.
#[derive(Debug, PartialEq, Eq)]
pub struct Picture {
    pub state: BTreeMap<String, OwnedEventId>,
    pub forward_extremities: BTreeSet<OwnedEventId>,
}

/// Everything that must hold on one server, and its picture of the room.
pub async fn picture(server: &Server, room: &OwnedRoomId) -> Picture {
    let view = view(server, room).await;
    let core = server.rooms.core();
    let reading = server.rooms.writer(view.number).await.expect("the guard").reading();
    let entries = core.state.tree.scan(reading.snapshot(), view.grove(), view.root, None, 100_000).await;
    let mut state = BTreeMap::new();
    let mut members = BTreeMap::new();
    for entry in entries.expect("a state") {
        let event = reading.event(entry.event).await.expect("the event");
        assert_ne!(
            event.facts.outcome,
            Outcome::Rejected,
            "{} has a rejected event in its state",
            server.name
        );
        let key = event.pdu.as_state().expect("a state event");
        if key.kind() == "m.room.member" {
            members.insert(key.key().to_owned(), entry.event);
        }
        state.insert(format!("{key:?}"), event.pdu.event_id_owned().clone());
    }
    let projected: BTreeMap<_, _> =
        view.members.iter().map(|(user, member)| (user.to_string(), member.event)).collect();
    assert_eq!(projected, members, "the members of {} are those of its state", server.name);
    let forward_extremities = reading
        .forward_extremities()
        .iter()
        .map(|extremity| extremity.pdu.event_id_owned().clone())
        .collect();
    Picture { state, forward_extremities }
}

/// What became of an event on a server.
pub async fn outcome(server: &Server, number: RoomNumber, event: &OwnedEventId) -> Option<Outcome> {
    let reading = server.rooms.writer(number).await.expect("the guard").reading();
    let event = reading.event_by_id(event).await.expect("a read")?;
    Some(event.facts.outcome)
}

/// Every server has accepted what any of them has shown, or soft-failed it; none has an event twice.
pub async fn nothing_is_lost(servers: &[Server], room: &OwnedRoomId, since: &BTreeSet<OwnedEventId>) {
    for server in servers {
        let events = timeline(server, room).await;
        let ids: BTreeSet<_> = events.iter().map(|event| event.pdu.event_id_owned().clone()).collect();
        assert_eq!(ids.len(), events.len(), "{} has an event twice in its timeline", server.name);
        for other in servers {
            let number = view(other, room).await.number;
            for id in ids.difference(since) {
                let outcome = outcome(other, number, id).await;
                assert!(
                    matches!(outcome, Some(Outcome::Accepted | Outcome::SoftFailed)),
                    "{id} of {} is {outcome:?} on {}",
                    server.name,
                    other.name
                );
            }
        }
    }
}
