//! Honest servers on a bad network converge: one state, the same forward extremities, nothing lost, nothing twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use plop_base::Random;
use plop_rooms::schema::Outcome;
use ruma::{OwnedRoomId, RoomVersionId};
use tokio::task::JoinSet;

use crate::suite::sim_network::{Network, Server};
use crate::suite::sim_room::{
    act, actor, admin, create, deliver, message, nothing_is_lost, outcome, picture, send, timeline, view,
};

/// Actions of each server while the network is bad.
const ACTIONS: u64 = 40;

/// Prints the seed of a run that fails.
struct Seed(u8, u64, RoomVersionId);

impl Drop for Seed {
    #[expect(clippy::disallowed_macros, reason = "a failed run has to tell its seed")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("simulation failed: {} servers, seed {}, room version {}", self.0, self.1, self.2);
        }
    }
}

/// How bad the network was: what shows that a run has tested something.
#[derive(Debug, Default)]
struct Trouble {
    /// The most forward extremities that a server had at once.
    forks: usize,
    /// Events that a server has soft-failed.
    soft_failed: usize,
}

async fn converge(count: u8, seed: u64, version: &RoomVersionId) -> Trouble {
    let _seed = Seed(count, seed, version.clone());
    let network = Network::new(count, seed).await;
    let servers = network.servers();
    let room = create(&servers, version).await;
    let clock = servers[0].rooms.core().clock.clone();
    let mut deliveries = JoinSet::new();
    for from in &servers {
        for to in servers.iter().filter(|to| to.name != from.name) {
            deliveries.spawn(deliver(Arc::clone(&network), from.clone(), to.clone(), room.clone()));
        }
    }
    for (index, server) in servers.iter().enumerate().skip(1) {
        let via = servers[..index].iter().map(|server| server.name.clone()).collect::<Vec<_>>();
        server.ingest.join(&actor(&admin(server)), &room, &via).await.expect("joined");
        clock.sleep(Duration::from_secs(2)).await;
    }
    let before: BTreeSet<_> = everything(&servers, &room).await;
    let forks = chaos(&network, &servers, &room, seed).await;
    network.isolate(None);
    network.set_loss(0);
    settle(&servers, &room).await;
    for round in 0..2 {
        for server in &servers {
            send(server, &room, message(admin(server), &format!("calm {round}"))).await.expect("allowed");
            clock.sleep(Duration::from_secs(3)).await;
        }
    }
    tokio::task::yield_now().await;
    // A delivery that has panicked has its own message.
    while let Some(ended) = deliveries.try_join_next() {
        ended.expect("no delivery fails");
    }
    deliveries.abort_all();
    let first = picture(&servers[0], &room).await;
    assert_eq!(first.forward_extremities.len(), 1, "the last message has gathered all forks");
    for server in &servers[1..] {
        assert_eq!(picture(server, &room).await, first, "{} sees another room", server.name);
    }
    nothing_is_lost(&servers, &room, &before).await;
    fill_history(&servers, &room).await;
    for server in &servers {
        assert_eq!(picture(server, &room).await, first, "history has changed the room of {}", server.name);
    }
    Trouble { forks, soft_failed: soft_failed(&servers, &room).await }
}

/// Everybody asks the first server for what was before it joined, and ends with what that server has shown.
async fn fill_history(servers: &[Server], room: &OwnedRoomId) {
    const MANY: usize = 100;
    let Some((first, others)) = servers.split_first() else { return };
    for server in others {
        let mut rounds = 0;
        while server.ingest.backfill(&first.name, room, MANY).await.expect("the store works") > 0 {
            rounds += 1;
            assert!(rounds < MANY, "history has an end");
        }
        let number = view(server, room).await.number;
        for event in timeline(first, room).await {
            let outcome = outcome(server, number, event.pdu.event_id_owned()).await;
            let id = event.pdu.event_id();
            assert!(
                matches!(outcome, Some(Outcome::Accepted | Outcome::SoftFailed)),
                "{id} is {outcome:?} on {}",
                server.name
            );
        }
    }
}

