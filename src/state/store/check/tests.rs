//! The check finds what is missing or altered.

use plop_base::Random;
use plop_db::{Batch, Db};
use plop_state::StateKey;
use ruma::RoomVersionId;

use super::reference_checks;
use crate::fixtures::{GROVE, Room, State, store_state};
use crate::keyspaces::{AuthCitations, AuthLinks, AuthLinksRow, KEYSPACES, StateNodes};
use crate::numbers::EventNumber;
use crate::open::{CacheBytes, StateStore};
use crate::tree::Root;

/// A room of 43 members, sound.
async fn stored() -> (Db, Root) {
    let db = Db::memory(KEYSPACES.to_vec(), &Random::seeded(1)).unwrap();
    let cache = CacheBytes { nodes: 0, links: 0 };
    let store = StateStore::open(&db, &Random::seeded(2), cache).await.unwrap();
    let (mut room, mut state) = Room::new(&RoomVersionId::V11);
    for of in 1..43 {
        room.member(&mut state, of, of, "join");
    }
    room.store_chains(&db, &store).await;
    let root = store_state(&db, &store, (Root::EMPTY, &State::new()), &state).await;
    (db, root)
}

async fn problems_after(db: &Db, change: impl FnOnce(&mut Batch)) -> Vec<String> {
    let mut batch = Batch::durable();
    change(&mut batch);
    db.commit(batch).await.unwrap();
    let report = db.check(&reference_checks()).await;
    report.problems.into_iter().map(|problem| problem.place).collect()
}

#[tokio::test]
async fn a_sound_store_has_no_problems() {
    let (db, _) = stored().await;
    let key = (GROVE.room, EventNumber(1_000));
    let root = AuthLinksRow {
        auth_depth: 0,
        key: crate::secret::Secret::new(&[0; 32]).key_hash(&StateKey::create()),
        auth: Vec::new(),
        length: 0,
        earlier: None,
        jump: None,
    };
    assert!(problems_after(&db, |batch| batch.put::<AuthLinks>(&key, &root)).await.is_empty());
}

#[tokio::test]
async fn missing_and_altered_nodes_are_found() {
    let (db, root) = stored().await;
    let top = (GROVE.room, GROVE.generation, root.top().unwrap());
    let row = db.snapshot().get::<StateNodes>(&top).await.unwrap().unwrap();
    let crate::tree::node::Node::Inner(children) = &row.node else {
        panic!("43 entries are more than a leaf has")
    };
    let child = (GROVE.room, GROVE.generation, children.iter().flatten().copied().next().unwrap());
    assert_eq!(
        problems_after(&db, |batch| batch.delete::<StateNodes>(&child)).await,
        ["nodes of state trees"]
    );
    assert_eq!(
        problems_after(&db, |batch| batch.put::<StateNodes>(&child, &row)).await,
        ["nodes of state trees"]
    );
}

#[tokio::test]
async fn broken_chains_and_citations_are_found() {
    let (db, _) = stored().await;
    let citation = (GROVE.room, EventNumber(0), EventNumber(9));
    assert_eq!(problems_after(&db, |batch| batch.delete::<AuthCitations>(&citation)).await, ["auth chains"]);
    let (backwards, repaired) = ((GROVE.room, EventNumber(9), EventNumber(0)), citation);
    let problems = problems_after(&db, |batch| {
        batch.put::<AuthCitations>(&repaired, &());
        batch.put::<AuthCitations>(&backwards, &());
    });
    assert_eq!(problems.await, ["auth citations"]);
    // The last member: nobody cites it, it cites four others.
    let (db, _) = stored().await;
    let last = (GROVE.room, EventNumber(45));
    let problems = problems_after(&db, |batch| batch.delete::<AuthLinks>(&last)).await;
    assert_eq!(problems, ["auth citations"; 3]);
}
