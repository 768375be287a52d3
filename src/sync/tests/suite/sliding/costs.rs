//! What requests cost that find nothing.

use std::cell::Cell;
use std::future::poll_fn;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use plop_ephemeral::{ReceiptKind, Thread};
use plop_state::json::Object;
use plop_sync::sliding::request::{Filters, ToDeviceRequest};
use ruma::RoomId;

use super::bed::{Slider, rooms};
use crate::bed::{Bed, id, json, user};
use crate::ephemeral::read;

const MINUTE: Duration = Duration::from_secs(60);

/// Alice and Bob with some rooms.
struct Scene {
    bed: Bed,
}

impl Scene {
    async fn new() -> Self {
        let bed = Bed::new().await;
        bed.register("alice").await;
        for _ in 0..5 {
            let room = bed.room("alice").await;
            bed.join("bob", &room).await;
            bed.say("bob", &room, "hello").await;
        }
        Self { bed }
    }

    /// A client that asks for everything and has it.
    async fn settled(&self) -> Slider<'_> {
        let mut alice = Slider::new(&self.bed, "alice", 20).with_extensions();
        alice.request.extensions.encryption = true;
        alice.request.extensions.thread_subscriptions = Some(10);
        for _ in 0..3 {
            let answer = alice.next().await;
            let since = answer["extensions"]["to_device"]["next_batch"].as_str().map(str::to_owned);
            alice.request.extensions.to_device = Some(ToDeviceRequest { since, limit: None });
        }
        alice
    }

    /// What is read of the database while a client waits, and how long it waits.
    async fn cost(&self, alice: &mut Slider<'_>) -> (u64, Duration) {
        let reads = || self.bed.db.stats().engine.inline_reads;
        let (read, before) = (reads(), self.bed.clock.monotonic());
        alice.wait(MINUTE).await;
        (reads() - read, self.bed.clock.monotonic() - before)
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_nothing_wakes_reads_nothing() {
    let scene = Scene::new().await;
    let mut alice = scene.settled().await;
    assert_eq!(scene.cost(&mut alice).await, (0, MINUTE));
    let direct = json(r#"{"@bob:plop.example":["!nowhere:plop.example"]}"#);
    scene.bed.set_account_data("alice", None, "m.direct", direct).await;
    alice.list().filters = Filters { is_dm: Some(false), is_encrypted: Some(false), ..Filters::default() };
    alice.next().await;
    alice.next().await;
    assert_eq!(scene.cost(&mut alice).await, (0, MINUTE));
}

/// What is filtered by is read again only where it changed.
#[tokio::test(start_paused = true)]
async fn the_rooms_of_a_space_are_read_once() {
    let scene = Scene::new().await;
    let bed = &scene.bed;
    let (space, child, other) = (bed.room("alice").await, bed.room("alice").await, bed.room("alice").await);
    let via = || json(r#"{"via":["plop.example"]}"#);
    bed.send("alice", &space, "m.space.child", Some(child.as_str()), via()).await;
    let mut alice = scene.settled().await;
    alice.list().filters = Filters { spaces: Some([space.clone()].into()), ..Filters::default() };
    assert_eq!(alice.next().await["lists"]["all"]["count"], 1);
    alice.next().await;
    assert_eq!(scene.cost(&mut alice).await, (0, MINUTE));
    bed.send("alice", &space, "m.space.child", Some(other.as_str()), via()).await;
    assert_eq!(alice.next().await["lists"]["all"]["count"], 2);
    bed.send("alice", &space, "m.space.child", Some(child.as_str()), json("{}")).await;
    assert_eq!(alice.next().await["lists"]["all"]["count"], 1);
    alice.next().await;
    assert_eq!(scene.cost(&mut alice).await, (0, MINUTE));
}

/// It is never sent, so each look meets it.
#[tokio::test(start_paused = true)]
async fn an_invite_that_is_not_wanted_is_read_once() {
    const WISHES: &str = "org.matrix.msc4155.invite_permission_config";
    let scene = Scene::new().await;
    let bed = &scene.bed;
    let other = bed.room("bob").await;
    let outcome = bed.rooms.invite(&user("bob"), &other, &id("alice"), &Object::new()).await;
    outcome.expect("an invite");
    let block = json(r#"{"blocked_users":["@bob:plop.example"]}"#);
    bed.set_account_data("alice", None, WISHES, block).await;
    let mut alice = scene.settled().await;
    assert_eq!(scene.cost(&mut alice).await, (0, MINUTE));
    bed.set_account_data("alice", None, WISHES, Object::new()).await;
    assert!(rooms(&alice.next().await).contains(other.as_str()));
}

/// Says something in a room while a client waits; says how often the client was woken by it.
async fn woken(bed: &Bed, alice: &mut Slider<'_>, room: &RoomId) -> u32 {
    let polls = Cell::new(0);
    let mut waiting = Box::pin(alice.wait(MINUTE));
    let counted = poll_fn(|context| {
        polls.set(polls.get() + 1);
        waiting.as_mut().poll(context).map(drop)
    });
    let woken = Cell::new(0);
    let talk = async {
        bed.clock.sleep(Duration::from_secs(1)).await;
        let before = polls.get();
        let event = bed.say("bob", room, "more").await;
        read(bed, "bob", room, &event, ReceiptKind::Public, Thread::Unthreaded).await;
        bed.clock.sleep(Duration::from_secs(1)).await;
        woken.set(polls.get() - before);
    };
    // Each of them is polled only when it was woken.
    let mut both = FuturesUnordered::from_iter([counted.boxed_local(), talk.boxed_local()]);
    while both.next().await.is_some() {}
    drop(both);
    woken.get()
}

#[tokio::test(start_paused = true)]
async fn a_room_of_others_wakes_nobody() {
    let scene = Scene::new().await;
    let other = scene.bed.room("bob").await;
    let mut alice = scene.settled().await;
    assert_eq!(woken(&scene.bed, &mut alice, &other).await, 0);
    let shared = scene.bed.room("alice").await;
    scene.bed.join("bob", &shared).await;
    let mut alice = scene.settled().await;
    assert!(woken(&scene.bed, &mut alice, &shared).await > 0);
}

/// The first answer on a connection, of rooms that are in memory and of such that are not.
#[tokio::test(start_paused = true)]
async fn what_a_room_of_a_first_answer_reads_does_not_depend_on_how_many_there_are() {
    let scene = Scene::new().await;
    let bed = &scene.bed;
    let mut reads = Vec::new();
    for _ in 0..2 {
        for _ in 0..20 {
            let room = bed.room("alice").await;
            bed.join("bob", &room).await;
            bed.say("bob", &room, "hello").await;
        }
        let restarted = bed.restarted().await;
        let read = || restarted.db.stats().engine.inline_reads;
        for name in ["cold", "warm"] {
            let before = read();
            Slider::new(&restarted, "alice", 100).named(name).next().await;
            reads.push(read() - before);
        }
    }
    // Of the twenty rooms that the second pair has more.
    let [cold, warm] = [(reads[2] - reads[0]) / 20, (reads[3] - reads[1]) / 20];
    assert!(cold <= 45 && warm <= 12, "{cold} and {warm} for each room: {reads:?}");
}
