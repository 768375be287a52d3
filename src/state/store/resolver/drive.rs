//! The rounds of a resolution: differences, conflict, load what is missing, run, again.

use std::collections::{BTreeMap, BTreeSet};

use plop_base::BlockingPool;
use plop_db::Snapshot;
use plop_state::resolve::{Conflict, Missing, Resolution, Unresolved, resolve};
use plop_state::{Rules, StateKey};
use ruma::OwnedEventId;

use super::loaded::{EventLoader, Loaded};
use crate::chains::{Chains, Unconflicted};
use crate::error::StateError;
use crate::numbers::{EventNumber, Grove};
use crate::secret::KeyHash;
use crate::tree::{Root, Tree};

/// A resolution of more events than this runs on the blocking pool.
const EVENTS_IN_PLACE: usize = 256;

/// How many events of a chain of power levels are loaded ahead in the first round that follows it.
const FIRST_AHEAD: usize = 8;

/// How many of these run at a time; others wait.
const LONG_AT_A_TIME: usize = 2;

/// Resolves forks of rooms. Clones share the store.
#[derive(Clone)]
pub struct Resolver {
    tree: Tree,
    chains: Chains,
    long: BlockingPool,
}

/// What forks resolve to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The fork that the changes are relative to: the first one.
    pub base: Root,
    /// What to change in it, sorted by key. `None`: the key leaves the state. For power levels or join rules that is how room versions
    /// before 12 lose their settings (MSC4297), worth counting.
    pub changes: Vec<(StateKey, Option<EventNumber>)>,
}

/// The keys that forks hold differently: for each the event of each fork.
type Differences = BTreeMap<KeyHash, Vec<Option<EventNumber>>>;

impl Resolver {
    pub fn new(tree: Tree, chains: Chains) -> Resolver {
        Resolver { tree, chains, long: BlockingPool::new(LONG_AT_A_TIME) }
    }

    /// The state that the states of several forks resolve to (rooms/v1, rooms/v2, rooms/v12, "State resolution"). `roots` must not be empty.
    pub async fn resolve<L: EventLoader>(
        &self,
        snapshot: &Snapshot,
        grove: Grove,
        rules: &'static Rules,
        roots: &[Root],
        events: &L,
    ) -> Result<Resolved, L::Error> {
        let base = roots.first().copied().unwrap_or(Root::EMPTY);
        let others: BTreeSet<_> = roots.iter().copied().filter(|root| *root != base).collect();
        if others.is_empty() {
            return Ok(Resolved { base, changes: Vec::new() });
        }
        let run = Run { resolver: self, snapshot, grove, rules, base, events };
        let differences = run.differences(&others).await?;
        let mut loaded = Loaded::default();
        let conflict = run.conflict(&differences, &mut loaded).await?;
        let (resolution, loaded) = run.rounds(conflict, loaded).await?;
        Ok(Resolved { base, changes: run.changes(&differences, &resolution, &loaded)? })
    }
}

/// One resolution.
struct Run<'a, L> {
    resolver: &'a Resolver,
    snapshot: &'a Snapshot,
    grove: Grove,
    rules: &'static Rules,
    base: Root,
    events: &'a L,
}

