//! What sending a message costs. `cargo bench --profile release -p plop-rooms`.
//!
//! On the in-memory engine it is the CPU of the send path; on RocksDB it is that of a real disk too: each group of commits is one
//! sync. `PLOP_BENCH_DIR` chooses the disk.

#![expect(clippy::disallowed_methods, reason = "a bench takes the time and makes its own load")]

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use plop_base::Random;
use plop_bed::{Ground, json, user};
use plop_bed_rooms::{RoomBed, keyspaces, public_room};
use plop_db::{Db, Options};
use plop_rooms::Rooms;
use plop_rooms::ops::send::SendEvent;
use plop_state::json::Object;
use ruma::{OwnedRoomId, RoomVersionId};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

fn message() -> SendEvent {
    SendEvent {
        kind: "m.room.message".to_owned(),
        state_key: None,
        content: json(r#"{"msgtype":"m.text","body":"the quick brown fox jumps over the lazy dog"}"#),
        transaction: None,
        ts: None,
    }
}

/// A public room of alice's with this many members.
async fn room(rooms: &Rooms, members: usize) -> OwnedRoomId {
    let room = rooms.create(&user("alice"), &public_room(RoomVersionId::V12)).await.expect("a room");
    for member in 1..members {
        rooms.join(&user(&format!("member{member}")), &room, &Object::new()).await.expect("a join");
    }
    room
}

/// `count` messages by `senders` at once into one room.
async fn send(rooms: &Rooms, room: &OwnedRoomId, senders: u64, count: u64) -> Duration {
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for sender in 0..senders {
        let (rooms, room) = (rooms.clone(), room.clone());
        let share = count / senders + u64::from(sender < count % senders);
        tasks.spawn(async move {
            for _ in 0..share {
                rooms.send(&user("alice"), &room, &message()).await.expect("an event");
            }
        });
    }
    tasks.join_all().await;
    start.elapsed()
}

fn bench(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = std::env::var_os("PLOP_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
    let folder = tempfile::tempdir_in(folder).expect("a folder");
    let disk = runtime.block_on(async {
        let random = Random::seeded(7);
        let options = Options::new(folder.path().join("db"), keyspaces());
        RoomBed::on(Ground::on(Db::open(options, &random).expect("a database"), random)).await
    });
    let memory = runtime.block_on(RoomBed::new());
    let mut group = criterion.benchmark_group("send");
    group.throughput(Throughput::Elements(1)).sample_size(20);
    for (engine, bed) in [("memory", &memory), ("rocksdb", &disk)] {
        for (members, senders) in [(16, 1), (16, 16), (2000, 1), (2000, 16)] {
            let room = runtime.block_on(room(&bed.rooms, members));
            let name = format!("{engine}, {members} members, {senders} at once");
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|count| runtime.block_on(send(&bed.rooms, &room, senders, count)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
