//! Sources that load on demand: what is asked for, in how many rounds, and what a cycle does.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
};

use proptest::prelude::*;
use ruma::{EventId, OwnedEventId, RoomVersionId};

use super::{
    history::{History, histories},
    room::{Loaded, Room, State, applied, state_key},
};
use crate::{
    pdu::Pdu,
    resolve::{Conflict, Known, Lookup, Missing, Resolution, Source, Unresolved, resolve},
    state_key::StateKey,
};

/// A source that has nothing until it is told to load it, and counts what it was asked for.
struct Lazy<'a> {
    loaded: Loaded<'a>,
    events: BTreeSet<OwnedEventId>,
    keys: BTreeSet<StateKey>,
    asked: RefCell<BTreeSet<OwnedEventId>>,
    calls: Cell<usize>,
}

impl Source for Lazy<'_> {
    fn event(&self, id: &EventId) -> Lookup<Known> {
        self.asked.borrow_mut().insert(id.to_owned());
        self.calls.set(self.calls.get() + 1);
        if self.events.contains(id) { self.loaded.event(id) } else { Lookup::NotLoaded }
    }

    fn unconflicted(&self, key: &StateKey) -> Lookup<Known> {
        if self.keys.contains(key) { self.loaded.unconflicted(key) } else { Lookup::NotLoaded }
    }
}

impl<'a> Lazy<'a> {
    fn new(room: &'a Room, forks: &'a [State]) -> Self {
        Self {
            loaded: Loaded { room, forks },
            events: BTreeSet::new(),
            keys: BTreeSet::new(),
            asked: RefCell::default(),
            calls: Cell::default(),
        }
    }

    fn load(&mut self, missing: Missing, ahead: usize) {
        for id in &missing.chains {
            self.load_chain(id, ahead);
        }
        self.events.extend(missing.events);
        self.keys.extend(missing.keys);
    }

    /// What a caller does for [`Missing::chains`].
    fn load_chain(&mut self, id: &EventId, links: usize) {
        let mut next = Some(self.loaded.room.event(id).clone());
        for _ in 0..links {
            let Some(event) = next.take() else { return };
            for id in event.auth_events() {
                self.events.insert(id.clone());
                let cited = self.loaded.room.event(id);
                if cited.as_state() == Some(StateKey::power_levels()) {
                    next = Some(cited.clone());
                }
            }
        }
    }

    /// Runs until the resolution is there; it and the number of rounds of loading.
    fn run(&mut self, conflict: &Conflict) -> (Resolution, usize) {
        for round in 0.. {
            match resolve(conflict, self.loaded.room.rules, self) {
                Ok(resolution) => return (resolution, round),
                Err(Unresolved::Missing(missing)) => self.load(missing, 1 << round),
                Err(Unresolved::Absent(id)) => panic!("{id} is absent"),
            }
        }
        unreachable!()
    }
}

fn versions() -> impl Strategy<Value = RoomVersionId> {
    prop::sample::select(vec![RoomVersionId::V1, RoomVersionId::V2, RoomVersionId::V11, RoomVersionId::V12])
}

proptest! {
    #[test]
    fn loading_in_rounds_gives_the_same(version in versions(), steps in histories()) {
        let history = History::play(version, &steps);
        for forks in history.forks() {
            let (resolution, rounds) = Lazy::new(&history.room, &forks).run(&history.room.conflict(&forks));
            prop_assert_eq!(applied(&forks, resolution), history.room.resolved(&forks));
            // The conflicted events; what they cite and the keys; and the mainline, doubling.
            prop_assert!(rounds <= 6, "{} rounds", rounds);
        }
    }
}

/// A room whose power levels changed `count` times; the last event and all of the changes.
fn many_power_levels(version: RoomVersionId, count: usize) -> (Room, Vec<OwnedEventId>) {
    let (mut room, mut at) = Room::public(version);
    let mut changes = Vec::new();
    for change in 0..count {
        at = room.power_levels(&at, "alice", &[("alice", 100), ("bob", 50), ("charlie", change as i64 % 40)]);
        changes.push(at.clone());
    }
    (room, changes)
}

#[test]
fn b3_44_a_long_chain_of_power_levels_is_read_as_far_as_the_forks_reach() {
    let (mut room, changes) = many_power_levels(RoomVersionId::V12, 1_000);
    let topics = [999, 989].map(|change| room.topic(&changes[change], "alice", "x"));
    let forks = topics.each_ref().map(|topic| room.after(topic).clone());
    // The states differ in their power levels, too; both changes and the ten between are conflicted.
    let conflict = room.conflict(&forks);
    let mut source = Lazy::new(&room, &forks);
    let (resolution, rounds) = source.run(&conflict);
    assert_eq!(resolution.keys[&StateKey::power_levels()], Some(changes[999].clone()));
    assert_eq!(resolution.keys[&state_key("m.room.topic", "")], Some(topics[0].clone()));
    let asked = source.asked.borrow().len();
    assert!(asked < 40, "asked for {asked} events");
    assert!(rounds <= 6, "{rounds} rounds");
}