impl<L: EventLoader> Run<'_, L> {
    async fn differences(&self, others: &BTreeSet<Root>) -> Result<Differences, StateError> {
        let mut differences = Differences::new();
        for (fork, root) in (1..).zip(others) {
            for found in self.resolver.tree.diff(self.snapshot, self.grove, self.base, *root).await? {
                let held =
                    differences.entry(found.key).or_insert_with(|| vec![found.before; others.len() + 1]);
                if let Some(held) = held.get_mut(fork) {
                    *held = found.after;
                }
            }
        }
        Ok(differences)
    }

    /// What the algorithm is given. Afterwards every event of it is loaded.
    async fn conflict(&self, differences: &Differences, loaded: &mut Loaded) -> Result<Conflict, L::Error> {
        let numbers: BTreeSet<_> = differences.values().flatten().flatten().copied().collect();
        self.load(loaded, numbers.iter().copied()).await?;
        let mut conflict = Conflict::default();
        for number in &numbers {
            let event = loaded.by_number(*number).map(|loaded| &loaded.event);
            let entry = event.and_then(|event| Some((event.as_state()?, event.event_id_owned().clone())));
            let (key, id) =
                entry.ok_or(StateError::MissingEvent { room: self.grove.room, event: *number })?;
            conflict.keys.entry(key).or_default().insert(id);
        }
        if let Some(v2) = self.rules.spec.state_res.v2_rules() {
            let (chains, room) = (&self.resolver.chains, self.grove.room);
            let difference =
                chains.difference(room, &per_fork(differences), &Alike { run: self, differences }).await?;
            conflict.auth_difference = self.load(loaded, difference).await?;
            if v2.consider_conflicted_state_subgraph {
                let subgraph = chains.conflicted_subgraph(room, &numbers).await?;
                conflict.subgraph = self.load(loaded, subgraph).await?;
            }
        }
        Ok(conflict)
    }

    /// Runs the algorithm until nothing is missing.
    async fn rounds(&self, conflict: Conflict, loaded: Loaded) -> Result<(Resolution, Loaded), L::Error> {
        let (mut conflict, mut loaded) = (conflict, loaded);
        let mut ahead = FIRST_AHEAD;
        loop {
            let outcome;
            (conflict, loaded, outcome) = run(&self.resolver.long, conflict, loaded, self.rules).await?;
            match outcome {
                Ok(resolution) => return Ok((resolution, loaded)),
                Err(Unresolved::Absent(event)) => {
                    return Err(StateError::MissingEventId { room: self.grove.room, event }.into());
                }
                Err(Unresolved::Missing(missing)) => {
                    self.load_missing(&mut loaded, missing, ahead).await?;
                    ahead = ahead.saturating_mul(2);
                }
            }
        }
    }

    async fn load_missing(
        &self,
        loaded: &mut Loaded,
        missing: Missing,
        ahead: usize,
    ) -> Result<(), L::Error> {
        let (tree, chains, room) = (&self.resolver.tree, &self.resolver.chains, self.grove.room);
        let ids: Vec<_> = missing.events.into_iter().collect();
        for (id, event) in ids.iter().zip(self.events.by_id(room, &ids).await?) {
            match event {
                Some(event) => loaded.insert(event),
                None => loaded.insert_absent(id.clone()),
            }
        }
        let keys: Vec<_> = missing.keys.into_iter().collect();
        let held = tree.get_many(self.snapshot, self.grove, self.base, &keys).await?;
        self.load(loaded, held.iter().flatten().copied()).await?;
        for (key, number) in keys.into_iter().zip(held) {
            loaded.insert_unconflicted(key, number);
        }
        let mut line = BTreeSet::new();
        for number in missing.chains.iter().filter_map(|id| loaded.by_id(id)).map(|event| event.number) {
            line.extend(chains.line(room, number, ahead).await?);
        }
        self.load(loaded, line).await?;
        Ok(())
    }

    /// Loads events that must exist, and gives their ids.
    async fn load(
        &self,
        loaded: &mut Loaded,
        numbers: impl IntoIterator<Item = EventNumber>,
    ) -> Result<BTreeSet<OwnedEventId>, L::Error> {
        let room = self.grove.room;
        let numbers: Vec<_> = numbers.into_iter().collect();
        let new: Vec<_> = numbers.iter().copied().filter(|number| !loaded.has(*number)).collect();
        for (number, event) in new.iter().zip(self.events.by_number(room, &new).await?) {
            loaded.insert(event.ok_or(StateError::MissingEvent { room, event: *number })?);
        }
        Ok(numbers.into_iter().filter_map(|number| loaded.id_of(number).cloned()).collect())
    }

    /// The outcome against the base.
    fn changes(
        &self,
        differences: &Differences,
        resolution: &Resolution,
        loaded: &Loaded,
    ) -> Result<Vec<(StateKey, Option<EventNumber>)>, StateError> {
        let mut changes = Vec::new();
        for (key, event) in &resolution.keys {
            let number = match event {
                None => None,
                Some(id) => {
                    let absent = || StateError::MissingEventId { room: self.grove.room, event: id.clone() };
                    Some(loaded.by_id(id).ok_or_else(absent)?.number)
                }
            };
            // A key outside the conflict is one that no fork has.
            let held = differences.get(&self.resolver.tree.key_hash(key));
            let before = held.and_then(|forks| forks.first().copied().flatten());
            if before != number {
                changes.push((key.clone(), number));
            }
        }
        Ok(changes)
    }
}

/// The conflicted events of each fork.
fn per_fork(differences: &Differences) -> Vec<Vec<EventNumber>> {
    let forks = differences.values().map(Vec::len).max().unwrap_or(0);
    (0..forks).map(|fork| differences.values().filter_map(|held| *held.get(fork)?).collect()).collect()
}

/// What the forks hold alike: what the base has under the other keys.
struct Alike<'a, L> {
    run: &'a Run<'a, L>,
    differences: &'a Differences,
}

impl<L: EventLoader> Unconflicted for Alike<'_, L> {
    async fn at(&self, keys: &[KeyHash]) -> Result<Vec<Option<EventNumber>>, StateError> {
        let Run { resolver, snapshot, grove, base, .. } = *self.run;
        let mut held = resolver.tree.get_by_hash(snapshot, grove, base, keys).await?;
        for (key, held) in keys.iter().zip(&mut held) {
            *held = held.filter(|_| !self.differences.contains_key(key));
        }
        Ok(held)
    }
}

/// One run of the algorithm, away from the runtime's threads if it may be long.
async fn run(
    long: &BlockingPool,
    conflict: Conflict,
    loaded: Loaded,
    rules: &'static Rules,
) -> Result<(Conflict, Loaded, Result<Resolution, Unresolved>), StateError> {
    let events: usize = conflict.keys.values().map(BTreeSet::len).sum();
    let events = events + conflict.auth_difference.len() + conflict.subgraph.len();
    let run = move || {
        let outcome = resolve(&conflict, rules, &loaded);
        (conflict, loaded, outcome)
    };
    if events <= EVENTS_IN_PLACE {
        return Ok(run());
    }
    long.run(run).await.map_err(|_| StateError::Stopping)
}
