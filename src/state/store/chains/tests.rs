//! The index against plain walks of the same graph in memory.

use std::collections::{BTreeMap, BTreeSet};

use plop_base::Random;
use plop_db::{Batch, Db, Options};
use plop_state::StateKey;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::Index;

use super::{Chains, Unconflicted};
use crate::error::StateError;
use crate::in_flight::InFlight;
use crate::keyspaces::KEYSPACES;
use crate::numbers::{EventNumber, RoomNumber};
use crate::secret::{KeyHash, Secret};

mod hostile;
mod in_flight;

const ROOM: RoomNumber = RoomNumber(3);

fn secret() -> Secret {
    Secret::new(&[7; 32])
}

fn memory() -> Db {
    Db::memory(KEYSPACES.to_vec(), &Random::seeded(1)).unwrap()
}

fn key(number: usize) -> StateKey {
    StateKey::member(&number.to_string())
}

/// The auth chain of an event.
async fn chain_of(chains: &Chains, event: EventNumber) -> Result<BTreeSet<EventNumber>, StateError> {
    let mut walk = chains.walk(ROOM);
    walk.start_from(&[event]);
    Ok(walk.next_page(usize::MAX).await?.into_iter().collect())
}

/// Events in an order in which they can be added: the auth events and the key of each. Their numbers are not in that order.
#[derive(Debug, Clone)]
struct Graph {
    events: Vec<(Vec<usize>, usize)>,
}

impl Graph {
    fn number(&self, event: usize) -> EventNumber {
        // 7919 is prime and larger than any of these graphs, so this is a permutation.
        EventNumber(((event as u64 + 1) * 31) % 7919)
    }

    fn numbers(&self, events: impl IntoIterator<Item = usize>) -> BTreeSet<EventNumber> {
        events.into_iter().map(|event| self.number(event)).collect()
    }

    fn chain(&self, from: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
        let mut edge: Vec<usize> = from.into_iter().collect();
        let mut chain = BTreeSet::new();
        while let Some(event) = edge.pop() {
            edge.extend(self.events[event].0.iter().filter(|auth| chain.insert(**auth)));
        }
        chain
    }

    async fn add_all(&self, db: &Db, chains: &Chains) {
        let mut held: Vec<InFlight> = Vec::new();
        let mut batch = Batch::durable();
        for (event, (auth, key_number)) in self.events.iter().enumerate() {
            let auth: Vec<_> = self.numbers(auth.iter().copied()).into_iter().collect();
            held.push(
                chains.add(&mut batch, ROOM, self.number(event), &key(*key_number), &auth).await.unwrap(),
            );
            // The last ones stay in flight.
            if event % 7 == 6 {
                db.commit(std::mem::replace(&mut batch, Batch::durable())).await.unwrap();
                held.clear();
            }
        }
        // Held for as long as the test's runtime.
        held.into_iter().for_each(std::mem::forget);
    }
}

/// Random graphs: each event cites some of those shortly before it, or of all before it.
fn graph(size: std::ops::Range<usize>) -> impl Strategy<Value = Graph> {
    let event = (vec((any::<Index>(), any::<bool>()), 0..5), 0usize..12);
    vec(event, size).prop_map(|events| {
        let resolve = |(event, (auth, key)): (usize, (Vec<(Index, bool)>, usize))| {
            let pick = |(index, near): (Index, bool)| {
                let from = if near { event.saturating_sub(4) } else { 0 };
                (event > 0).then(|| from + index.index(event - from))
            };
            let auth: BTreeSet<_> = auth.into_iter().filter_map(pick).collect();
            (auth.into_iter().collect(), key)
        };
        Graph { events: events.into_iter().enumerate().map(resolve).collect() }
    })
}

/// States over the graph: what all have, and what each has instead.
fn states() -> impl Strategy<Value = (Graph, Vec<BTreeMap<usize, usize>>)> {
    let change = prop_oneof![4 => any::<Index>().prop_map(Some), 1 => Just(None)];
    let forks = vec(btree_map(0usize..12, change, 0..5), 2..5);
    (graph(5..80), btree_map(0usize..12, any::<Index>(), 0..12), forks).prop_map(|(graph, base, forks)| {
        // An event belongs to the key it was made for, so pick among those.
        let pick = |key: usize, index: Index| {
            let of_key: Vec<_> =
                (0..graph.events.len()).filter(|event| graph.events[*event].1 == key).collect();
            (!of_key.is_empty()).then(|| *index.get(&of_key))
        };
        let base: BTreeMap<_, _> =
            base.into_iter().filter_map(|(key, index)| Some((key, pick(key, index)?))).collect();
        let states = forks.into_iter().map(|changes| {
            let mut state = base.clone();
            for (key, change) in changes {
                match change.and_then(|index| pick(key, index)) {
                    Some(event) => state.insert(key, event),
                    None => state.remove(&key),
                };
            }
            state
        });
        let states = states.collect();
        (graph, states)
    })
}

