//! Positions: filled in, rising, never used twice; the identity that goes with them.

use plop_db::{Batch, Direction, KeyRange, Position};

use crate::bed::{Arrivals, Bed, Counts};
use crate::on_every_engine;

on_every_engine!(
    pending_positions_are_filled_into_keys_and_values,
    positions_are_not_used_again_after_a_restart,
    the_identity_stays,
    an_empty_batch_takes_a_position,
);

async fn pending_positions_are_filled_into_keys_and_values(bed: Bed) {
    let db = bed.open().await;
    let mut expected = Vec::new();
    for round in 0..3 {
        let mut batch = Batch::durable();
        for index in 0..3 {
            let value = (Position::pending(index), format!("{round}.{index}"));
            batch.append::<Arrivals>(&1, &(1, Position::pending(index)), &value);
        }
        let committed = db.commit(batch).await.unwrap();
        expected.extend((0..3).map(|index| (committed.position_at(index), format!("{round}.{index}"))));
    }
    let rows =
        db.snapshot().scan::<Arrivals>(KeyRange::prefix(&1u64), Direction::Forward, 99).await.unwrap().rows;
    let found: Vec<_> = rows.iter().map(|(_, value)| value.clone()).collect();
    assert_eq!(found, expected, "in the order of commits and indexes");
    assert!(rows.iter().all(|((_, position), (same, _))| position == same && *position <= db.published()));
    let newer = KeyRange::prefix(&1u64).after(&(1u64, expected[4].0));
    let tail = db.snapshot().scan::<Arrivals>(newer, Direction::Forward, 99).await.unwrap().rows;
    assert_eq!(tail.len(), 4);
}

async fn positions_are_not_used_again_after_a_restart(bed: Bed) {
    let mut db = bed.open().await;
    let mut last = Position::START;
    for _ in 0..3 {
        assert!(db.published() >= last);
        let mut batch = Batch::relaxed();
        batch.add::<Counts>(&1, 1);
        let committed = db.commit(batch).await.unwrap();
        assert!(committed.position > last);
        last = db.published();
        if let Bed::Memory(disk) = &bed {
            // Relaxed and lost; what it was given must still not come again.
            drop(db);
            tokio::task::yield_now().await;
            disk.lose_unsynced();
            db = bed.open().await;
        } else {
            db = bed.reopen(db).await;
        }
    }
}

async fn the_identity_stays(bed: Bed) {
    let db = bed.open().await;
    let identity = db.identity();
    assert_ne!(identity.database_id, [0; 16]);
    let db = bed.reopen(db).await;
    assert_eq!(db.identity(), identity);
}

async fn an_empty_batch_takes_a_position(bed: Bed) {
    let db = bed.open().await;
    let first = db.commit(Batch::durable()).await.unwrap();
    let second = db.commit(Batch::relaxed()).await.unwrap();
    assert!(first.position < second.position);
    assert!(second.position <= db.published());
}
