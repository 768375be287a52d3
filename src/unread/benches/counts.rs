//! What a count costs. `cargo bench --profile release -p plop-unread`.
//!
//! On RocksDB with everything in its caches, as for a user who is there. `PLOP_BENCH_DIR` chooses the disk.

#![expect(clippy::disallowed_methods, reason = "a bench takes the time")]

#[path = "../tests/suite/bed.rs"]
#[expect(dead_code, reason = "a bench needs fewer builders than the tests")]
mod bed;

use std::time::{Duration, Instant};

use bed::{Bed, id, user};
use criterion::{Criterion, criterion_group, criterion_main};
use plop_base::Random;
use plop_bed::Ground;
use plop_db::{Db, Options};
use plop_ephemeral::ReceiptKind::Public;
use plop_ephemeral::Thread;
use plop_unread::Unread;
use ruma::push::{Action, NewPatternedPushRule, NewPushRule};
use tokio::runtime::Runtime;

/// Counts `count` times as one of these users.
async fn count(bed: &Bed, unread: &Unread, name: &str, count: u64, by_thread: bool) -> Duration {
    let snapshot = bed.db.snapshot();
    let view = bed.rooms.view_by_id(&bed.room).await.expect("the room");
    let reader = unread.notified_user(&snapshot, &id(name)).await.expect("rules");
    let up_to = snapshot.position();
    let start = Instant::now();
    for _ in 0..count {
        if by_thread {
            let counts = unread.counts_by_thread(&snapshot, &reader, &view, up_to).await;
            std::hint::black_box(counts.expect("counts"));
        } else {
            std::hint::black_box(unread.counts(&snapshot, &reader, &view, up_to).await.expect("counts"));
        }
    }
    start.elapsed()
}

/// A room where bob has read all, carol nothing, dave by threads, erin nothing and with a keyword, frank nothing and 20 mentions.
async fn scene(ground: Ground) -> Bed {
    let bed = Bed::on(ground, &["alice", "bob", "carol", "dave", "erin", "frank"]).await;
    let rule = NewPatternedPushRule::new("cake".into(), "cake".into(), vec![Action::Notify]);
    let (erin, id, rule) = (user("erin"), id("erin"), NewPushRule::Content(rule));
    bed.accounts.put_push_rule(&erin, &id, &rule, None, None).await.expect("a rule");
    let mut last = bed.say("alice", "first").await;
    for index in 0..1_000 {
        match index % 50 {
            0 => last = bed.mention("alice", &["frank"]).await,
            1 => {
                let in_thread = bed.say_in("alice", &last, "in a thread").await;
                if index % 100 == 1 {
                    bed.read("dave", &in_thread, Public, Thread::Root(last.clone())).await;
                }
            }
            _ => drop(bed.say("alice", "the quick brown fox jumps over the lazy dog").await),
        }
    }
    let last = bed.say("alice", "last").await;
    bed.read_all("bob", &last).await;
    bed
}

fn bench(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = std::env::var_os("PLOP_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
    let folder = tempfile::tempdir_in(folder).expect("a folder");
    let bed = runtime.block_on(async {
        let random = Random::seeded(7);
        let options = Options::new(folder.path().join("db"), bed::keyspaces());
        scene(Ground::on(Db::open(options, &random).expect("a database"), random)).await
    });
    let mut group = criterion.benchmark_group("count");
    group.sample_size(30);
    for (name, user, by_thread) in [
        ("all read", "bob", false),
        ("1,000 unread", "carol", false),
        ("1,000 unread, 20 mentions", "frank", false),
        ("1,000 unread, by thread, 20 threads", "carol", true),
        ("10 of 20 threads read", "dave", false),
        ("1,000 unread, own rules, asked before", "erin", false),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| runtime.block_on(count(&bed, &bed.unread, user, times, by_thread)));
        });
    }
    // Each time as after a restart.
    group.bench_function("1,000 unread, own rules, asked now", |bencher| {
        bencher.iter_custom(|times| {
            runtime.block_on(async {
                let mut sum = Duration::ZERO;
                for _ in 0..times {
                    sum += count(&bed, &Unread::new(bed.rooms.clone(), bed::CACHE), "erin", 1, false).await;
                }
                sum
            })
        });
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
