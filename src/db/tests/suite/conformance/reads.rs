//! Snapshots: look-ups, scans, ranges, pages, stability.

use plop_db::Direction::{Backward, Forward};
use plop_db::{Batch, Db, Direction, KeyRange, MAX_PAGE_BYTES, Tail};

use crate::bed::{Bed, Bodies, Jobs, Names};
use crate::on_every_engine;

on_every_engine!(
    a_row_is_found_by_its_key,
    many_rows_come_in_the_order_asked,
    ranges_select_by_leading_fields,
    pages_follow_each_other,
    a_scan_of_many_rows_is_complete_in_both_directions,
    a_page_ends_when_it_has_enough_bytes,
    a_snapshot_does_not_change,
    a_reopened_database_is_read_from_disk,
    many_rows_are_read_from_a_cold_table,
);

async fn a_row_is_found_by_its_key(bed: Bed) {
    let db = bed.open().await;
    let mut batch = Batch::durable();
    batch.put::<Names>(&(1, "a\0b".to_owned()), &"value".to_owned());
    db.commit(batch).await.unwrap();
    let snapshot = db.snapshot();
    assert_eq!(snapshot.get::<Names>(&(1, "a\0b".to_owned())).await.unwrap(), Some("value".to_owned()));
    assert_eq!(snapshot.get::<Names>(&(1, "a".to_owned())).await.unwrap(), None);
    assert_eq!(snapshot.get::<Names>(&(2, "a\0b".to_owned())).await.unwrap(), None);
}

async fn many_rows_come_in_the_order_asked(bed: Bed) {
    let db = bed.open().await;
    let key = |number: u64| (number, "x".to_owned());
    let mut batch = Batch::durable();
    for number in 0..50 {
        batch.put::<Names>(&key(number), &number.to_string());
    }
    db.commit(batch).await.unwrap();
    let keys = [key(40), key(99), key(3), key(40)];
    let found = db.snapshot().get_many::<Names>(&keys).await.unwrap();
    assert_eq!(found, [Some("40".to_owned()), None, Some("3".to_owned()), Some("40".to_owned())]);
    assert_eq!(db.snapshot().get_many::<Names>(&[]).await.unwrap(), []);
}

async fn names(
    db: &Db,
    range: KeyRange<Names>,
    direction: Direction,
    limit: usize,
) -> (Vec<(u64, String)>, bool) {
    let page = db.snapshot().scan::<Names>(range, direction, limit).await.unwrap();
    (page.rows.into_iter().map(|(key, _)| key).collect(), page.more)
}

fn key(room: u64, name: &str) -> (u64, String) {
    (room, name.to_owned())
}

async fn three_rooms(db: &Db) {
    let mut batch = Batch::durable();
    for room in [1, 2, 300] {
        for name in ["a", "b", "c"] {
            batch.put::<Names>(&key(room, name), &String::new());
        }
    }
    // Neighbours in the same table.
    batch.put::<crate::bed::Counts>(&2, &plop_db::Counter(1));
    db.commit(batch).await.unwrap();
}

async fn ranges_select_by_leading_fields(bed: Bed) {
    let db = bed.open().await;
    three_rooms(&db).await;
    let all = names(&db, KeyRange::all(), Forward, 100).await;
    assert_eq!(all.0.len(), 9);
    assert_eq!((all.0.first(), all.0.last()), (Some(&key(1, "a")), Some(&key(300, "c"))));
    let room = || KeyRange::prefix(&2u64);
    let select = async |range: KeyRange<Names>| -> String {
        names(&db, range, Forward, 100).await.0.into_iter().map(|(_, name)| name).collect()
    };
    assert_eq!(select(room()).await, "abc");
    assert_eq!(select(room().from(&key(2, "b"))).await, "bc");
    assert_eq!(select(room().after(&key(2, "b"))).await, "c");
    assert_eq!(select(room().to(&key(2, "b"))).await, "ab");
    assert_eq!(select(room().before(&key(2, "b"))).await, "a");
    assert_eq!(select(room().from(&1u64).to(&300u64)).await, "abc", "a bound outside widens nothing");
    assert_eq!(select(KeyRange::all().after(&2u64)).await, "abc", "after all keys of room 2");
    assert_eq!(select(room().after(&key(2, "b")).before(&key(2, "b"))).await, "", "empty, not an error");
    assert_eq!(select(KeyRange::prefix(&3u64)).await, "");
}

async fn pages_follow_each_other(bed: Bed) {
    let db = bed.open().await;
    three_rooms(&db).await;
    let first = names(&db, KeyRange::prefix(&1u64), Forward, 2).await;
    assert_eq!(first, (vec![key(1, "a"), key(1, "b")], true));
    let second = names(&db, KeyRange::prefix(&1u64).after(&key(1, "b")), Forward, 2).await;
    assert_eq!(second, (vec![key(1, "c")], false));
    let exact = names(&db, KeyRange::prefix(&1u64), Forward, 3).await;
    assert_eq!((exact.0.len(), exact.1), (3, false));
    let newest = names(&db, KeyRange::prefix(&1u64), Backward, 2).await;
    assert_eq!(newest, (vec![key(1, "c"), key(1, "b")], true));
    let oldest = names(&db, KeyRange::prefix(&1u64).before(&key(1, "b")), Backward, 2).await;
    assert_eq!(oldest, (vec![key(1, "a")], false));
    let none = names(&db, KeyRange::prefix(&1u64), Forward, 0).await;
    assert_eq!(none, (vec![], true));
}

