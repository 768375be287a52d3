//! The limits of the strictest engine hold on every engine.

use plop_db::{Batch, CommitError, KeyRange, MAX_BATCH_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES, Part, Tail};

use crate::bed::{Bed, Bodies, Counts, Names, Stranger};
use crate::on_every_engine;

on_every_engine!(
    keys_are_limited,
    values_are_limited,
    batches_are_limited,
    strangers_are_refused,
    logs_are_limited
);

async fn keys_are_limited(bed: Bed) {
    let db = bed.open().await;
    // Two bytes of keyspace, one of the number zero, two that end the text.
    let longest = MAX_KEY_BYTES - 5;
    for (length, fits) in [(longest, true), (longest + 1, false)] {
        let key = (0, "k".repeat(length));
        let mut batches = [(); 4].map(|()| Batch::durable());
        batches[0].put::<Names>(&key, &String::new());
        batches[1].delete::<Names>(&key);
        batches[2].expect::<Names>(&key, Some(&String::new()));
        batches[3].delete_range::<Names>(KeyRange::all().from(&key));
        let [put, delete, expect, range] = batches;
        for batch in [put, expect, delete, range] {
            match db.commit(batch).await {
                Ok(_) => assert!(fits),
                Err(CommitError::TooLarge { part: Part::Key, .. }) => assert!(!fits),
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}

async fn values_are_limited(bed: Bed) {
    let db = bed.open().await;
    for (length, fits) in [(MAX_VALUE_BYTES, true), (MAX_VALUE_BYTES + 1, false)] {
        let mut batch = Batch::durable();
        batch.put::<Bodies>(&1, &Tail(vec![0; length]));
        match db.commit(batch).await {
            Ok(_) => assert!(fits),
            Err(CommitError::TooLarge { part: Part::Value, keyspace: "bodies", .. }) => assert!(!fits),
            Err(other) => panic!("{other:?}"),
        }
    }
}

async fn batches_are_limited(bed: Bed) {
    let db = bed.open().await;
    let mut batch = Batch::durable();
    let body = Tail(vec![0; MAX_VALUE_BYTES]);
    for number in 0..88 {
        batch.put::<Bodies>(&number, &body);
    }
    assert!(batch.size() < MAX_BATCH_BYTES);
    db.commit(batch.clone()).await.unwrap();
    batch.put::<Bodies>(&99, &body);
    let refused = db.commit(batch).await.unwrap_err();
    assert!(matches!(refused, CommitError::TooLarge { part: Part::Batch, .. }));
    assert_eq!(db.snapshot().get::<Bodies>(&99).await.unwrap(), None);
}

async fn strangers_are_refused(bed: Bed) {
    let db = bed.open().await;
    let mut batch = Batch::durable();
    batch.put::<Stranger>(&1, &1);
    assert_eq!(db.commit(batch).await.unwrap_err(), CommitError::Unregistered("stranger"));
}

async fn logs_are_limited(bed: Bed) {
    let db = bed.open().await;
    for round in 0..50u64 {
        let mut batch = Batch::relaxed();
        for number in 0..60 {
            batch.put::<Bodies>(&(round * 100 + number), &Tail(vec![number as u8; 80_000]));
        }
        // A row in each of the other tables, so that none of them lets go of the log by itself.
        batch.put::<Names>(&(round, String::new()), &String::new());
        batch.add::<Counts>(&round, 1);
        db.commit(batch).await.unwrap();
        assert!(db.stats().engine.log_bytes <= 128 << 20, "{:?}", db.stats());
    }
    if matches!(bed, Bed::RocksDb(_)) {
        assert!(db.stats().engine.log_bytes > 1 << 20, "the log is where it is looked for");
    }
}