/// Events that were shown by one server and soft-failed by another one.
async fn soft_failed(servers: &[Server], room: &OwnedRoomId) -> usize {
    let mut count = 0;
    for server in servers {
        let number = view(server, room).await.number;
        for id in everything(servers, room).await {
            count += usize::from(outcome(server, number, &id).await == Some(Outcome::SoftFailed));
        }
    }
    count
}

/// Everything that any server has shown.
async fn everything(servers: &[Server], room: &OwnedRoomId) -> BTreeSet<ruma::OwnedEventId> {
    let mut events = BTreeSet::new();
    for server in servers {
        events.extend(timeline(server, room).await.iter().map(|event| event.pdu.event_id_owned().clone()));
    }
    events
}

/// Everybody acts at once while messages get lost and servers are cut off.
async fn chaos(network: &Arc<Network>, servers: &[Server], room: &OwnedRoomId, seed: u64) -> usize {
    let mut forks = 0;
    network.set_loss(150);
    let mut acting = JoinSet::new();
    for (index, server) in (1..).zip(servers) {
        let (servers, server, room) = (servers.to_vec(), server.clone(), room.clone());
        let random = Random::seeded(seed ^ (index << 32));
        acting.spawn(async move {
            for count in 0..ACTIONS {
                act(&servers, &server, &room, &random, count).await;
                server.rooms.core().clock.sleep(Duration::from_millis(random.below(80))).await;
            }
        });
    }
    let random = Random::seeded(seed ^ 0xcafe);
    while !acting.is_empty() {
        let alone = &servers[usize::try_from(random.below(servers.len() as u64)).expect("small")];
        network.isolate((random.below(3) > 0).then_some(&alone.name));
        alone.rooms.core().clock.sleep(Duration::from_millis(100 + random.below(700))).await;
        while let Some(ended) = acting.try_join_next() {
            ended.expect("no action fails");
        }
        for server in servers {
            let number = view(server, room).await.number;
            let reading = server.rooms.writer(number).await.expect("the guard").reading();
            forks = forks.max(reading.forward_extremities().len());
        }
    }
    forks
}

/// The network is well again: what waits is judged.
async fn settle(servers: &[Server], room: &OwnedRoomId) {
    for _ in 0..3 {
        for server in servers {
            server.rooms.core().clock.sleep(Duration::from_secs(5)).await;
            for other in servers.iter().filter(|other| other.name != server.name) {
                server.ingest.retry_waiting(&other.name, room).await.expect("the store works");
            }
        }
    }
}

async fn all_versions(count: u8, seeds: std::ops::Range<u64>) {
    let mut worst = Trouble::default();
    for rules in &plop_state::version::ALL {
        for seed in seeds.clone() {
            let trouble = converge(count, seed, &rules.version).await;
            worst.forks = worst.forks.max(trouble.forks);
            worst.soft_failed += trouble.soft_failed;
        }
    }
    assert!(
        worst.forks >= usize::from(count) && worst.soft_failed > 0,
        "the network was too good: {worst:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn two_servers_converge_in_every_version() {
    all_versions(2, 0..3).await;
}

#[tokio::test(start_paused = true)]
async fn three_servers_converge_in_every_version() {
    all_versions(3, 10..12).await;
}

/// More of the same, for whoever has changed something here.
/// In this run of version 2 the create event is redacted, which its rules allow to everybody of its server.
#[tokio::test(start_paused = true)]
async fn b3_50_a_redacted_create_event_keeps_its_room() {
    converge(3, 1_002, &ruma::RoomVersionId::V2).await;
}

#[tokio::test(start_paused = true)]
#[ignore = "long"]
async fn many_seeds_converge() {
    all_versions(3, 1_000..1_020).await;
}
