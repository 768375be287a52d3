//! Graphs made to hurt. See the catalogue of hostile input, B3.

use super::*;

async fn add(db: &Db, chains: &Chains, events: impl Iterator<Item = (u64, Vec<u64>)>) -> (usize, usize) {
    let (mut largest, mut all) = (0, 0);
    let (mut batch, mut held, mut before) = (Batch::relaxed(), Vec::new(), 0);
    for (event, auth) in events {
        let auth: Vec<_> = auth.into_iter().map(EventNumber).collect();
        held.push(
            chains.add(&mut batch, ROOM, EventNumber(event), &key(event as usize), &auth).await.unwrap(),
        );
        largest = largest.max(batch.size() - before);
        before = batch.size();
        if batch.size() > 500_000 {
            all += std::mem::take(&mut before);
            let held = std::mem::take(&mut held);
            db.submit(std::mem::replace(&mut batch, Batch::relaxed()), move |_| drop(held))
                .await
                .unwrap()
                .await
                .unwrap();
        }
    }
    all += batch.size();
    db.submit(batch, move |_| drop(held)).await.unwrap().await.unwrap();
    (largest, all)
}

/// Breadth 10, depth 1,000, every event citing the whole layer before it: in an index of links between chains each event adds a link to
/// every chain.
#[tokio::test]
async fn b3_43_what_an_event_adds_does_not_depend_on_the_graph() {
    let (db, events) = (memory(), 10_000u64);
    let chains = Chains::new(&db, &secret(), 8 << 20);
    let layers = (0..events).map(|event| (event, (event / 10 * 10).saturating_sub(10)..event / 10 * 10));
    let (largest, all) = add(&db, &chains, layers.map(|(event, auth)| (event, auth.collect()))).await;
    // Such an event is at least ten event ids of 44 bytes, a signature and two hashes: above 800 bytes.
    assert!(largest < 800, "{largest}");
    assert!(all < events as usize * 800, "{all}");
}

/// A long chain and wide layers are walked without recursion, each event once.
#[tokio::test]
async fn b3_44_long_chains_are_walked() {
    let db = memory();
    let chains = Chains::new(&db, &secret(), 1 << 20);
    let length = 50_000u64;
    add(&db, &chains, (0..length).map(|event| (event, Vec::from_iter(event.checked_sub(1))))).await;
    let newest = EventNumber(length - 1);
    let mut walk = chains.walk(ROOM);
    walk.start_from(&[newest]);
    assert_eq!(walk.next_page(usize::MAX).await.unwrap().len() as u64, length - 1);
    // The whole chain is in one fork's and not in the other's.
    let forks = [vec![newest], vec![]];
    let difference = chains.difference(ROOM, &forks, &Alike::default()).await.unwrap();
    assert_eq!(difference.len() as u64, length - 1);
    let between = chains.conflicted_subgraph(ROOM, &[newest, EventNumber(0)].into()).await.unwrap();
    assert_eq!(between.len() as u64, length);
}

/// A cycle, possible where ids are chosen, never gets in.
#[tokio::test]
async fn b3_44_cycles_stay_outside() {
    let db = memory();
    let chains = Chains::new(&db, &secret(), 0);
    let (a, b) = (EventNumber(1), EventNumber(2));
    let mut batch = Batch::durable();
    for (event, auth) in [(a, b), (b, a), (a, a)] {
        let refused = chains.add(&mut batch, ROOM, event, &key(0), &[auth]).await;
        assert!(matches!(refused, Err(StateError::Incomplete { event, .. }) if event == auth));
    }
    assert!(batch.is_empty());
}

/// An event whose chain has a hole is not in the index, so no chain is ever cut short; it gets in once the hole is filled.
#[tokio::test]
async fn b3_45_an_incomplete_chain_is_not_stored() {
    let db = memory();
    let chains = Chains::new(&db, &secret(), 0);
    let [create, missing, late] = [1, 2, 3].map(EventNumber);
    let mut batch = Batch::durable();
    let _create = chains.add(&mut batch, ROOM, create, &key(0), &[]).await.unwrap();
    let refused = chains.add(&mut batch, ROOM, late, &key(2), &[create, missing]).await;
    assert!(matches!(refused, Err(StateError::Incomplete { event, .. }) if event == missing));
    assert!(matches!(chain_of(&chains, late).await, Err(StateError::Incomplete { .. })));
    let forks = [vec![late], vec![create]];
    let difference = chains.difference(ROOM, &forks, &Alike::default()).await;
    assert!(matches!(difference, Err(StateError::Incomplete { .. })));

    let _missing = chains.add(&mut batch, ROOM, missing, &key(1), &[create]).await.unwrap();
    let _late = chains.add(&mut batch, ROOM, late, &key(2), &[create, missing]).await.unwrap();
    assert_eq!(chain_of(&chains, late).await.unwrap(), [create, missing].into());
}

/// A fork that stopped long ago costs what is different, not what the room has become since.
#[tokio::test]
async fn resolution_does_not_walk_whole_chains() {
    let db = memory();
    let chains = Chains::new(&db, &secret(), 0);
    // 20,000 power levels (even), each followed by a member (odd) that cites it.
    let (mut batch, mut held) = (Batch::relaxed(), Vec::new());
    for event in 0..40_000u64 {
        let auth = Vec::from_iter(
            if event % 2 == 1 { Some(event - 1) } else { event.checked_sub(2) }.map(EventNumber),
        );
        let key = if event % 2 == 1 { key(event as usize) } else { StateKey::power_levels() };
        held.push(chains.add(&mut batch, ROOM, EventNumber(event), &key, &auth).await.unwrap());
    }
    db.submit(batch, move |_| drop(held)).await.unwrap().await.unwrap();
    let now = (secret().key_hash(&StateKey::power_levels()), EventNumber(39_998));
    let alike = Counting { alike: Alike([now].into()), asked: Default::default() };
    let forks = [vec![EventNumber(20_001)], vec![]];
    assert_eq!(chains.difference(ROOM, &forks, &alike).await.unwrap(), BTreeSet::new());
    let asked = alike.asked.into_inner();
    assert!(asked <= 10, "{asked}");
}

struct Counting {
    alike: Alike,
    asked: std::sync::atomic::AtomicUsize,
}

impl Unconflicted for Counting {
    async fn at(&self, keys: &[KeyHash]) -> Result<Vec<Option<EventNumber>>, StateError> {
        self.asked.fetch_add(keys.len(), std::sync::atomic::Ordering::Relaxed);
        self.alike.at(keys).await
    }
}
