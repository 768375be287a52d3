//! Servers in one process and the network between them: delay, loss, partition, all from one seed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use plop_base::clock::{Clock, UnixMillis};
use plop_base::{Random, Tasks};
use plop_bed::{Ground, START};
use plop_db::Db;
use plop_rooms::ingest::Ingest;
use plop_rooms::remote::{
    Answer, JoinTemplate, KeysWanted, MissingEvents, RawPdu, Remote, RemoteError, RoomAnswer, RoomPart,
    RoomParts, StateIds,
};
use plop_rooms::serve::{Part, ServeError, ServeJoinError, ServedPages};
use plop_rooms::{RoomEvent, Rooms};
use plop_state::Pdu;
use plop_state::sign::VerifyKeys;
use ruma::{EventId, OwnedEventId, OwnedServerName, RoomId, RoomVersionId, ServerName, UserId};

pub use crate::suite::bed_rooms::key;
use crate::suite::bed_rooms::{keyspaces, rooms};

/// A server.
#[derive(Clone)]
pub struct Server {
    pub name: OwnedServerName,
    pub rooms: Rooms,
    pub ingest: Ingest,
}

impl Server {
    /// A server that asks others through `remote`. The number makes its key and its random numbers.
    pub async fn new(name: OwnedServerName, number: u8, seed: u64, remote: Arc<dyn Remote>) -> Self {
        let db = Db::memory(keyspaces(), &Random::seeded(seed)).expect("a database");
        Self::on(db, name, number, seed, remote).await
    }

    /// The same on an existing database, as after a restart.
    pub async fn on(db: Db, name: OwnedServerName, number: u8, seed: u64, remote: Arc<dyn Remote>) -> Self {
        let random = Random::seeded(seed.wrapping_mul(31).wrapping_add(u64::from(number)));
        let ground = Ground::on(db, random.clone());
        let tasks = Tasks::new(ground.clock.clone(), random);
        let rooms = rooms(&ground, key(&name, number)).await;
        Self { name, ingest: Ingest::new(rooms.clone(), remote, tasks), rooms }
    }
}

/// Servers and what is between them.
pub struct Network {
    random: Random,
    pub clock: Clock,
    servers: Mutex<BTreeMap<OwnedServerName, Server>>,
    /// Pairs that do not reach each other, in both orders.
    cut: Mutex<BTreeSet<(OwnedServerName, OwnedServerName)>>,
    /// Of a thousand messages, how many are lost.
    loss: Mutex<u64>,
}

impl Network {
    /// `count` servers.
    pub async fn new(count: u8, seed: u64) -> Arc<Self> {
        let network = Arc::new(Self {
            random: Random::seeded(seed),
            clock: Clock::simulated(START),
            servers: Mutex::default(),
            cut: Mutex::default(),
            loss: Mutex::new(0),
        });
        for number in 1..=count {
            let name: OwnedServerName = format!("s{number}.example").try_into().expect("a server name");
            let link = Arc::new(Link { network: Arc::clone(&network), from: name.clone() });
            let server = Server::new(name.clone(), number, seed, link).await;
            network.servers.lock().expect("not poisoned").insert(name, server);
        }
        network
    }

    pub fn servers(&self) -> Vec<Server> {
        self.servers.lock().expect("not poisoned").values().cloned().collect()
    }

    pub fn random(&self) -> &Random {
        &self.random
    }

    pub fn set_loss(&self, per_mille: u64) {
        *self.loss.lock().expect("not poisoned") = per_mille;
    }

    /// Cuts one server off, or with `None` heals everything.
    pub fn isolate(&self, alone: Option<&ServerName>) {
        let mut cut = self.cut.lock().expect("not poisoned");
        cut.clear();
        let Some(alone) = alone else { return };
        for server in self.servers().iter().filter(|server| server.name != alone) {
            cut.insert((alone.to_owned(), server.name.clone()));
            cut.insert((server.name.clone(), alone.to_owned()));
        }
    }

    /// One way of a message.
    pub async fn travel(&self, from: &ServerName, to: &ServerName) -> Result<Server, RemoteError> {
        self.clock.sleep(Duration::from_millis(1 + self.random.below(60))).await;
        let lost = self.random.below(1000) < *self.loss.lock().expect("not poisoned");
        let is_cut = self.cut.lock().expect("not poisoned").contains(&(from.to_owned(), to.to_owned()));
        if lost || is_cut {
            return Err(RemoteError::Unreachable);
        }
        let servers = self.servers.lock().expect("not poisoned");
        servers.get(to).cloned().ok_or(RemoteError::Unreachable)
    }
}

/// How one server reaches the others.
struct Link {
    network: Arc<Network>,
    from: OwnedServerName,
}

impl Link {
    /// A request and its answer, either of which may get lost.
    async fn ask<T, E: std::fmt::Display>(
        &self,
        to: &ServerName,
        serve: impl AsyncFnOnce(Server) -> Result<T, E>,
    ) -> Result<T, RemoteError> {
        let server = self.network.travel(&self.from, to).await?;
        let answer = serve(server).await.map_err(|error| RemoteError::Refused(error.to_string()))?;
        self.network.travel(to, &self.from).await?;
        Ok(answer)
    }
}

