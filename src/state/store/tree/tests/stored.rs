//! The tree over a database: both engines, batches in flight, a cache without room, damage.

use super::*;

const GROVE: Grove = Grove { room: RoomNumber(1), generation: Generation::FIRST };

fn memory() -> Db {
    Db::memory(KEYSPACES.to_vec(), &Random::seeded(1)).unwrap()
}

fn members(numbers: std::ops::Range<u64>) -> Vec<(StateKey, Option<EventNumber>)> {
    numbers.map(|n| (StateKey::member(&format!("@{n}:x")), Some(EventNumber(n)))).collect()
}

async fn commit_members(db: &Db, tree: &Tree, root: Root, numbers: std::ops::Range<u64>) -> Root {
    let mut batch = Batch::durable();
    let updated = tree.update(&db.snapshot(), &mut batch, GROVE, root, &members(numbers)).await.unwrap();
    db.commit(batch).await.unwrap();
    updated.0
}

async fn contents(db: &Db, tree: &Tree, grove: Grove, root: Root) -> Result<Vec<Entry>, StateError> {
    tree.scan(&db.snapshot(), grove, root, None, usize::MAX).await
}

async fn keeps_states(db: Db) {
    let tree = Tree::new(&db, &secret(), 1 << 20);
    let first = commit_members(&db, &tree, Root::EMPTY, 0..500).await;
    let second = commit_members(&db, &tree, first, 400..600).await;
    // Nothing in memory, and no room in the cache.
    let tree = Tree::new(&db, &secret(), 0);
    let snapshot = db.snapshot();
    let keys: Vec<_> = members(0..700).into_iter().map(|(key, _)| key).collect();
    let found = tree.get_many(&snapshot, GROVE, first, &keys).await.unwrap();
    assert!(found.into_iter().eq((0..700).map(|n| (n < 500).then_some(EventNumber(n)))));
    assert_eq!(tree.get(&snapshot, GROVE, second, &keys[599]).await.unwrap(), Some(EventNumber(599)));
    let difference = tree.diff(&snapshot, GROVE, first, second).await.unwrap();
    assert_eq!(difference.len(), 100);
    assert!(difference.iter().all(|d| d.before.is_none() && d.after >= Some(EventNumber(500))));
    assert_eq!(contents(&db, &tree, GROVE, second).await.unwrap().len(), 600);
}

#[tokio::test]
async fn states_are_kept_in_memory() {
    keeps_states(memory()).await;
}

#[tokio::test]
async fn states_are_kept_in_rocksdb() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(Options::new(folder.path(), KEYSPACES.to_vec()), &Random::seeded(1)).unwrap();
    keeps_states(db).await;
}

#[tokio::test]
async fn nodes_in_flight_are_readable_until_released() {
    let db = memory();
    let tree = Tree::new(&db, &secret(), 0);
    let snapshot = db.snapshot();
    let (mut first_batch, mut second_batch) = (Batch::durable(), Batch::durable());
    let (first, first_flight) =
        tree.update(&snapshot, &mut first_batch, GROVE, Root::EMPTY, &members(0..100)).await.unwrap();
    let (second, second_flight) =
        tree.update(&snapshot, &mut second_batch, GROVE, first, &members(90..120)).await.unwrap();
    assert_eq!(contents(&db, &tree, GROVE, second).await.unwrap().len(), 120);

    // The first is committed, and released as a batch does it; nothing else is.
    db.submit(first_batch, move |_| drop(first_flight)).await.unwrap().await.unwrap();
    assert_eq!(
        tree.scan(&snapshot, GROVE, second, None, 500).await.unwrap().len(),
        120,
        "also for an older snapshot"
    );
    assert_eq!(contents(&db, &tree, GROVE, first).await.unwrap().len(), 100);

    // The second is dropped.
    drop((second_batch, second_flight));
    assert!(matches!(contents(&db, &tree, GROVE, second).await, Err(StateError::MissingNode { .. })));
    assert_eq!(contents(&db, &tree, GROVE, first).await.unwrap().len(), 100);
}

#[tokio::test]
async fn a_node_that_two_batches_hold_is_released_with_the_second() {
    let db = memory();
    let tree = Tree::new(&db, &secret(), 0);
    let snapshot = db.snapshot();
    let mut batch = Batch::durable();
    let (root, one) = tree.update(&snapshot, &mut batch, GROVE, Root::EMPTY, &members(0..9)).await.unwrap();
    let (_, two) = tree.update(&snapshot, &mut batch, GROVE, Root::EMPTY, &members(0..9)).await.unwrap();
    drop(one);
    assert_eq!(contents(&db, &tree, GROVE, root).await.unwrap().len(), 9);
    drop(two);
    assert!(contents(&db, &tree, GROVE, root).await.is_err());
}

#[tokio::test]
async fn an_altered_node_is_refused() {
    let db = memory();
    let tree = Tree::new(&db, &secret(), 0);
    let root = commit_members(&db, &tree, Root::EMPTY, 0..3).await;
    let key = (GROVE.room, GROVE.generation, root.top().unwrap());
    let entry = Entry { key: tree.key_hash(&StateKey::create()), event: EventNumber(9) };
    let mut batch = Batch::durable();
    batch.put::<StateNodes>(&key, &NodeRow { node: Node::Leaf([entry].into()) });
    db.commit(batch).await.unwrap();
    assert!(matches!(contents(&db, &tree, GROVE, root).await, Err(StateError::AlteredNode { .. })));
}

#[tokio::test]
async fn a_large_state_is_built_in_slices() {
    let db = memory();
    let tree = Tree::new(&db, &secret(), 8 << 20);
    let changes = tree.changes(&members(0..5_000));
    let (mut root, mut bytes) = (Root::EMPTY, 0);
    for slice in changes.chunks(500) {
        let mut batch = Batch::relaxed();
        let updated = tree.update_by_hash(&db.snapshot(), &mut batch, GROVE, root, slice).await.unwrap();
        root = updated.0;
        bytes += batch.size();
        db.commit(batch).await.unwrap();
    }
    let mut at_once = Batch::relaxed();
    let whole =
        tree.update_by_hash(&db.snapshot(), &mut at_once, GROVE, Root::EMPTY, &changes).await.unwrap();
    assert_eq!(whole.0, root);
    assert!(bytes < at_once.size() * 5 / 4, "{bytes} against {}", at_once.size());
}
