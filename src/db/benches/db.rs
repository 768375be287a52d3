//! What one read and one commit cost. `cargo bench -p plop-db`.
//!
//! The figures of commits are those of the disk under the temporary folder: each durable group is one sync.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a bench takes the time, makes its own load and prints"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use plop_base::Random;
use plop_db::{Batch, Db, Direction, KeyRange, Options, Position, Tail, keyspaces};
use tokio::runtime::Runtime;

keyspaces! {
    const KEYSPACES;
    /// Rows by whole key.
    Ids = 100 "ids" Point { (u64, String) => u64 }
    /// Rows in order, of the size of an event.
    Events = 101 "events" Scan { (u64, Position) => Tail<Vec<u8>> } stream u64
    /// Heads of rooms.
    Heads = 102 "heads" Point { u64 => u64 }
}

const ROWS: u64 = 100_000;
const ROOMS: u64 = 64;

fn id(number: u64) -> (u64, String) {
    (number % ROOMS, format!("$event{number:08}:example.org"))
}

/// Where the bench writes: `PLOP_BENCH_DIR`, or the temporary folder.
fn folder() -> tempfile::TempDir {
    let parent = std::env::var_os("PLOP_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
    tempfile::tempdir_in(parent).expect("a folder for the bench")
}

async fn filled(folder: &tempfile::TempDir) -> Db {
    let open = || Db::open(Options::new(folder.path().join("db"), KEYSPACES.to_vec()), &Random::seeded(1));
    let db = open().expect("opens");
    for start in (0..ROWS).step_by(1000) {
        let mut batch = Batch::relaxed();
        for number in start..start + 1000 {
            batch.put::<Ids>(&id(number), &number);
            let value = Tail(format!("{{\"body\":\"message {number}\"}}").repeat(20).into_bytes());
            batch.put::<Events>(&(number % ROOMS, Position::pending((number - start) as u32)), &value);
        }
        db.commit(batch).await.expect("commits");
    }
    // Opened anew, the rows are in tables and not in memtables.
    db.close().await;
    open().expect("opens again")
}

fn reads(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = folder();
    let db = runtime.block_on(filled(&folder));
    let mut number = 0;
    let mut next = move || {
        number = (number + 7919) % ROWS;
        number
    };
    let mut group = c.benchmark_group("read");
    let snapshot = db.snapshot();
    group.bench_function("snapshot", |b| b.iter(|| black_box(db.snapshot())));
    group.bench_function("get_hit", |b| {
        b.iter(|| {
            let key = id(next());
            black_box(runtime.block_on(snapshot.get::<Ids>(&key)).expect("reads"))
        })
    });
    group.bench_function("get_miss", |b| {
        b.iter(|| {
            let key = id(next() + ROWS);
            black_box(runtime.block_on(snapshot.get::<Ids>(&key)).expect("reads"))
        })
    });
    group.bench_function("get_many_100", |b| {
        b.iter(|| {
            let keys: Vec<_> = (0..100).map(|_| id(next())).collect();
            black_box(runtime.block_on(snapshot.get_many::<Ids>(&keys)).expect("reads"))
        })
    });
    group.bench_function("scan_100_newest", |b| {
        b.iter(|| {
            let range = KeyRange::prefix(&(next() % ROOMS));
            black_box(
                runtime.block_on(snapshot.scan::<Events>(range, Direction::Backward, 100)).expect("reads"),
            )
        })
    });
    group.finish();
    let engine = db.stats().engine;
    println!("inline reads {}, pooled reads {}", engine.inline_reads, engine.pooled_reads);
}

/// A batch like that of a message: its head expected and moved, its event and its id written, its room's waiters woken.
fn message(room: u64, number: u64) -> Batch {
    let mut batch = Batch::durable();
    let before = number.checked_sub(1);
    batch.expect::<Heads>(&room, before.as_ref());
    batch.put::<Heads>(&room, &number);
    batch.put::<Ids>(&(room, format!("$new{number:08}:example.org")), &number);
    batch.append::<Events>(&room, &(room, Position::pending(0)), &Tail(vec![b'x'; 700]));
    batch
}

/// `count` messages by `callers` tasks, each in a room of its own, each waiting for its answer.
async fn send(db: &Db, numbers: &mut Vec<u64>, callers: usize, count: u64) -> Duration {
    numbers.resize(callers, 0);
    let start = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let (db, first) = (db.clone(), numbers[caller]);
            let share = count / callers as u64 + u64::from((caller as u64) < count % callers as u64);
            tokio::spawn(async move {
                for number in first..first + share {
                    db.commit(message(1000 * callers as u64 + caller as u64, number)).await.expect("commits");
                }
                first + share
            })
        })
        .collect();
    for (caller, task) in tasks.into_iter().enumerate() {
        numbers[caller] = task.await.expect("the task ends");
    }
    start.elapsed()
}

fn commits(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = folder();
    let db = Db::open(Options::new(folder.path().join("db"), KEYSPACES.to_vec()), &Random::seeded(1))
        .expect("opens");
    let mut group = c.benchmark_group("commit_durable");
    group.throughput(Throughput::Elements(1));
    for callers in [1, 16, 64] {
        let mut numbers = Vec::new();
        group.bench_with_input(BenchmarkId::from_parameter(callers), &callers, |b, callers| {
            b.iter_custom(|count| runtime.block_on(send(&db, &mut numbers, *callers, count)))
        });
        let stats = db.stats();
        println!("{callers} callers: {:.1} commits in a group", stats.commits as f64 / stats.groups as f64);
    }
    group.finish();
    let mut number = 0;
    c.bench_function("commit_relaxed", |b| {
        b.iter(|| {
            number += 1;
            let mut batch = Batch::relaxed();
            batch.put::<Heads>(&1, &number);
            runtime.block_on(db.commit(batch)).expect("commits")
        })
    });
}

criterion_group!(benches, reads, commits);
criterion_main!(benches);
