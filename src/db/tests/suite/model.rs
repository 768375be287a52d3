//! Random batches against an ordered map: whatever is committed, in whatever groups, with restarts between, the database holds what the
//! map holds, and refuses what the map refuses.

use std::collections::BTreeMap;
use std::ops::Bound;

use plop_db::{Batch, CommitError, Counter, Db, Direction, KeyRange};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::bed::{Bed, Counts, Names};

type Key = (u64, String);

#[derive(Debug, Clone)]
enum Op {
    Put(Key, String),
    Delete(Key),
    /// From the first key up to, and without, the second.
    DeleteRange(Key, Key),
    DeleteRoom(u64),
    Add(u64, i64),
}

#[derive(Debug, Clone)]
struct Plan {
    durable: bool,
    /// Rows expected to be as the map has them at that point; the second says otherwise.
    expects: Vec<(Key, bool)>,
    ops: Vec<Op>,
}

#[derive(Debug, Clone)]
enum Step {
    /// Submitted one after the other without waiting, so that they share groups.
    Commit(Vec<Plan>),
    Reopen,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    names: BTreeMap<Key, String>,
    counts: BTreeMap<u64, Counter>,
}

fn key() -> impl Strategy<Value = Key> {
    (0..4u64, vec(prop::sample::select(vec!['\0', 'a', 'b']), 0..3).prop_map(String::from_iter))
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (key(), "[xyz]{0,2}").prop_map(|(key, value)| Op::Put(key, value)),
        2 => key().prop_map(Op::Delete),
        1 => (key(), key()).prop_map(|(start, end)| Op::DeleteRange(start, end)),
        1 => (0..4u64).prop_map(Op::DeleteRoom),
        2 => (0..3u64, -3..4i64).prop_map(|(key, delta)| Op::Add(key, delta)),
    ]
}

fn plan() -> impl Strategy<Value = Plan> {
    let expects = vec((key(), prop::bool::weighted(0.9)), 0..3);
    (any::<bool>(), expects, vec(op(), 0..8)).prop_map(|(durable, expects, ops)| Plan {
        durable,
        expects,
        ops,
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![6 => vec(plan(), 1..6).prop_map(Step::Commit), 1 => Just(Step::Reopen)]
}

impl Model {
    /// The batch of a plan, and whether it is to be accepted; if so the model takes it in.
    fn take(&mut self, plan: &Plan) -> (Batch, bool) {
        let mut batch = if plan.durable { Batch::durable() } else { Batch::relaxed() };
        for (key, right) in &plan.expects {
            let held = self.names.get(key);
            let expected = if *right { held.cloned() } else { Some("never written".to_owned()) };
            batch.expect::<Names>(key, expected.as_ref());
        }
        for op in &plan.ops {
            write(&mut batch, op);
        }
        let accepted = plan.expects.iter().all(|(_, right)| *right);
        if accepted {
            plan.ops.iter().for_each(|op| self.apply(op));
        }
        (batch, accepted)
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Put(key, value) => {
                self.names.insert(key.clone(), value.clone());
            }
            Op::Delete(key) => {
                self.names.remove(key);
            }
            Op::DeleteRange(start, end) => self.names.retain(|key, _| key < start || key >= end),
            Op::DeleteRoom(room) => self.names.retain(|(other, _), _| other != room),
            Op::Add(key, delta) => self.counts.entry(*key).or_default().0 += delta,
        }
    }
}

fn write(batch: &mut Batch, op: &Op) {
    match op {
        Op::Put(key, value) => batch.put::<Names>(key, value),
        Op::Delete(key) => batch.delete::<Names>(key),
        Op::DeleteRange(start, end) => batch.delete_range::<Names>(KeyRange::all().from(start).before(end)),
        Op::DeleteRoom(room) => batch.delete_range::<Names>(KeyRange::prefix(room)),
        Op::Add(key, delta) => batch.add::<Counts>(key, *delta),
    }
}

async fn run(bed: Bed, steps: &[Step]) {
    let mut db = bed.open().await;
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Commit(plans) => commit(&db, &mut model, plans).await,
            Step::Reopen => db = bed.reopen(db).await,
        }
        compare(&db, &model).await;
    }
}

async fn commit(db: &Db, model: &mut Model, plans: &[Plan]) {
    let before = (db.snapshot(), model.clone());
    let mut receipts = Vec::new();
    for plan in plans {
        let (batch, accepted) = model.take(plan);
        receipts.push((db.submit(batch, |_| ()).await.unwrap(), accepted));
    }
    let mut last = before.0.position();
    for (receipt, accepted) in receipts {
        match receipt.await {
            Ok(committed) => {
                assert!(accepted && committed.position > last);
                last = committed.position;
            }
            Err(CommitError::Conflict { keyspace: "names", .. }) => assert!(!accepted),
            Err(other) => panic!("{other:?}"),
        }
    }
    // The older snapshot still shows the older rows.
    let (snapshot, rows) = before;
    let page = snapshot.scan::<Names>(KeyRange::all(), Direction::Forward, 1000).await.unwrap();
    assert!(page.rows.into_iter().eq(rows.names));
}

async fn compare(db: &Db, model: &Model) {
    let snapshot = db.snapshot();
    let counts = snapshot.scan::<Counts>(KeyRange::all(), Direction::Forward, 1000).await.unwrap().rows;
    assert!(counts.iter().map(|(key, value)| (key, value)).eq(&model.counts));
    let keys: Vec<Key> =
        (0..4).flat_map(|room| ["", "a", "b\0", "ab"].map(|name| (room, name.to_owned()))).collect();
    let found = snapshot.get_many::<Names>(&keys).await.unwrap();
    for (key, value) in keys.iter().zip(&found) {
        assert_eq!(value.as_ref(), model.names.get(key));
        assert_eq!(snapshot.get::<Names>(key).await.unwrap().as_ref(), value.as_ref());
    }
    // In pages, each beginning behind the one before.
    let mut after = Bound::Unbounded;
    let mut range = KeyRange::<Names>::all();
    loop {
        let page = snapshot.scan::<Names>(range, Direction::Forward, 3).await.unwrap();
        let expected: Vec<_> = model.names.range((after.clone(), Bound::Unbounded)).take(4).collect();
        assert!(page.rows.iter().map(|(key, value)| (key, value)).eq(expected.iter().copied().take(3)));
        assert_eq!(page.more, expected.len() > 3);
        let Some((last, _)) = page.rows.last().filter(|_| page.more) else { break };
        after = Bound::Excluded(last.clone());
        range = KeyRange::all().after(last);
    }
    for room in 0..4u64 {
        let page = snapshot.scan::<Names>(KeyRange::prefix(&room), Direction::Backward, 1000).await.unwrap();
        let expected = model.names.iter().rev().filter(|((other, _), _)| *other == room);
        assert!(page.rows.iter().map(|(key, value)| (key, value)).eq(expected));
    }
}

fn check(cases: u32, bed: fn() -> Bed) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&vec(step(), 1..20), |steps| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(bed(), &steps));
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

#[test]
fn memory() {
    check(400, Bed::memory);
}

#[test]
fn rocksdb() {
    check(40, Bed::rocksdb);
}
