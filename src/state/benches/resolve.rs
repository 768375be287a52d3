//! Resolution of two forks of a room with 85,000 members that differ in 100 keys, everything
//! loaded: the goal is under 50 ms. And of two forks far apart in a long chain of power levels.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    hint::black_box,
};

use criterion::{Criterion, criterion_group, criterion_main};
use plop_state::{
    Rules, StateKey, auth,
    builder::EventBuilder,
    json,
    resolve::{Conflict, Known, Lookup, Source, resolve},
    rules,
    sign::SigningKey,
};
use ruma::{EventId, OwnedEventId, OwnedRoomId, RoomVersionId, UserId};
use serde_json::json;

const MEMBERS: usize = 85_000;
const MODERATORS: usize = 20;
/// Users with a level of their own: the power levels are as large as those of a large room.
const LISTED: usize = 500;

type State = HashMap<StateKey, OwnedEventId>;

struct Room {
    rules: &'static Rules,
    key: SigningKey,
    room_id: Option<OwnedRoomId>,
    events: HashMap<OwnedEventId, Known>,
    clock: u64,
}

fn user(number: usize) -> String {
    format!("@user-{number}:plop.test")
}

impl Room {
    fn new(version: &RoomVersionId) -> (Self, State) {
        let rules = rules(version).expect("a known version");
        let server = "plop.test".try_into().expect("a server name");
        let key = SigningKey::from_seed(server, "1", &[7; 32]).expect("a key");
        let implied = rules.spec.authorization.room_create_event_id_as_room_id;
        let room_id = (!implied).then(|| "!room:plop.test".try_into().expect("a room id"));
        let mut room = Self { rules, key, room_id, events: HashMap::new(), clock: 1 };
        let mut state = State::new();
        let create = json!({ "room_version": version.as_str(), "creator": user(0) });
        let create = room.send(&mut state, 0, "m.room.create", "", create);
        room.room_id = Some(room.events[&create].event.room_id().to_owned());
        room.member(&mut state, 0, 0, "join");
        room.levels(&mut state, 0, 0);
        room.send(&mut state, 0, "m.room.join_rules", "", json!({ "join_rule": "public" }));
        (room, state)
    }

    fn send(
        &mut self,
        state: &mut State,
        sender: usize,
        kind: &str,
        key: &str,
        content: serde_json::Value,
    ) -> OwnedEventId {
        let sender = UserId::parse(user(sender)).expect("a user id");
        let content = json::to_object(&content).expect("an object");
        let types = auth::types_for(kind, &sender, Some(key), &content, self.rules);
        let mut builder = EventBuilder::new(self.room_id.clone(), kind, sender, content);
        builder.state_key = Some(key.to_owned());
        builder.auth_events = types.iter().filter_map(|key| state.get(key).cloned()).collect();
        builder.depth = self.clock;
        builder.origin_server_ts = self.clock;
        if self.rules.spec.event_format.require_event_id {
            builder.event_id = Some(format!("${}:plop.test", self.clock).try_into().expect("an id"));
        }
        self.clock += 1;
        let event = builder.build(self.rules, &self.key).expect("an event");
        let id = event.event_id_owned().clone();
        state.insert(event.as_state().expect("a state event"), id.clone());
        self.events.insert(id.clone(), Known { event, rejected: false });
        id
    }

    fn member(&mut self, state: &mut State, by: usize, of: usize, membership: &str) -> OwnedEventId {
        let content = json!({ "membership": membership, "displayname": format!("User {of}") });
        self.send(state, by, "m.room.member", &user(of), content)
    }

    fn levels(&mut self, state: &mut State, by: usize, change: usize) {
        let first = usize::from(self.rules.spec.authorization.explicitly_privilege_room_creators);
        let mut users: BTreeMap<String, usize> =
            (MODERATORS..LISTED).map(|number| (user(number), 1)).collect();
        users.extend((1..MODERATORS).map(|number| (user(number), 50)));
        users.extend((first == 0).then(|| (user(0), 100)));
        let content = json!({ "users": users, "events": { "org.plop.change": change % 50 } });
        self.send(state, by, "m.room.power_levels", "", content);
    }