#[derive(Default)]
struct Alike(BTreeMap<KeyHash, EventNumber>);

impl Unconflicted for Alike {
    async fn at(&self, keys: &[KeyHash]) -> Result<Vec<Option<EventNumber>>, StateError> {
        Ok(keys.iter().map(|key| self.0.get(key).copied()).collect())
    }
}

fn alike(graph: &Graph, states: &[BTreeMap<usize, usize>]) -> BTreeSet<usize> {
    let first = states.first().cloned().unwrap_or_default();
    let everywhere = |(key, event): &(usize, usize)| states.iter().all(|state| state.get(key) == Some(event));
    assert!(first.values().all(|event| *event < graph.events.len()));
    first.into_iter().filter(everywhere).map(|(_, event)| event).collect()
}

fn run(test: impl Future<Output = Result<(), TestCaseError>>) -> Result<(), TestCaseError> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn the_difference_is_what_not_all_chains_have((graph, states) in states()) {
        run(async {
            let db = memory();
            let chains = Chains::new(&db, &secret(), 0);
            graph.add_all(&db, &chains).await;
            let alike = alike(&graph, &states);
            let entry = |event: &usize| (secret().key_hash(&key(graph.events[*event].1)), graph.number(*event));
            let unconflicted = Alike(alike.iter().map(entry).collect());
            let conflicted: Vec<Vec<_>> = states
                .iter()
                .map(|state| state.values().filter(|event| !alike.contains(event)).map(|event| graph.number(*event)).collect())
                .collect();

            let per_state: Vec<_> = states.iter().map(|state| graph.chain(state.values().copied())).collect();
            let some: BTreeSet<_> = per_state.iter().flatten().copied().collect();
            let expected = some.into_iter().filter(|event| !per_state.iter().all(|chain| chain.contains(event)));
            let found = chains.difference(ROOM, &conflicted, &unconflicted).await.unwrap();
            prop_assert_eq!(found, graph.numbers(expected));
            Ok(())
        })?;
    }

    #[test]
    fn the_subgraph_is_what_lies_between(graph in graph(5..120), ends in vec(any::<Index>(), 1..6)) {
        run(async {
            let db = memory();
            let chains = Chains::new(&db, &secret(), 1 << 16);
            graph.add_all(&db, &chains).await;
            let ends: BTreeSet<_> = ends.iter().map(|index| index.index(graph.events.len())).collect();
            let below = graph.chain(ends.iter().copied());
            let leads_back = |event: &usize| graph.chain([*event]).iter().any(|auth| ends.contains(auth));
            let between = below.into_iter().filter(leads_back).chain(ends.iter().copied());
            let found = chains.conflicted_subgraph(ROOM, &graph.numbers(ends.iter().copied())).await.unwrap();
            prop_assert_eq!(found, graph.numbers(between));
            Ok(())
        })?;
    }

    #[test]
    fn walks_meet_the_whole_chain_once(graph in graph(1..80), start in vec(any::<Index>(), 0..6), limit in 1usize..30) {
        run(async {
            let db = memory();
            let chains = Chains::new(&db, &secret(), 1 << 16);
            graph.add_all(&db, &chains).await;
            let start: BTreeSet<_> = start.iter().map(|index| index.index(graph.events.len())).collect();
            let numbers: Vec<_> = graph.numbers(start.iter().copied()).into_iter().collect();
            let chain = graph.chain(start);
            let mut walk = chains.walk(ROOM);
            walk.start_from(&numbers);
            let mut met = Vec::new();
            loop {
                let page = walk.next_page(limit).await.unwrap();
                if page.is_empty() {
                    break;
                }
                met.extend(page);
            }
            met.sort_unstable();
            prop_assert!(met.iter().copied().eq(graph.numbers(chain.iter().copied())));
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn the_index_is_kept_in_rocksdb() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(Options::new(folder.path(), KEYSPACES.to_vec()), &Random::seeded(1)).unwrap();
    let graph = Graph { events: (0..70).map(|n| ((n.max(3) - 3..n).collect(), n)).collect() };
    graph.add_all(&db, &Chains::new(&db, &secret(), 0)).await;
    let chains = Chains::new(&db, &secret(), 0);
    let mut walk = chains.walk(ROOM);
    walk.start_from(&[graph.number(69)]);
    assert_eq!(walk.next_page(100).await.unwrap().len(), 69);
    let forks = [vec![graph.number(60)], vec![graph.number(55)]];
    let found = chains.difference(ROOM, &forks, &Alike::default()).await.unwrap();
    assert_eq!(found, graph.numbers(55..60));
}