fn raw(events: Vec<Arc<RoomEvent>>) -> Vec<RawPdu> {
    events.iter().map(|event| event.pdu.canonical().into()).collect()
}

/// What another server gives, read while it is taken in.
struct Given {
    join: Option<RawPdu>,
    pages: ServedPages,
}

impl Given {
    fn pages(pages: ServedPages) -> RoomAnswer {
        Box::new(Self { join: None, pages })
    }
}

impl RoomParts for Given {
    fn next(&mut self) -> Answer<'_, Option<RoomPart>> {
        Box::pin(async move {
            if let Some(join) = self.join.take() {
                return Ok(Some(RoomPart::Join(join)));
            }
            let page = self.pages.events().await.map_err(|error| RemoteError::Refused(error.to_string()))?;
            Ok(page.map(|(part, events)| match part {
                Part::State => RoomPart::State(raw(events)),
                Part::AuthChain => RoomPart::AuthChain(raw(events)),
            }))
        })
    }
}

/// The ids of a state and its auth chain.
pub async fn whole_ids(mut served: ServedPages) -> Result<StateIds, ServeError> {
    let mut whole = StateIds::default();
    while let Some((part, ids)) = served.ids().await? {
        match part {
            Part::State => whole.state.extend(ids),
            Part::AuthChain => whole.auth_chain.extend(ids),
        }
    }
    Ok(whole)
}

impl Remote for Link {
    fn keys<'a>(&'a self, wanted: &'a KeysWanted) -> Answer<'a, VerifyKeys> {
        let servers = self.network.servers();
        let of = |server: Server| {
            let key = &server.rooms.core().key;
            let known = BTreeMap::from([(key.id().into(), key.verify_key(UnixMillis(u64::MAX)))]);
            (server.name.clone(), known)
        };
        let keys = servers.into_iter().filter(|server| wanted.contains_key(&server.name)).map(of).collect();
        Box::pin(async move { Ok(keys) })
    }

    fn event<'a>(
        &'a self,
        server: &'a ServerName,
        room: &'a RoomId,
        event: &'a EventId,
    ) -> Answer<'a, RawPdu> {
        Box::pin(self.ask(server, async move |server: Server| {
            let event = server.rooms.serve_event(&self.from, room, event).await?;
            Ok::<_, ServeError>(event.pdu.canonical().into())
        }))
    }

    fn event_auth<'a>(
        &'a self,
        server: &'a ServerName,
        room: &'a RoomId,
        event: &'a EventId,
    ) -> Answer<'a, RoomAnswer> {
        Box::pin(self.ask(server, async move |server: Server| {
            server.rooms.serve_event_auth(&self.from, room, event).await.map(Given::pages)
        }))
    }

    fn state_ids<'a>(
        &'a self,
        server: &'a ServerName,
        room: &'a RoomId,
        event: &'a EventId,
    ) -> Answer<'a, StateIds> {
        Box::pin(self.ask(server, async move |server: Server| {
            whole_ids(server.rooms.serve_state_ids(&self.from, room, event).await?).await
        }))
    }

    fn state<'a>(
        &'a self,
        server: &'a ServerName,
        room: &'a RoomId,
        event: &'a EventId,
    ) -> Answer<'a, RoomAnswer> {
        Box::pin(self.ask(server, async move |server: Server| {
            server.rooms.serve_state(&self.from, room, event).await.map(Given::pages)
        }))
    }

    fn missing_events<'a>(
        &'a self,
        server: &'a ServerName,
        room: &'a RoomId,
        wanted: &'a MissingEvents,
    ) -> Answer<'a, Vec<RawPdu>> {
        Box::pin(self.ask(server, async move |server: Server| {
            server.rooms.serve_missing_events(&self.from, room, wanted).await.map(raw)
        }))
    }

    fn backfill<'a>(
        &'a self,
        server: &'a ServerName,
        room: &'a RoomId,
        from: &'a [OwnedEventId],
        limit: usize,
    ) -> Answer<'a, Vec<RawPdu>> {
        Box::pin(self.ask(server, async move |server: Server| {
            server.rooms.serve_backfill(&self.from, room, from, limit).await.map(raw)
        }))
    }

    fn make_join<'a>(
        &'a self,
        server: &'a ServerName,
        room: &'a RoomId,
        user: &'a UserId,
        versions: &'a [RoomVersionId],
    ) -> Answer<'a, JoinTemplate> {
        Box::pin(self.ask(server, async move |server: Server| {
            server.rooms.serve_make_join(&self.from, room, user, versions).await
        }))
    }

    fn send_join<'a>(
        &'a self,
        server: &'a ServerName,
        room: &'a RoomId,
        join: &'a Pdu,
    ) -> Answer<'a, RoomAnswer> {
        Box::pin(self.ask(server, async move |server: Server| {
            let given = join.canonical().into();
            let served = server.ingest.serve_send_join(&self.from, room, join.event_id(), &given).await?;
            let given = Given { join: Some(served.event.canonical().into()), pages: served.state };
            Ok::<RoomAnswer, ServeJoinError>(Box::new(given))
        }))
    }
}
