//! What batches in flight hold, and what becomes of it; and rows that are damaged.

use super::*;
use crate::keyspaces::{AuthCitations, AuthLinks, AuthLinksRow};

const A: EventNumber = EventNumber(1);
const B: EventNumber = EventNumber(2);
const C: EventNumber = EventNumber(3);
const D: EventNumber = EventNumber(4);

#[tokio::test]
async fn events_in_flight_are_part_of_the_graph() {
    let db = memory();
    let chains = Chains::new(&db, &secret(), 1 << 16);
    let mut batch = Batch::durable();
    let a = chains.add(&mut batch, ROOM, A, &key(0), &[]).await.unwrap();
    let b = chains.add(&mut batch, ROOM, B, &key(1), &[A]).await.unwrap();
    let alike = Alike([(secret().key_hash(&key(1)), B)].into());
    let one_sided = [vec![B], vec![]];
    assert_eq!(chains.difference(ROOM, &one_sided, &alike).await.unwrap(), BTreeSet::new());
    assert_eq!(chains.difference(ROOM, &one_sided, &Alike::default()).await.unwrap(), [A].into());

    db.submit(batch, move |_| drop((a, b))).await.unwrap().await.unwrap();
    assert_eq!(chains.difference(ROOM, &one_sided, &alike).await.unwrap(), BTreeSet::new());
    assert_eq!(chain_of(&chains, B).await.unwrap(), [A].into());
}

#[tokio::test]
async fn what_a_refused_batch_held_is_forgotten() {
    let db = memory();
    let chains = Chains::new(&db, &secret(), 1 << 16);
    let mut kept = Batch::durable();
    let a = chains.add(&mut kept, ROOM, A, &key(0), &[]).await.unwrap();
    let b = chains.add(&mut kept, ROOM, B, &key(1), &[]).await.unwrap();
    let d = chains.add(&mut kept, ROOM, D, &key(4), &[A]).await.unwrap();
    db.submit(kept, move |_| drop((a, b, d))).await.unwrap().await.unwrap();

    let mut refused = Batch::durable();
    let refused_c = chains.add(&mut refused, ROOM, C, &key(2), &[A]).await.unwrap();
    assert_eq!(chain_of(&chains, C).await.unwrap(), [A].into());
    // The number is given to another event before the refused batch is gone.
    let mut second = Batch::durable();
    let c = chains.add(&mut second, ROOM, C, &key(3), &[B]).await.unwrap();
    let check = async || {
        assert_eq!(chain_of(&chains, C).await.unwrap(), [B].into());
        let forks = [vec![C], vec![]];
        assert_eq!(chains.difference(ROOM, &forks, &Alike::default()).await.unwrap(), [B].into());
        // The refused event would lead from an unconflicted one to A.
        let alike = Alike([(secret().key_hash(&key(3)), C)].into());
        assert_eq!(chains.difference(ROOM, &[vec![D], vec![]], &alike).await.unwrap(), [A].into());
        assert_eq!(chains.conflicted_subgraph(ROOM, &[A, B].into()).await.unwrap(), [A, B].into());
    };
    check().await;
    drop((refused, refused_c));
    check().await;
    db.submit(second, move |_| drop(c)).await.unwrap().await.unwrap();
    check().await;
}

#[tokio::test]
async fn rooms_share_nothing() {
    let db = memory();
    let chains = Chains::new(&db, &secret(), 0);
    let mut batch = Batch::durable();
    drop(chains.add(&mut batch, ROOM, A, &key(0), &[]).await.unwrap());
    db.commit(batch).await.unwrap();
    assert_eq!(chain_of(&chains, A).await.unwrap(), BTreeSet::new());
    let mut walk = chains.walk(RoomNumber(4));
    walk.start_from(&[A]);
    assert!(matches!(walk.next_page(1).await, Err(StateError::Incomplete { .. })));
}

/// Damaged rows make wrong answers possible, not endless ones.
#[tokio::test]
async fn circles_on_disk_end() {
    let db = memory();
    let chains = Chains::new(&db, &secret(), 0);
    let mut batch = Batch::durable();
    for (event, other) in [(A, B), (B, A)] {
        let (key, auth) = (secret().key_hash(&key(0)), vec![other]);
        let (earlier, jump) = (Some(other), Some(other));
        let row = AuthLinksRow { auth_depth: 1, key, auth, length: 1 << 63, earlier, jump };
        batch.put::<AuthLinks>(&(ROOM, event), &row);
        batch.put::<AuthCitations>(&(ROOM, other, event), &());
    }
    db.commit(batch).await.unwrap();
    let mut batch = Batch::durable();
    let _d = chains.add(&mut batch, ROOM, D, &key(0), &[A]).await.unwrap();
    let alike = Alike([(secret().key_hash(&key(0)), A)].into());
    chains.difference(ROOM, &[vec![D], vec![B]], &alike).await.unwrap();
    chains.conflicted_subgraph(ROOM, &[A, B, D].into()).await.unwrap();
    assert!(chain_of(&chains, D).await.unwrap().contains(&A));
    assert_eq!(chains.line(ROOM, D, 10).await.unwrap().len(), 10);
}
