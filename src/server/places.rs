//! Places for connections: how many there are, and how many of them one address may take.
//!
//! Owns: the counts. Does not own: accepting, and what happens on a connection.
//!
//! Invariants: a place is free again when its [`Place`] is gone. Who is near (this machine, private networks) or is a proxy of the admin's
//! stands for many clients, so only the number of all limits it.

use std::net::IpAddr;
use std::sync::Arc;

use metrics::gauge;
use plop_base::Network;
use plop_base::network::is_near;
use plop_base::shares::{Share, Shares};
use plop_config::sections::{Limits, Server};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places for those who ask how the server is: a few collectors and the admin.
const FOR_FIGURES: usize = 32;

/// The places of one or more listeners.
#[derive(Clone)]
pub struct Places {
    all: Arc<Semaphore>,
    /// What one address may have, and has.
    most: u32,
    held: Shares<Network>,
    server: Arc<Server>,
}

/// That an address has one place more, or is not counted.
pub struct PeerShare {
    _share: Option<Share<Network>>,
}

/// A place of a connection.
pub struct Place {
    _all: OwnedSemaphorePermit,
    _share: PeerShare,
}

impl Places {
    /// The places of the listeners that serve the APIs.
    pub fn new(limits: &Limits, server: &Server) -> Self {
        let all = usize::try_from(limits.connections.get()).unwrap_or(usize::MAX);
        Self::of(all, limits.connections_per_address.get(), server)
    }

    /// The places of a listener for figures alone: it answers also when all others are taken.
    pub fn for_figures(server: &Server) -> Self {
        Self::of(FOR_FIGURES, u32::MAX, server)
    }

    fn of(all: usize, most: u32, server: &Server) -> Self {
        let all = Arc::new(Semaphore::new(all.min(Semaphore::MAX_PERMITS)));
        Self { all, most, held: Shares::default(), server: Arc::new(server.clone()) }
    }

    /// One place more for an address; `None` if it has as many as it may.
    pub fn share(&self, peer: IpAddr) -> Option<PeerShare> {
        match self.network(peer) {
            Some(network) => {
                self.held.take(network, self.most).map(|share| PeerShare { _share: Some(share) })
            }
            None => Some(PeerShare { _share: None }),
        }
    }

    /// Waits until there is a place.
    pub async fn place(&self, share: PeerShare) -> Option<Place> {
        // The semaphore is never closed.
        let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        gauge!("plop_connections").increment(1);
        Some(Place { _all: all, _share: share })
    }

    /// By what a peer is counted.
    fn network(&self, peer: IpAddr) -> Option<Network> {
        let address = peer.to_canonical();
        (!is_near(address) && !self.server.trusts_proxy(address)).then(|| Network::of(address))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        gauge!("plop_connections").decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn places(all: usize, most: u32) -> Places {
        let trusted_proxies = vec!["203.0.113.0/24".to_owned().try_into().unwrap()];
        Places::of(all, most, &Server { trusted_proxies, ..Server::default() })
    }

    fn share(places: &Places, peer: &str) -> Option<PeerShare> {
        places.share(peer.parse().unwrap())
    }

    /// Row 17 of the hostile input: 10,000 connections; a cap for each address, other clients unaffected.
    #[tokio::test(start_paused = true)]
    async fn row_17_one_address_has_its_places_and_leaves_the_rest() {
        let places = places(10, 3);
        for (one, same, other) in [
            ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1"),
        ] {
            let mut held: Vec<_> = [one, same, one].map(|peer| share(&places, peer).unwrap()).into();
            assert!(share(&places, one).is_none() && share(&places, same).is_none());
            assert!(share(&places, other).is_some());
            held.pop();
            assert!(share(&places, same).is_some(), "a place is free again");
        }
        assert_eq!(places.held.keys(), 0, "nothing is kept of who is gone");
    }

    #[test]
    fn a_proxy_and_who_is_near_stand_for_many() {
        let places = places(10, 1);
        for peer in
            ["127.0.0.1", "::1", "10.1.2.3", "172.17.0.1", "::ffff:192.168.0.7", "fd00::7", "203.0.113.9"]
        {
            let held = [peer; 5].map(|peer| share(&places, peer));
            assert!(held.iter().all(Option::is_some), "{peer}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_when_all_places_are_taken_waits_for_one() {
        let places = places(1, 5);
        let held = places.place(share(&places, "192.0.2.1").unwrap()).await;
        let next = places.place(share(&places, "192.0.2.2").unwrap());
        let mut next = std::pin::pin!(next);
        assert!(next.as_mut().now_or_never().is_none());
        drop(held);
        assert!(next.as_mut().now_or_never().is_some());
    }
}
