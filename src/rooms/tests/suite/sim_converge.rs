//! Honest servers on a bad network converge: one state, the same forward extremities, nothing lost, nothing twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use plop_base::Random;
use ruma::{OwnedRoomId, RoomVersionId};
use tokio::task::JoinSet;

use crate::sim_network::{Network, Server};
use crate::sim_room::{
    act, actor, admin, create, deliver, message, nothing_is_lost, picture, send, timeline,
};

/// Actions of each server while the network is bad.
const ACTIONS: u64 = 40;

/// Prints the seed of a run that fails.
struct Seed(u8, u64, RoomVersionId);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("simulation failed: {} servers, seed {}, room version {}", self.0, self.1, self.2);
        }
    }
}

async fn converge(count: u8, seed: u64, version: &RoomVersionId) {
    let _seed = Seed(count, seed, version.clone());
    let network = Network::new(count, seed).await;
    let servers = network.servers();
    let room = create(&servers, version).await;
    let mut deliveries = JoinSet::new();
    for from in &servers {
        for to in servers.iter().filter(|to| to.name != from.name) {
            deliveries.spawn(deliver(Arc::clone(&network), from.clone(), to.clone(), room.clone()));
        }
    }
    for (index, server) in servers.iter().enumerate().skip(1) {
        let via = servers[..index].iter().map(|server| server.name.clone()).collect::<Vec<_>>();
        server.ingest.join(&actor(&admin(server)), &room, &via).await.expect("joined");
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let before: BTreeSet<_> = everything(&servers, &room).await;
    chaos(&network, &servers, &room, seed).await;
    network.isolate(None);
    network.set_loss(0);
    settle(&servers, &room).await;
    for round in 0..2 {
        for server in &servers {
            send(server, &room, message(admin(server), &format!("calm {round}"))).await.expect("allowed");
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
    }
    tokio::task::yield_now().await;
    // A delivery that has panicked has its own message.
    while let Some(ended) = deliveries.try_join_next() {
        ended.expect("no delivery fails");
    }
    deliveries.abort_all();
    let first = picture(&servers[0], &room).await;
    assert_eq!(first.tips.len(), 1, "the last message has gathered all forks");
    for server in &servers[1..] {
        assert_eq!(picture(server, &room).await, first, "{} sees another room", server.name);
    }
    nothing_is_lost(&servers, &room, &before).await;
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
async fn chaos(network: &Arc<Network>, servers: &[Server], room: &OwnedRoomId, seed: u64) {
    network.set_loss(150);
    let mut acting = JoinSet::new();
    for (index, server) in (1..).zip(servers) {
        let (servers, server, room) = (servers.to_vec(), server.clone(), room.clone());
        let random = Random::seeded(seed ^ (index << 32));
        acting.spawn(async move {
            for count in 0..ACTIONS {
                act(&servers, &server, &room, &random, count).await;
                tokio::time::sleep(Duration::from_millis(random.below(80))).await;
            }
        });
    }
    let random = Random::seeded(seed ^ 0xcafe);
    while !acting.is_empty() {
        let alone = &servers[usize::try_from(random.below(servers.len() as u64)).expect("small")];
        network.isolate((random.below(3) > 0).then_some(&alone.name));
        tokio::time::sleep(Duration::from_millis(100 + random.below(700))).await;
        while let Some(ended) = acting.try_join_next() {
            ended.expect("no action fails");
        }
    }
}

/// The network is well again: what waits is judged.
async fn settle(servers: &[Server], room: &OwnedRoomId) {
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        for server in servers {
            for other in servers.iter().filter(|other| other.name != server.name) {
                server.ingest.retry_waiting(&other.name, room).await.expect("the store works");
            }
        }
    }
}

async fn all_versions(count: u8, seeds: std::ops::Range<u64>) {
    for rules in &plop_state::version::ALL {
        for seed in seeds.clone() {
            converge(count, seed, &rules.version).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_servers_converge_in_every_version() {
    all_versions(2, 0..3).await;
}

#[tokio::test(start_paused = true)]
async fn three_servers_converge_in_every_version() {
    all_versions(3, 10..12).await;
}
