//! The driver against the pure algorithm with everything laid out before it: whole states, whole auth chains.

use std::collections::{BTreeMap, BTreeSet};

use plop_base::Random;
use plop_db::{Db, Options};
use plop_state::StateKey;
use plop_state::resolve::{Conflict, Known, Lookup, Source, resolve};
use proptest::prelude::*;
use ruma::{EventId, RoomVersionId};
use serde_json::json;

use crate::error::StateError;
use crate::fixtures::{GROVE, Room, State, store_state, user};
use crate::keyspaces::KEYSPACES;
use crate::numbers::EventNumber;
use crate::open::{CacheBytes, StateStore};
use crate::tree::Root;

const CACHE: CacheBytes = CacheBytes { nodes: 1 << 20, links: 1 << 20 };

/// A room, and the states after its forks.
struct Forked {
    room: Room,
    forks: Vec<State>,
}

/// One more event on a fork: which fork, what, by whom, about whom.
type Step = (usize, u8, usize, usize);

impl Forked {
    fn new(version: &RoomVersionId, count: usize, common: &[Step], steps: &[Step]) -> Forked {
        let (mut room, mut state) = Room::new(version);
        common.iter().for_each(|step| happen(&mut room, &mut state, step));
        let mut forks = vec![state; count];
        for step in steps {
            let fork = step.0 % count;
            happen(&mut room, &mut forks[fork], step);
        }
        Forked { room, forks }
    }

    fn chain(&self, from: impl IntoIterator<Item = EventNumber>) -> BTreeSet<EventNumber> {
        let mut edge: Vec<_> = from.into_iter().collect();
        let mut chain = BTreeSet::new();
        while let Some(number) = edge.pop() {
            edge.extend(self.room.auth_of(number).into_iter().filter(|auth| chain.insert(*auth)));
        }
        chain
    }

    /// The outcome by the definitions of the spec.
    fn expected(&self) -> State {
        let keys: BTreeSet<_> = self.forks.iter().flat_map(BTreeMap::keys).collect();
        let alike = |key: &&StateKey| self.forks.iter().all(|fork| fork.get(*key) == self.forks[0].get(*key));
        let (alike, differ): (Vec<&StateKey>, Vec<_>) = keys.into_iter().partition(alike);
        let mut state: State = alike.into_iter().map(|key| (key.clone(), self.forks[0][key])).collect();

        let ids = |numbers: BTreeSet<EventNumber>| -> BTreeSet<_> {
            numbers.into_iter().map(|number| self.room.event(number).event_id_owned().clone()).collect()
        };
        let at = |key: &StateKey| {
            self.forks.iter().filter_map(|fork| fork.get(key).copied()).collect::<BTreeSet<_>>()
        };
        let conflicted: BTreeSet<_> = differ.iter().flat_map(|key| at(key)).collect();
        let chains: Vec<_> = self.forks.iter().map(|fork| self.chain(fork.values().copied())).collect();
        let some: BTreeSet<_> = chains.iter().flatten().copied().collect();
        let difference = some.into_iter().filter(|event| !chains.iter().all(|chain| chain.contains(event)));
        let between = self.chain(conflicted.iter().copied()).into_iter();
        let between = between.filter(|event| !self.chain([*event]).is_disjoint(&conflicted));
        let conflict = Conflict {
            keys: differ.into_iter().map(|key| (key.clone(), ids(at(key)))).collect(),
            auth_difference: ids(difference.collect()),
            subgraph: ids(between.chain(conflicted.iter().copied()).collect()),
        };
        let all = All { room: &self.room, unconflicted: &state };
        let resolution = resolve(&conflict, self.room.rules, &all).unwrap();
        state
            .extend(resolution.keys.into_iter().filter_map(|(key, id)| Some((key, self.room.numbers[&id?]))));
        state
    }

    async fn check(&self, db: Db) {
        let store = StateStore::open(&db, &Random::seeded(2), CACHE).await.unwrap();
        self.room.store_chains(&db, &store).await;
        let first = store_state(&db, &store, (Root::EMPTY, &State::new()), &self.forks[0]).await;
        let mut roots = vec![first];
        for fork in &self.forks[1..] {
            roots.push(store_state(&db, &store, (first, &self.forks[0]), fork).await);
        }
        let expected = self.expected();
        let whole = store_state(&db, &store, (Root::EMPTY, &State::new()), &expected).await;
        let snapshot = db.snapshot();
        for _ in 0..roots.len() {
            let resolved =
                store.resolver.resolve(&snapshot, GROVE, self.room.rules, &roots, &self.room).await.unwrap();
            assert_eq!(resolved.base, roots[0]);
            let mut batch = plop_db::Batch::relaxed();
            let updated =
                store.tree.update(&snapshot, &mut batch, GROVE, roots[0], &resolved.changes).await.unwrap();
            assert_eq!(updated.0, whole, "{:?}", resolved.changes);
            roots.rotate_left(1);
        }
    }
}

