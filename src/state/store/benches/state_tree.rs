//! The measures of the state store (DESIGN, section 3): a state of 100,000 events, what one more costs on disk, looking up, comparing; and
//! two forks of a room of 85,000 state events that differ in 100 keys, resolved. On RocksDB, with the nodes in the cache.

#![expect(clippy::disallowed_macros, reason = "a bench reports what it counted")]

use std::cell::Cell;
use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use plop_base::Random;
use plop_db::{Batch, Db, Options, backup};
use plop_state::StateKey;
use plop_state_store::tree::Root;
use plop_state_store::{CacheBytes, EventNumber, KEYSPACES, StateStore};
use ruma::RoomVersionId;
use serde_json::json;
use tokio::runtime::Runtime;

#[path = "../fixtures.rs"]
mod fixtures;

use fixtures::{GROVE, Room, State, store_state};

const STATE_EVENTS: u64 = 100_000;
const MEMBERS: usize = 85_000;
const MORE: u64 = 10_000;
const CACHE: CacheBytes = CacheBytes { nodes: 64 << 20, links: 16 << 20 };

fn key(number: u64) -> StateKey {
    StateKey::member(&format!("@user-{number}:plop.test"))
}

fn open(runtime: &Runtime, folder: &Path) -> (Db, StateStore) {
    let db = Db::open(Options::new(folder, KEYSPACES.to_vec()), &Random::seeded(1)).expect("a database");
    let store = runtime.block_on(StateStore::open(&db, &Random::seeded(1), CACHE)).expect("a store");
    (db, store)
}

/// Bytes of the tables that a backup of the database has: what is on disk, without the log.
async fn bytes_on_disk(db: &Db) -> u64 {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("backup");
    backup(db, &target).await.expect("a backup");
    let (mut folders, mut bytes) = (vec![target], 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
            let (path, metadata) = (entry.path(), entry.metadata().expect("its metadata"));
            if metadata.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "sst") {
                bytes += metadata.len();
            }
        }
    }
    bytes
}

/// Replaces one random entry after the other, each in a state of its own as the room's writer does it.
async fn add_events(db: &Db, store: &StateStore, root: Root, random: &Random) -> Root {
    let (mut root, mut put, before) = (root, 0, bytes_on_disk(db).await);
    for event in 0..MORE {
        let change = [(key(random.below(STATE_EVENTS)), Some(EventNumber(STATE_EVENTS + event)))];
        let mut batch = Batch::relaxed();
        let updated = store.tree.update(&db.snapshot(), &mut batch, GROVE, root, &change).await;
        root = updated.expect("all nodes are there").0;
        put += batch.size();
        db.commit(batch).await.expect("committed");
    }
    let disk = bytes_on_disk(db).await - before;
    println!(
        "one more state event of {STATE_EVENTS}: {} bytes put, {} bytes of tables on disk",
        put as u64 / MORE,
        disk / MORE
    );
    root
}

