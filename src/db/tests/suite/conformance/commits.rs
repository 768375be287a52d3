//! Batches: atomic, in order, with expects and counters; what waiters are told.

use std::sync::{Arc, Mutex};

use plop_db::{Batch, CommitError, Counter, Guards, KeyRange, Position, StoreState};

use crate::bed::{Arrivals, Bed, Counts, Names};
use crate::on_every_engine;

on_every_engine!(
    operations_apply_in_their_order,
    an_expect_that_fails_leaves_nothing,
    expects_see_everything_earlier_in_the_queue,
    counters_add_up_within_a_batch_and_a_group,
    hooks_run_in_commit_order_before_publication,
    a_publication_carries_the_notices,
    concurrent_commits_share_groups_and_are_all_there,
    a_closed_database_refuses_commits_and_keeps_relaxed_ones,
    a_dropped_receipt_does_not_undo_the_commit,
    a_guard_lasts_as_long_as_the_commit_of_a_caller_that_is_gone,
);

fn key(name: &str) -> (u64, String) {
    (1, name.to_owned())
}

async fn operations_apply_in_their_order(bed: Bed) {
    let db = bed.open().await;
    let mut batch = Batch::durable();
    batch.put::<Names>(&key("a"), &"1".to_owned());
    batch.put::<Names>(&key("b"), &"1".to_owned());
    batch.delete_range::<Names>(KeyRange::prefix(&1u64));
    batch.put::<Names>(&key("b"), &"2".to_owned());
    batch.put::<Names>(&key("c"), &"1".to_owned());
    batch.delete::<Names>(&key("c"));
    db.commit(batch).await.unwrap();
    let found = db.snapshot().get_many::<Names>(&[key("a"), key("b"), key("c")]).await.unwrap();
    assert_eq!(found, [None, Some("2".to_owned()), None]);
}

async fn an_expect_that_fails_leaves_nothing(bed: Bed) {
    let db = bed.open().await;
    let mut batch = Batch::durable();
    batch.expect::<Names>(&key("a"), None);
    batch.put::<Names>(&key("a"), &"1".to_owned());
    db.commit(batch.clone()).await.unwrap();
    let before = db.published();
    let conflict = db.commit(batch).await.unwrap_err();
    assert!(matches!(conflict, CommitError::Conflict { keyspace: "names", .. }));
    for (expected, succeeds) in [("2", false), ("1", true)] {
        let mut batch = Batch::durable();
        batch.expect::<Names>(&key("a"), Some(&expected.to_owned()));
        batch.put::<Names>(&key("b"), &expected.to_owned());
        assert_eq!(db.commit(batch).await.is_ok(), succeeds);
    }
    assert_eq!(db.snapshot().get::<Names>(&key("b")).await.unwrap(), Some("1".to_owned()));
    assert!(db.published() > before);
    assert_eq!(db.stats().conflicts, 2);
}

async fn expects_see_everything_earlier_in_the_queue(bed: Bed) {
    let db = bed.open().await;
    let mut receipts = Vec::new();
    // Each builds on the one before, none of them waits; the fourth builds on a head that is not there, so the fifth fails too.
    for (before, after) in [(0, 1), (1, 2), (2, 3), (7, 8), (8, 9), (3, 4)] {
        let mut batch = Batch::durable();
        batch.expect::<Counts>(&1, (before > 0).then_some(&Counter(before)));
        batch.put::<Counts>(&1, &Counter(after));
        receipts.push(db.submit(batch, |_| ()).await.unwrap());
    }
    let mut outcomes = Vec::new();
    for receipt in receipts {
        outcomes.push(receipt.await.is_ok());
    }
    assert_eq!(outcomes, [true, true, true, false, false, true]);
    // Deletions count as earlier too, one by one and as ranges.
    let mut clear = Batch::durable();
    clear.delete_range::<Counts>(KeyRange::all());
    let mut build = Batch::durable();
    build.expect::<Counts>(&1, None);
    build.put::<Counts>(&1, &Counter(5));
    let mut delete = Batch::durable();
    delete.delete::<Counts>(&1);
    for batch in [clear, build.clone(), delete, build] {
        receipts_ok(&db, batch).await;
    }
    assert_eq!(db.snapshot().get::<Counts>(&1).await.unwrap(), Some(Counter(5)));
}

async fn receipts_ok(db: &plop_db::Db, batch: Batch) {
    db.submit(batch, |_| ()).await.unwrap().await.unwrap();
}

async fn counters_add_up_within_a_batch_and_a_group(bed: Bed) {
    let db = bed.open().await;
    let mut receipts = Vec::new();
    for _ in 0..20 {
        let mut batch = Batch::relaxed();
        batch.add::<Counts>(&1, 3);
        batch.add::<Counts>(&1, -1);
        batch.add::<Counts>(&2, i64::MAX);
        receipts.push(db.submit(batch, |_| ()).await.unwrap());
    }
    let mut batch = Batch::durable();
    batch.delete_range::<Counts>(KeyRange::prefix(&1u64));
    batch.add::<Counts>(&1, 7);
    batch.put::<Counts>(&3, &Counter(10));
    batch.add::<Counts>(&3, -4);
    receipts.push(db.submit(batch, |_| ()).await.unwrap());
    for receipt in receipts {
        receipt.await.unwrap();
    }
    let found = db.snapshot().get_many::<Counts>(&[1, 2, 3, 4]).await.unwrap();
    assert_eq!(found, [Some(Counter(7)), Some(Counter(i64::MAX)), Some(Counter(6)), None]);
}