    /// What the store's indexes would answer.
    fn conflict(&self, forks: &[State; 2]) -> Conflict {
        let mut keys: BTreeMap<StateKey, BTreeSet<OwnedEventId>> = BTreeMap::new();
        for (fork, other) in [(&forks[0], &forks[1]), (&forks[1], &forks[0])] {
            for (key, id) in fork.iter().filter(|(key, id)| other.get(*key) != Some(*id)) {
                keys.entry(key.clone()).or_default().insert(id.clone());
            }
        }
        let chains = forks.each_ref().map(|fork| self.chain(fork.values()));
        let auth_difference = chains[0].symmetric_difference(&chains[1]).map(|id| (*id).clone()).collect();
        let conflicted: HashSet<&OwnedEventId> = keys.values().flatten().collect();
        let reached = self.chain(keys.values().flatten());
        let between =
            reached.into_iter().filter(|id| !self.chain([*id].into_iter()).is_disjoint(&conflicted));
        let subgraph = between.chain(conflicted.iter().copied()).cloned().collect();
        Conflict { keys, auth_difference, subgraph }
    }

    fn chain<'a>(&'a self, from: impl Iterator<Item = &'a OwnedEventId>) -> HashSet<&'a OwnedEventId> {
        let mut chain = HashSet::new();
        let mut pending: Vec<_> = from.flat_map(|id| self.events[id].event.auth_events()).collect();
        while let Some(id) = pending.pop() {
            if chain.insert(id) {
                pending.extend(self.events[id].event.auth_events());
            }
        }
        chain
    }
}

struct Memory<'a> {
    room: &'a Room,
    state: &'a State,
}

impl Source for Memory<'_> {
    fn event(&self, id: &EventId) -> Lookup<Known> {
        self.room.events.get(id).cloned().map_or(Lookup::Absent, Lookup::Found)
    }

    fn unconflicted(&self, key: &StateKey) -> Lookup<Known> {
        self.state.get(key).map_or(Lookup::Absent, |id| self.event(id))
    }
}

/// Half of the conflicts on each side: power levels, bans, kicks, joins, leaves, names, other state.
fn diverge(room: &mut Room, state: &State) -> [State; 2] {
    [0, 1].map(|side| {
        let mut state = state.clone();
        room.levels(&mut state, side, 10 + side);
        for number in 0..53 {
            let target = 1_000 + side * 100 + number;
            let moderator = 1 + number % (MODERATORS - 1);
            match number % 7 {
                0 => room.member(&mut state, moderator, target, "ban"),
                1 => room.member(&mut state, moderator, target, "leave"),
                2 => room.member(&mut state, target, target, "leave"),
                3 => room.member(&mut state, target, target, "join"),
                4 => room.member(&mut state, MEMBERS + target, MEMBERS + target, "join"),
                5 => room.member(&mut state, moderator, 2 * MEMBERS + target, "invite"),
                // The same keys on both sides.
                _ => {
                    let content = json!({ "via": ["plop.test"], "order": side.to_string() });
                    room.send(&mut state, moderator, "m.space.child", &number.to_string(), content)
                }
            };
        }
        state
    })
}

fn large_room(c: &mut Criterion) {
    let mut group = c.benchmark_group("resolve_85000_members_100_conflicts");
    for (name, version) in
        [("v1", RoomVersionId::V1), ("v2", RoomVersionId::V11), ("v2_1", RoomVersionId::V12)]
    {
        let (mut room, mut state) = Room::new(&version);
        for number in 1..MEMBERS {
            room.member(&mut state, number, number, "join");
        }
        let forks = diverge(&mut room, &state);
        let conflict = room.conflict(&forks);
        let memory = Memory { room: &room, state: &state };
        assert_eq!(conflict.keys.len(), 100);
        group.bench_function(name, |bencher| {
            bencher.iter(|| resolve(black_box(&conflict), room.rules, &memory).expect("all is loaded"));
        });
    }
    group.finish();
}

fn long_mainline(c: &mut Criterion) {
    let (mut room, mut state) = Room::new(&RoomVersionId::V11);
    for number in 1..MODERATORS {
        room.member(&mut state, number, number, "join");
    }
    let mut forks = Vec::new();
    for change in 0..5_000 {
        room.levels(&mut state, 0, change);
        if [10, 20].contains(&change) {
            let mut fork = state.clone();
            room.send(&mut fork, 1, "m.room.topic", "", json!({ "topic": change }));
            forks.push(fork[&StateKey::new("m.room.topic", "")].clone());
        }
    }
    // Both forks have the newest power levels, and topics from when the room was young.
    let forks = [0, 1].map(|index| {
        let mut fork = state.clone();
        fork.insert(StateKey::new("m.room.topic", ""), forks[index].clone());
        fork
    });
    let conflict = room.conflict(&forks);
    let memory = Memory { room: &room, state: &state };
    c.bench_function("resolve_5000_power_levels_to_the_root", |bencher| {
        bencher.iter(|| resolve(black_box(&conflict), room.rules, &memory).expect("all is loaded"));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = large_room, long_mainline
}
criterion_main!(benches);