fn happen(room: &mut Room, state: &mut State, (_, what, by, of): &Step) {
    let (by, of) = (by % 5, of % 5);
    match what % 9 {
        0 | 1 => room.member(state, by, by, "join"),
        2 => room.member(state, by, by, "leave"),
        3 => room.member(state, by, of, "ban"),
        4 => room.member(state, by, of, "leave"),
        5 => room.member(state, by, of, "invite"),
        6 => {
            let levels = json!({ "users": { user(1): 50, user(1 + of % 4): 50 + of } });
            room.send(state, by, "m.room.power_levels", "", levels)
        }
        7 => {
            let rule = if of % 2 == 0 { "invite" } else { "public" };
            room.send(state, by, "m.room.join_rules", "", json!({ "join_rule": rule }))
        }
        _ => room.send(state, by, "m.room.topic", "", json!({ "topic": of })),
    };
}

struct All<'a> {
    room: &'a Room,
    unconflicted: &'a State,
}

impl Source for All<'_> {
    fn event(&self, id: &EventId) -> Lookup<Known> {
        let number = self.room.numbers.get(id);
        let known = |number: &EventNumber| Known { event: self.room.event(*number).clone(), rejected: false };
        number.map_or(Lookup::Absent, |number| Lookup::Found(known(number)))
    }

    fn unconflicted(&self, key: &StateKey) -> Lookup<Known> {
        self.unconflicted
            .get(key)
            .map_or(Lookup::Absent, |number| self.event(self.room.event(*number).event_id()))
    }
}

fn steps(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec((0usize..6, any::<u8>(), 0usize..5, 0usize..5), count)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn b3_72_forks_resolve_to_what_the_spec_says(
        version in prop_oneof![Just(RoomVersionId::V1), Just(RoomVersionId::V10), Just(RoomVersionId::V12)],
        forks in 2usize..4,
        common in steps(0..12),
        apart in steps(0..20),
    ) {
        let forked = Forked::new(&version, forks, &common, &apart);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            forked.check(Db::memory(KEYSPACES.to_vec(), &Random::seeded(1)).unwrap()).await;
        });
    }
}

/// More conflicts than are resolved in place.
#[tokio::test]
async fn many_conflicts_are_resolved_on_the_blocking_pool() {
    let (mut room, state) = Room::new(&RoomVersionId::V12);
    let forks = [0, 1].map(|side| {
        let mut state = state.clone();
        for of in 0..200 {
            room.member(&mut state, 0, 10 + of + side * 100, "invite");
        }
        state
    });
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(Options::new(folder.path(), KEYSPACES.to_vec()), &Random::seeded(1)).unwrap();
    Forked { room, forks: forks.into() }.check(db).await;
}

/// Forks far apart in a long chain of power levels: the rounds grow with the logarithm of its length.
#[tokio::test]
async fn a_long_mainline_takes_few_rounds() {
    let (mut room, mut state) = Room::new(&RoomVersionId::V11);
    let mut topics = Vec::new();
    for change in 0..1_000 {
        room.send(&mut state, 0, "m.room.power_levels", "", json!({ "events": { "x": change } }));
        if change == 3 || change == 5 {
            room.send(&mut state, 0, "m.room.topic", "", json!({ "topic": change }));
            topics.push(state[&StateKey::new("m.room.topic", "")]);
        }
    }
    let forks = topics.into_iter().map(|topic| {
        let mut fork = state.clone();
        fork.insert(StateKey::new("m.room.topic", ""), topic);
        fork
    });
    let forks = forks.collect();
    Forked { room, forks }.check(Db::memory(KEYSPACES.to_vec(), &Random::seeded(1)).unwrap()).await;
}

#[tokio::test]
async fn an_event_that_is_not_there_ends_the_resolution() {
    let forked = Forked::new(&RoomVersionId::V11, 2, &[], &[(0, 0, 1, 1), (1, 8, 0, 1)]);
    let db = Db::memory(KEYSPACES.to_vec(), &Random::seeded(1)).unwrap();
    let store = StateStore::open(&db, &Random::seeded(2), CACHE).await.unwrap();
    forked.room.store_chains(&db, &store).await;
    let first = store_state(&db, &store, (Root::EMPTY, &State::new()), &forked.forks[0]).await;
    let mut altered = forked.forks[1].clone();
    altered.insert(StateKey::new("m.room.name", ""), EventNumber(1_000));
    let second = store_state(&db, &store, (first, &forked.forks[0]), &altered).await;
    let roots = [first, second];
    let resolved =
        store.resolver.resolve(&db.snapshot(), GROVE, forked.room.rules, &roots, &forked.room).await;
    assert!(matches!(resolved, Err(StateError::MissingEvent { event: EventNumber(1_000), .. })));
}

#[tokio::test]
async fn the_secret_is_made_once() {
    let db = Db::memory(KEYSPACES.to_vec(), &Random::seeded(1)).unwrap();
    let one = StateStore::open(&db, &Random::seeded(2), CACHE).await.unwrap();
    let two = StateStore::open(&db, &Random::seeded(3), CACHE).await.unwrap();
    assert_eq!(one.tree.key_hash(&StateKey::create()), two.tree.key_hash(&StateKey::create()));
}