#[test]
fn b3_44_the_whole_chain_of_power_levels_takes_few_rounds() {
    let (mut room, changes) = many_power_levels(RoomVersionId::V11, 1_000);
    // Three topics by three power levels, in a state that agrees on the newest ones.
    let now = room.after(&changes[999]).clone();
    let forks: Vec<State> = [10, 20, 999]
        .map(|change| {
            let topic = room.topic(&changes[change], "alice", "x");
            let mut fork = now.clone();
            fork.insert(state_key("m.room.topic", ""), topic);
            fork
        })
        .to_vec();
    let mut source = Lazy::new(&room, &forks);
    let (resolution, rounds) = source.run(&room.conflict(&forks));
    assert_eq!(
        resolution.keys[&state_key("m.room.topic", "")],
        forks[2].get(&state_key("m.room.topic", "")).cloned()
    );
    assert!(rounds <= 14, "{rounds} rounds");
}

/// Room versions 1 and 2 let an event choose its id, so two can cite each other.
#[test]
fn b3_44_a_cycle_of_auth_events_ends() {
    let (mut room, base) = Room::public(RoomVersionId::V2);
    let state = room.after(&base).clone();
    let levels = |room: &Room, id: &str, cites: &str| -> Pdu {
        let honest = room.event(&state[&StateKey::power_levels()]).canonical().to_owned();
        let own = honest.split("\"event_id\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let create = &state[&StateKey::create()];
        let alice = &state[&StateKey::member("@alice:plop.test")];
        let mut event: serde_json::Value = serde_json::from_str(&honest.replace(&own, id)).unwrap();
        event["auth_events"] = serde_json::json!([[create, {}], [alice, {}], [cites, {}]]);
        Pdu::parse(event.to_string().as_bytes(), room.rules).unwrap()
    };
    let ids = ["$a:plop.test", "$b:plop.test"];
    let events = [levels(&room, ids[0], ids[1]), levels(&room, ids[1], ids[0])];
    let ids = events.map(|event| room.insert(event, &state));
    let topic = |room: &mut Room, at: &OwnedEventId, text: &str| {
        let mut state = state.clone();
        state.insert(StateKey::power_levels(), at.clone());
        room.send_authorised_by(
            &state,
            &[&base],
            "alice",
            "m.room.topic",
            Some(""),
            serde_json::json!({ "topic": text }),
        )
    };
    let topics = ids.each_ref().map(|id| topic(&mut room, id, id.as_str()));
    let forks = topics.each_ref().map(|topic| room.after(topic).clone());
    let resolved = room.resolved(&forks);
    // Nothing has authorised the two, so they are left out, and the power levels with them.
    assert_eq!(resolved.get(&StateKey::power_levels()), None);
    let mut with_levels = forks.clone();
    for fork in &mut with_levels {
        fork.insert(StateKey::power_levels(), ids[0].clone());
    }
    // With one of them unconflicted the mainline runs in a circle, too.
    assert!(room.resolved(&with_levels).contains_key(&state_key("m.room.topic", "")));
}

#[test]
fn an_absent_event_is_an_error_and_not_left_out() {
    let (mut room, base) = Room::public(RoomVersionId::V11);
    let forks = ["bob", "alice"].map(|sender| {
        let topic = room.topic(&base, sender, sender);
        room.after(&topic).clone()
    });
    let conflict = room.conflict(&forks);
    let alice = room.after(&base)[&StateKey::member("@alice:plop.test")].clone();
    room.events.remove(&alice);
    let source = Loaded { room: &room, forks: &forks };
    assert_eq!(resolve(&conflict, room.rules, &source), Err(Unresolved::Absent(alice)));
}

/// All that is missing is named in the first answer that can know of it.
#[test]
fn missing_events_are_named_together() {
    let (mut room, base) = Room::public(RoomVersionId::V11);
    let forks = ["bob", "alice"].map(|sender| {
        let topic = room.topic(&base, sender, sender);
        room.after(&topic).clone()
    });
    let conflict = room.conflict(&forks);
    let mut source = Lazy::new(&room, &forks);
    let Err(Unresolved::Missing(missing)) = resolve(&conflict, room.rules, &source) else { panic!() };
    let conflicted = conflict.keys.values().flatten().chain(&conflict.auth_difference);
    assert_eq!(missing.events, conflicted.cloned().collect());
    assert_eq!(missing.keys, BTreeSet::from([StateKey::power_levels()]));
    source.load(missing, 0);
    let (_, rounds) = source.run(&conflict);
    assert_eq!(rounds, 1);
}