async fn a_scan_of_many_rows_is_complete_in_both_directions(bed: Bed) {
    let db = bed.open().await;
    let mut batch = Batch::durable();
    for job in 0..3000 {
        batch.put::<Jobs>(&job, &());
    }
    db.commit(batch).await.unwrap();
    // Once with the rows in memory, once with them on disk only.
    let db = {
        check_jobs(&db).await;
        bed.reopen(db).await
    };
    check_jobs(&db).await;
}

async fn check_jobs(db: &Db) {
    let forward = db.snapshot().scan::<Jobs>(KeyRange::all(), Forward, 2500).await.unwrap();
    assert!(forward.more);
    assert!(forward.rows.iter().map(|(job, ())| *job).eq(0..2500));
    let backward = db.snapshot().scan::<Jobs>(KeyRange::all().from(&10u64), Backward, 5000).await.unwrap();
    assert!(!backward.more);
    assert!(backward.rows.iter().map(|(job, ())| *job).eq((10..3000).rev()));
}

async fn a_page_ends_when_it_has_enough_bytes(bed: Bed) {
    let db = bed.open().await;
    let body = Tail(vec![7; 80_000]);
    for round in 0..3 {
        let mut batch = Batch::durable();
        for number in 0..40 {
            batch.put::<Bodies>(&(round * 40 + number), &body);
        }
        db.commit(batch).await.unwrap();
    }
    let page = db.snapshot().scan::<Bodies>(KeyRange::all(), Forward, 1000).await.unwrap();
    assert!(page.more);
    let bytes: usize = page.rows.iter().map(|(_, body)| body.0.len()).sum();
    assert!(bytes > MAX_PAGE_BYTES - 80_100 && bytes < MAX_PAGE_BYTES + 80_100, "{bytes}");
}

async fn a_snapshot_does_not_change(bed: Bed) {
    let db = bed.open().await;
    three_rooms(&db).await;
    let before = db.snapshot();
    let mut batch = Batch::durable();
    batch.delete_range::<Names>(KeyRange::prefix(&1u64));
    batch.put::<Names>(&key(2, "a"), &"new".to_owned());
    db.commit(batch).await.unwrap();
    assert_eq!(before.get::<Names>(&key(2, "a")).await.unwrap(), Some(String::new()));
    assert_eq!(before.scan::<Names>(KeyRange::prefix(&1u64), Forward, 9).await.unwrap().rows.len(), 3);
    let after = db.snapshot();
    assert!(after.position() > before.position());
    assert_eq!(after.get::<Names>(&key(2, "a")).await.unwrap(), Some("new".to_owned()));
    assert_eq!(after.scan::<Names>(KeyRange::prefix(&1u64), Forward, 9).await.unwrap().rows.len(), 0);
}

async fn a_reopened_database_is_read_from_disk(bed: Bed) {
    let db = bed.open().await;
    three_rooms(&db).await;
    // The first start writes what the log held into a table (and has it in memory), the second finds only the table.
    let db = bed.reopen(db).await;
    let db = bed.reopen(db).await;
    assert_eq!(db.snapshot().get::<Names>(&key(300, "b")).await.unwrap(), Some(String::new()));
    let found = db.snapshot().get_many::<Names>(&[key(1, "a"), key(1, "z")]).await.unwrap();
    assert_eq!(found, [Some(String::new()), None]);
    if matches!(bed, Bed::RocksDb(_)) {
        let cold = db.stats().engine;
        assert!(cold.pooled_reads > 0, "what memory does not have is read in the pool");
        db.snapshot().get::<Names>(&key(300, "b")).await.unwrap();
        let warm = db.stats().engine;
        assert_eq!(warm.pooled_reads, cold.pooled_reads, "now it is in memory");
        assert_eq!(warm.inline_reads, cold.inline_reads + 1);
    }
}

/// A key that is not there, and would stand at the end of a block, is searched in the next block too, which is not in memory: that is no value. (Jobs have
/// no filter that would spare the search.)
async fn many_rows_are_read_from_a_cold_table(bed: Bed) {
    const ROWS: u64 = 20_000;
    let db = bed.open().await;
    let mut batch = Batch::durable();
    for number in 0..ROWS {
        batch.put::<Jobs>(&(number * 1000), &());
    }
    db.commit(batch).await.unwrap();
    // The first start writes the log into a table, the second one finds only that.
    let db = bed.reopen(db).await;
    let db = bed.reopen(db).await;
    for number in 0..ROWS {
        let keys = [number * 1000, number * 1000 + 1];
        assert_eq!(db.snapshot().get_many::<Jobs>(&keys).await.unwrap(), [Some(()), None], "{number}");
    }
}