fn tree(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let (db, store) = open(&runtime, folder.path());
    let random = Random::seeded(3);
    let state: State = (0..STATE_EVENTS).map(|number| (key(number), EventNumber(number))).collect();
    let root = runtime.block_on(store_state(&db, &store, (Root::EMPTY, &State::new()), &state));
    println!("a state of {STATE_EVENTS}: {} bytes of tables on disk", runtime.block_on(bytes_on_disk(&db)));
    let root = runtime.block_on(add_events(&db, &store, root, &random));

    let mut group = c.benchmark_group("state_of_100000");
    let snapshot = db.snapshot();
    let keys: Vec<_> = (0..1_000).map(|_| key(random.below(STATE_EVENTS))).collect();
    let next = Cell::new(0);
    let any_key = || &keys[next.replace((next.get() + 1) % keys.len())];
    group.bench_function("get", |b| {
        b.to_async(&runtime)
            .iter(|| async { store.tree.get(&snapshot, GROVE, root, any_key()).await.expect("read") });
    });
    let no_cache = CacheBytes { nodes: 0, ..CACHE };
    let uncached = runtime.block_on(StateStore::open(&db, &Random::seeded(1), no_cache)).expect("a store");
    group.bench_function("get_without_cached_nodes", |b| {
        let get = || uncached.tree.get(&snapshot, GROVE, root, any_key());
        b.to_async(&runtime).iter(|| async { get().await.expect("read") });
    });
    group.bench_function("update_1", |b| {
        b.to_async(&runtime).iter(|| async {
            let change = [(any_key().clone(), Some(EventNumber(black_box(7))))];
            let mut batch = Batch::relaxed();
            store.tree.update(&snapshot, &mut batch, GROVE, root, &change).await.expect("read").0
        });
    });
    let changes: Vec<_> = keys.iter().take(10).map(|key| (key.clone(), Some(EventNumber(1 << 30)))).collect();
    let mut batch = Batch::relaxed();
    let other =
        runtime.block_on(store.tree.update(&snapshot, &mut batch, GROVE, root, &changes)).expect("read");
    group.bench_function("diff_10", |b| {
        b.to_async(&runtime).iter(|| async {
            let found = store.tree.diff(&snapshot, GROVE, root, other.0).await.expect("read");
            assert_eq!(found.len(), 10);
        });
    });
    group.bench_function("scan_1000", |b| {
        b.to_async(&runtime).iter(|| store.tree.scan(&snapshot, GROVE, root, None, 1_000));
    });
    group.finish();
}

/// 100 conflicted keys: power levels and state on both sides, bans, kicks, joins and leaves on one of them each.
fn diverge(room: &mut Room, state: &State) -> [State; 2] {
    [0, 1].map(|side| {
        let mut state = state.clone();
        let levels = json!({ "users": { fixtures::user(1): 50 + side } });
        room.send(&mut state, 0, "m.room.power_levels", "", levels);
        for number in 0..54 {
            let of = 1_000 + side * 100 + number;
            match number % 6 {
                0 => room.member(&mut state, 0, of, "ban"),
                1 => room.member(&mut state, 0, of, "leave"),
                2 => room.member(&mut state, of, of, "leave"),
                3 => room.member(&mut state, of, of, "join"),
                4 => room.member(&mut state, MEMBERS + of, MEMBERS + of, "join"),
                _ => room.send(&mut state, 0, "m.space.child", &number.to_string(), json!({ "order": side })),
            };
        }
        state
    })
}

fn resolution(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = c.benchmark_group("resolve_two_forks_of_85000_with_100_conflicts");
    for version in [RoomVersionId::V1, RoomVersionId::V11, RoomVersionId::V12] {
        let folder = tempfile::tempdir().expect("a folder");
        let (db, store) = open(&runtime, folder.path());
        let (mut room, mut state) = Room::new(&version);
        for number in 1..MEMBERS {
            room.member(&mut state, number, number, "join");
        }
        let forks = diverge(&mut room, &state);
        let chains = runtime.block_on(room.store_chains(&db, &store));
        let base = runtime.block_on(store_state(&db, &store, (Root::EMPTY, &State::new()), &state));
        let roots = forks.map(|fork| runtime.block_on(store_state(&db, &store, (base, &state), &fork)));
        let snapshot = db.snapshot();
        let conflicts =
            runtime.block_on(store.tree.diff(&snapshot, GROVE, roots[0], roots[1])).expect("read").len();
        let (events, puts) = (room.events.len(), chains / room.events.len());
        println!(
            "room version {version}: {events} events, {puts} bytes put for each in the auth index, {conflicts} conflicted keys"
        );
        group.bench_function(version.as_str(), |b| {
            b.to_async(&runtime).iter(|| async {
                let resolver = &store.resolver;
                resolver.resolve(&snapshot, GROVE, room.rules, &roots, &room).await.expect("resolved")
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = tree, resolution
}
criterion_main!(benches);