async fn hooks_run_in_commit_order_before_publication(bed: Bed) {
    let db = bed.open().await;
    let seen: Arc<Mutex<Vec<(Position, Position)>>> = Arc::default();
    let mut receipts = Vec::new();
    for number in 0..50 {
        let mut batch = if number % 3 == 0 { Batch::durable() } else { Batch::relaxed() };
        batch.add::<Counts>(&1, 1);
        let (seen, watched) = (seen.clone(), db.clone());
        let hook = move |committed: &plop_db::Committed| {
            seen.lock().unwrap().push((committed.position, watched.published()));
        };
        receipts.push(db.submit(batch, hook).await.unwrap());
    }
    let mut positions = Vec::new();
    for receipt in receipts {
        let committed = receipt.await.unwrap();
        assert!(db.published() >= committed.position, "acknowledged is published");
        assert!(db.snapshot().position() >= committed.position);
        positions.push(committed.position);
    }
    let seen = seen.lock().unwrap();
    assert!(positions.is_sorted());
    assert!(seen.iter().map(|(position, _)| *position).eq(positions.iter().copied()));
    assert!(seen.iter().all(|(position, published)| published < position), "the hook comes first");
}

async fn a_publication_carries_the_notices(bed: Bed) {
    let db = bed.open().await;
    let mut publications = db.subscribe();
    let mut batch = Batch::durable();
    batch.append::<Arrivals>(&7, &(7, Position::pending(0)), &(Position::START, "x".to_owned()));
    batch.append::<Arrivals>(&7, &(7, Position::pending(1)), &(Position::START, "y".to_owned()));
    batch.notify::<Arrivals>(&8);
    let committed = db.commit(batch).await.unwrap();
    let publication = publications.recv().await.unwrap();
    assert!(publication.position >= committed.position_at(1));
    let subjects: Vec<_> = publication.notices.iter().map(|notice| notice.subject::<Arrivals>()).collect();
    assert_eq!(subjects, [Some(7), Some(8)]);
}

async fn concurrent_commits_share_groups_and_are_all_there(bed: Bed) {
    let db = bed.open().await;
    let callers = (0..16u64).map(|caller| {
        let db = db.clone();
        async move {
            for number in 0..40u64 {
                let mut batch = Batch::durable();
                let before = number.checked_sub(1).map(|before| before.to_string());
                batch.expect::<Names>(&(caller, String::new()), before.as_ref());
                batch.put::<Names>(&(caller, String::new()), &number.to_string());
                batch.add::<Counts>(&0, 1);
                db.commit(batch).await.unwrap();
            }
        }
    });
    futures_util::future::join_all(callers).await;
    assert_eq!(db.snapshot().get::<Counts>(&0).await.unwrap(), Some(Counter(16 * 40)));
    let stats = db.stats();
    assert_eq!(stats.commits, 16 * 40);
    assert!(stats.groups < stats.commits, "{stats:?}");
}

async fn a_closed_database_refuses_commits_and_keeps_relaxed_ones(bed: Bed) {
    let db = bed.open().await;
    let mut batch = Batch::relaxed();
    batch.put::<Names>(&key("a"), &"kept".to_owned());
    let receipt = db.submit(batch.clone(), |_| ()).await.unwrap();
    let other = db.clone();
    db.close().await;
    receipt.await.unwrap();
    assert_eq!(*other.state().borrow(), StoreState::Stopped);
    assert!(matches!(other.commit(batch).await, Err(CommitError::ReadOnly(_))));
    drop(other);
    if let Bed::Memory(disk) = &bed {
        disk.lose_unsynced();
    }
    let db = bed.open().await;
    assert_eq!(db.snapshot().get::<Names>(&key("a")).await.unwrap(), Some("kept".to_owned()));
}

async fn a_dropped_receipt_does_not_undo_the_commit(bed: Bed) {
    let db = bed.open().await;
    let mut batch = Batch::durable();
    batch.put::<Names>(&key("a"), &"1".to_owned());
    drop(db.submit(batch, |_| ()).await.unwrap());
    // A later commit is behind it.
    db.commit(Batch::durable()).await.unwrap();
    assert_eq!(db.snapshot().get::<Names>(&key("a")).await.unwrap(), Some("1".to_owned()));
}

async fn a_guard_lasts_as_long_as_the_commit_of_a_caller_that_is_gone(bed: Bed) {
    let (db, guards) = (bed.open().await, Guards::default());
    for number in 0..20 {
        let guard = guards.lock("alice").await;
        let present = db.snapshot().get::<Counts>(&1).await.unwrap();
        assert_eq!(
            present.unwrap_or_default(),
            Counter(number),
            "who has the guard sees what was done under it"
        );
        let mut batch = Batch::durable();
        batch.expect::<Counts>(&1, present.as_ref());
        batch.put::<Counts>(&1, &Counter(number + 1));
        tokio::select! {
            biased;
            outcome = db.commit_under(guard, batch) => assert!(outcome.is_ok()),
            // Queued, and its caller goes.
            () = std::future::ready(()) => {}
        }
    }
    drop(guards.lock("alice").await);
    assert_eq!(db.stats().conflicts, 0);
}
