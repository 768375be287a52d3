//! What an answer costs. `cargo bench --profile release -p plop-sync`.
//!
//! On the in-memory engine, so it is the CPU of composing and writing the answer; HTTP is not in it. Rooms are like those of the load generator: two
//! members and five messages; the room of the fan-out has a hundred members who wait for the same message. The large rooms are those whose members a
//! client loads as it needs them: what they cost must not follow their size.

#![expect(clippy::disallowed_methods, reason = "a bench takes the time")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use plop_bed::{Ground, parameters, user};
use plop_bed_server::{Server, keyspaces, text};
use plop_ephemeral::PresenceState;
use plop_sync::SyncRequest;
use plop_sync::sliding::request::{List, Presence, RoomConfig, SlidingRequest};
use plop_sync::sliding::required_state::{RequiredState, StatePattern, StateWishes};
use ruma::OwnedRoomId;
use tokio::runtime::Runtime;

/// A user in so many rooms.
struct Reader {
    server: Server,
    rooms: Vec<OwnedRoomId>,
    name: String,
}

impl Reader {
    async fn new(rooms: usize) -> Self {
        let server = Server::on(Ground::new(keyspaces(), 7), parameters()).await;
        let name = "reader".to_owned();
        let mut made = Vec::with_capacity(rooms);
        for number in 0..rooms {
            let room = server.room("talker").await;
            server.set("talker", &room, "m.room.name", &format!(r#"{{"name":"Room {number}"}}"#)).await;
            server.join(&name, &room).await;
            for message in 0..5 {
                server.say("talker", &room, &format!("{number}-{message}: the quick brown fox")).await;
            }
            made.push(room);
        }
        Self { server, rooms: made, name }
    }

    /// In one room with so many members, and perhaps without a name.
    async fn in_crowd(members: usize, is_named: bool) -> Self {
        let mut reader = Self::new(0).await;
        let room = reader.server.room("talker").await;
        if is_named {
            reader.server.set("talker", &room, "m.room.name", r#"{"name":"Crowd"}"#).await;
        }
        reader.name = "member1".to_owned();
        for number in 1..members {
            reader.server.join(&format!("member{number}"), &room).await;
        }
        reader.server.say("talker", &room, "welcome").await;
        Self { rooms: vec![room], ..reader }
    }

    /// The token and the bytes of an answer.
    async fn sync(&self, name: &str, since: Option<&str>) -> (String, usize) {
        self.sync_with(name, since, None).await
    }

    /// The same with members loaded lazily.
    async fn sync_lazily(&self, name: &str, since: Option<&str>) -> (String, usize) {
        const LAZY: &str = r#"{"room":{"state":{"lazy_load_members":true}}}"#;
        self.sync_with(name, since, Some(LAZY)).await
    }

    async fn sync_with(&self, name: &str, since: Option<&str>, filter: Option<&str>) -> (String, usize) {
        let request = SyncRequest {
            since: since.map(ToOwned::to_owned),
            filter: filter.map(ToOwned::to_owned),
            set_presence: PresenceState::Offline,
            ..SyncRequest::default()
        };
        let answer = self.server.sync.sync(&user(name), &request).await.expect("an answer");
        let token = answer.next_batch().to_owned();
        (token, text(answer).await.len())
    }
}

fn initial(criterion: &mut Criterion, runtime: &Runtime, reader: &Reader) {
    let name = format!("initial, {} rooms", reader.rooms.len());
    criterion.bench_function(&name, |bencher| {
        bencher.iter(|| runtime.block_on(reader.sync(&reader.name, None)));
    });
}

fn idle(criterion: &mut Criterion, runtime: &Runtime, reader: &Reader) {
    let (token, _) = runtime.block_on(reader.sync(&reader.name, None));
    let name = format!("idle, {} rooms", reader.rooms.len());
    criterion.bench_function(&name, |bencher| {
        bencher.iter(|| runtime.block_on(reader.sync(&reader.name, Some(&token))));
    });
}

/// Only the answer is timed, not the sending.
fn incremental(criterion: &mut Criterion, runtime: &Runtime, reader: &Reader) {
    let name = format!("incremental, {} rooms", reader.rooms.len());
    criterion.bench_function(&name, |bencher| {
        bencher.iter_custom(|count| {
            runtime.block_on(async {
                let (mut token, _) = reader.sync(&reader.name, None).await;
                let mut spent = Duration::ZERO;
                for (_, room) in (0..count).zip(reader.rooms.iter().cycle()) {
                    reader.server.say("talker", room, "one more").await;
                    let start = Instant::now();
                    token = reader.sync(&reader.name, Some(&token)).await.0;
                    spent += start.elapsed();
                }
                spent
            })
        });
    });
}

/// A hundred members ask for the same message: the time of all their answers.
fn fan_out(criterion: &mut Criterion, runtime: &Runtime) {
    const MEMBERS: usize = 100;
    let reader = runtime.block_on(Reader::new(1));
    let room = reader.rooms.first().expect("a room").clone();
    let names: Vec<String> = (0..MEMBERS).map(|number| format!("member{number}")).collect();
    let mut tokens: Vec<String> = runtime.block_on(async {
        let mut tokens = Vec::new();
        for name in &names {
            reader.server.join(name, &room).await;
        }
        for name in &names {
            tokens.push(reader.sync(name, None).await.0);
        }
        tokens
    });
    criterion.bench_function("fan-out, 100 answers", |bencher| {
        bencher.iter_custom(|count| {
            runtime.block_on(async {
                let mut spent = Duration::ZERO;
                for _ in 0..count {
                    reader.server.say("talker", &room, "to all of you").await;
                    let start = Instant::now();
                    for (name, token) in names.iter().zip(&mut tokens) {
                        *token = reader.sync(name, Some(token)).await.0;
                    }
                    spent += start.elapsed();
                }
                spent
            })
        });
    });
}

/// A first answer, and the answers after joins, to a member of a large room. Only the answers are timed.
fn crowd(criterion: &mut Criterion, runtime: &Runtime, members: usize, is_named: bool) {
    let reader = runtime.block_on(Reader::in_crowd(members, is_named));
    let room = reader.rooms.first().expect("a room");
    let what = if is_named { "members" } else { "members, no name" };
    criterion.bench_function(&format!("first, lazily, {members} {what}"), |bencher| {
        bencher.iter(|| runtime.block_on(reader.sync_lazily(&reader.name, None)));
    });
    let mut joined = 0;
    criterion.bench_function(&format!("after a join, lazily, {members} {what}"), |bencher| {
        bencher.iter_custom(|count| {
            runtime.block_on(async {
                let (mut token, _) = reader.sync_lazily(&reader.name, None).await;
                let mut spent = Duration::ZERO;
                for _ in 0..count {
                    joined += 1;
                    reader.server.join(&format!("newcomer{joined}"), room).await;
                    let start = Instant::now();
                    token = reader.sync_lazily(&reader.name, Some(&token)).await.0;
                    spent += start.elapsed();
                }
                spent
            })
        });
    });
}

/// A connection of sliding sync whose window has so many rooms, as Element X asks for them.
struct Slider<'r> {
    reader: &'r Reader,
    request: SlidingRequest,
}

impl<'r> Slider<'r> {
    fn new(reader: &'r Reader, window: u64) -> Self {
        let names = ["m.room.create", "m.room.name", "m.room.avatar", "m.room.topic", "m.room.encryption"];
        let pattern = |kind: &str| StatePattern { kind: Some(kind.to_owned()), key: Some(String::new()) };
        let wish = RequiredState {
            include: names.iter().map(|kind| pattern(kind)).collect(),
            exclude: Vec::new(),
            lazy_members: true,
        };
        let config = RoomConfig {
            timeline_limit: 1,
            state: StateWishes { wishes: vec![Arc::new(wish)] },
            heroes: true,
        };
        let list = List { ranges: Some(vec![(0, window - 1)]), config, ..List::default() };
        let request = SlidingRequest {
            set_presence: Presence(PresenceState::Offline),
            lists: vec![("all_rooms".to_owned(), list)],
            ..SlidingRequest::default()
        };
        Self { reader, request }
    }

    /// The bytes of the next answer.
    async fn next(&mut self) -> usize {
        let sync = &self.reader.server.sync;
        let actor = user(&self.reader.name);
        let found = sync.sliding_sync(&actor, &self.request).await.expect("something");
        let mut answer = found.answer().await.expect("an answer");
        self.request.pos = Some(answer.pos().to_owned());
        let mut bytes = 0;
        while let Some(part) = answer.part().await.expect("a part") {
            bytes += part.len();
        }
        bytes
    }
}

/// A first page, and one changed room. Only the answers are timed.
fn sliding(criterion: &mut Criterion, runtime: &Runtime, reader: &Reader, window: u64) {
    let rooms = reader.rooms.len();
    criterion.bench_function(&format!("sliding, first {window} of {rooms} rooms"), |bencher| {
        bencher.iter(|| runtime.block_on(Slider::new(reader, window).next()));
    });
    criterion.bench_function(&format!("sliding, one changed room, {window} of {rooms}"), |bencher| {
        bencher.iter_custom(|count| {
            runtime.block_on(async {
                let mut slider = Slider::new(reader, window);
                slider.next().await;
                let mut spent = Duration::ZERO;
                for (_, room) in (0..count).zip(reader.rooms.iter().cycle()) {
                    reader.server.say("talker", room, "one more").await;
                    let start = Instant::now();
                    slider.next().await;
                    spent += start.elapsed();
                }
                spent
            })
        });
    });
}

fn bench(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for rooms in [50, 500] {
        let reader = runtime.block_on(Reader::new(rooms));
        initial(criterion, &runtime, &reader);
        incremental(criterion, &runtime, &reader);
        idle(criterion, &runtime, &reader);
        sliding(criterion, &runtime, &reader, 20);
        sliding(criterion, &runtime, &reader, 500);
    }
    let reader = runtime.block_on(Reader::new(5_000));
    sliding(criterion, &runtime, &reader, 20);
    sliding(criterion, &runtime, &reader, 5_000);
    fan_out(criterion, &runtime);
    crowd(criterion, &runtime, 2_000, true);
    crowd(criterion, &runtime, 500, false);
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(5));
    targets = bench
}
criterion_main!(benches);
