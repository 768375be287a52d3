//! One honest server and one that says whatever a test wants it to say.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use plop_base::Random;
use plop_base::clock::UnixMillis;
use plop_db::{Db, Hooks, MemoryDisk};
use plop_rooms::ingest::Verdict;
use plop_rooms::remote::{
    Answer, JoinTemplate, KeysWanted, MissingEvents, RawPdu, Remote, RemoteError, RoomAnswer, RoomPart,
    RoomParts, StateIds,
};
use plop_rooms::schema::Outcome;
use plop_state::builder::EventBuilder;
use plop_state::json::Object;
use plop_state::sign::{SigningKey, VerifyKeys};
use plop_state::{Pdu, Rules, auth};
use ruma::{
    EventId, OwnedEventId, OwnedRoomId, OwnedServerName, OwnedUserId, RoomId, RoomVersionId, ServerName,
    UserId,
};
use tokio::sync::Semaphore;

use crate::suite::bed::{json, keyspaces};
use crate::suite::sim_network::{Server, key};
use crate::suite::sim_room::{admin, create, outcome, picture, view};

/// The other server: what it answers.
#[derive(Default)]
pub struct Puppet {
    pub events: Mutex<BTreeMap<OwnedEventId, RawPdu>>,
    pub states: Mutex<BTreeMap<OwnedEventId, StateIds>>,
    /// How often it was asked for one of them.
    pub asked: AtomicUsize,
    /// It answers as often as there are permits.
    pub held: Mutex<Option<Arc<Semaphore>>>,
    pub missing: Mutex<Vec<RawPdu>>,
    pub history: Mutex<Vec<RawPdu>>,
    /// Whole states, by the event that they come before.
    pub whole: Mutex<BTreeMap<OwnedEventId, Told>>,
    /// Keys of further servers, given by id.
    pub keys: Mutex<VerifyKeys>,
    pub template: Mutex<Option<JoinTemplate>>,
    pub room: Mutex<Told>,
    /// The joins that it was given.
    pub joins: Mutex<Vec<Pdu>>,
    /// What happens before it answers the next one.
    pub meanwhile: Mutex<Option<BoxFuture<'static, ()>>>,
}

/// A state with its auth chain, told in small parts.
#[derive(Debug, Clone, Default)]
pub struct Told {
    pub state: Vec<RawPdu>,
    pub auth_chain: Vec<RawPdu>,
    /// It ends before its end.
    pub breaks_off: bool,
    /// The join that it answers is told as a part of the state before it.
    pub has_join: bool,
}

/// What is left of it.
struct Telling(VecDeque<Result<RoomPart, RemoteError>>);

impl Told {
    fn answer(self) -> RoomAnswer {
        const PART: usize = 7;
        let state = self.state.chunks(PART).map(|events| Ok(RoomPart::State(events.to_vec())));
        let chain = self.auth_chain.chunks(PART).map(|events| Ok(RoomPart::AuthChain(events.to_vec())));
        let end = self.breaks_off.then_some(Err(RemoteError::Unreachable));
        Box::new(Telling(state.chain(chain).chain(end).collect()))
    }
}

impl RoomParts for Telling {
    fn next(&mut self) -> Answer<'_, Option<RoomPart>> {
        let part = self.0.pop_front().transpose();
        Box::pin(async move { part })
    }
}

pub const EVIL: &str = "evil.example";

/// A server that is only heard of through the other one.
pub fn third_name() -> OwnedServerName {
    "third.example".try_into().expect("a name")
}

fn given<T>(value: Option<T>) -> Answer<'static, T>
where
    T: Send + 'static,
{
    Box::pin(async move { value.ok_or(RemoteError::Unreachable) })
}

impl Remote for Puppet {
    fn keys<'a>(&'a self, wanted: &'a KeysWanted) -> Answer<'a, VerifyKeys> {
        // It says that it knows the honest server's key, too.
        let claimed = |name: &str| {
            let name = <&ServerName>::try_from(name).expect("a name");
            let key = key(name, 66);
            (name.to_owned(), BTreeMap::from([(key.id().into(), key.verify_key(UnixMillis(u64::MAX)))]))
        };
        let mut keys = VerifyKeys::from([claimed(EVIL), claimed("s1.example")]);
        for (server, known) in &*self.keys.lock().expect("not poisoned") {
            let asked =
                known.iter().filter(|(id, _)| wanted.get(server).is_some_and(|ids| ids.contains(*id)));
            keys.insert(server.clone(), asked.map(|(id, key)| (id.clone(), key.clone())).collect());
        }
        given(Some(keys))
    }

    fn event<'a>(&'a self, _: &'a ServerName, _: &'a RoomId, event: &'a EventId) -> Answer<'a, RawPdu> {
        given(self.events.lock().expect("not poisoned").get(event).cloned())
    }

    fn event_auth<'a>(&'a self, _: &'a ServerName, _: &'a RoomId, _: &'a EventId) -> Answer<'a, RoomAnswer> {
        given(None)
    }

    fn state_ids<'a>(&'a self, _: &'a ServerName, _: &'a RoomId, event: &'a EventId) -> Answer<'a, StateIds> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let told = self.states.lock().expect("not poisoned").get(event).cloned();
        let held = self.held.lock().expect("not poisoned").clone();
        Box::pin(async move {
            if let Some(held) = held {
                held.acquire().await.expect("open").forget();
            }
            told.ok_or(RemoteError::Unreachable)
        })
    }

    fn state<'a>(&'a self, _: &'a ServerName, _: &'a RoomId, event: &'a EventId) -> Answer<'a, RoomAnswer> {
        given(self.whole.lock().expect("not poisoned").get(event).cloned().map(Told::answer))
    }

    fn missing_events<'a>(
        &'a self,
        _: &'a ServerName,
        _: &'a RoomId,
        _: &'a MissingEvents,
    ) -> Answer<'a, Vec<RawPdu>> {
        given(Some(self.missing.lock().expect("not poisoned").clone()))
    }

    fn backfill<'a>(
        &'a self,
        _: &'a ServerName,
        _: &'a RoomId,
        _: &'a [OwnedEventId],
        _: usize,
    ) -> Answer<'a, Vec<RawPdu>> {
        given(Some(self.history.lock().expect("not poisoned").clone()))
    }

    fn make_join<'a>(
        &'a self,
        _: &'a ServerName,
        _: &'a RoomId,
        _: &'a UserId,
        _: &'a [RoomVersionId],
    ) -> Answer<'a, JoinTemplate> {
        given(self.template.lock().expect("not poisoned").clone())
    }

    fn send_join<'a>(&'a self, _: &'a ServerName, _: &'a RoomId, join: &'a Pdu) -> Answer<'a, RoomAnswer> {
        self.joins.lock().expect("not poisoned").push(join.clone());
        let mut told = self.room.lock().expect("not poisoned").clone();
        if told.has_join {
            told.state.push(join.canonical().into());
        }
        let meanwhile = self.meanwhile.lock().expect("not poisoned").take();
        Box::pin(async move {
            if let Some(work) = meanwhile {
                work.await;
            }
            Ok(told.answer())
        })
    }
}

/// A room of the honest server that a user of the other one has joined.
pub struct Scene {
    pub server: Server,
    pub puppet: Arc<Puppet>,
    pub room: OwnedRoomId,
    pub rules: &'static Rules,
    pub key: SigningKey,
    /// The user of the other server.
    pub evil: OwnedUserId,
}

impl Scene {
    pub async fn new(version: RoomVersionId) -> Self {
        Self::on_disk(&MemoryDisk::new(), version).await
    }

    /// The same on a disk that a test may fill.
    pub async fn on_disk(disk: &MemoryDisk, version: RoomVersionId) -> Self {
        let puppet = Arc::new(Puppet::default());
        let name = "s1.example".try_into().expect("a name");
        let db = Db::memory_on(disk, keyspaces(), Hooks::default(), &Random::seeded(1)).expect("a database");
        let server = Server::on(db, name, 1, 1, Arc::clone(&puppet) as Arc<dyn Remote>).await;
        let room = create(std::slice::from_ref(&server), &version).await;
        let evil_server = <&ServerName>::try_from(EVIL).expect("a name");
        let evil = OwnedUserId::try_from(format!("@user:{EVIL}")).expect("a user id");
        let rules = plop_state::rules(&version).expect("a known version");
        let scene = Self { server, puppet, room, rules, key: key(evil_server, 66), evil };
        scene.join(&scene.evil.clone()).await;
        scene
    }

    /// The honest server with nothing of what was in memory.
    pub async fn restarted(&self) -> Server {
        let (db, name) = (self.server.rooms.core().db.clone(), self.server.name.clone());
        Server::on(db, name, 1, 2, Arc::clone(&self.puppet) as Arc<dyn Remote>).await
    }

    /// The same two servers in another room.
    pub fn in_room(&self, room: OwnedRoomId) -> Self {
        let (server, puppet) = (self.server.clone(), Arc::clone(&self.puppet));
        let key = key(self.evil_server(), 66);
        Self { server, puppet, room, rules: self.rules, key, evil: self.evil.clone() }
    }

    /// The same room as a third server writes it, whose key nobody knows at first.
    pub fn third(&self) -> Self {
        Self { key: key(&third_name(), 77), ..self.in_room(self.room.clone()) }
    }

    /// The key of the third server can be had from now on.
    pub fn knows_third(&self) {
        let key = key(&third_name(), 77);
        let known = BTreeMap::from([(key.id().into(), key.verify_key(UnixMillis(u64::MAX)))]);
        self.puppet.keys.lock().expect("not poisoned").insert(third_name(), known);
    }

    pub fn evil_server(&self) -> &ServerName {
        self.evil.server_name()
    }

    /// A user of the other server joins as it should.
    pub async fn join(&self, user: &OwnedUserId) {
        let join = self.next(user, "m.room.member", Some(user.as_str()), r#"{"membership":"join"}"#).await;
        let raw = join.canonical().into();
        let served =
            self.server.ingest.serve_send_join(self.evil_server(), &self.room, join.event_id(), &raw).await;
        served.expect("let in");
    }

    /// An event of the other server on top of what is here.
    pub async fn next(&self, sender: &UserId, kind: &str, state_key: Option<&str>, content: &str) -> Pdu {
        let forward_extremities: Vec<_> =
            picture(&self.server, &self.room).await.forward_extremities.into_iter().collect();
        self.on(&forward_extremities, sender, kind, state_key, content).await
    }

    /// An event of the other server on top of these, citing what the current state has.
    pub async fn on(
        &self,
        prev: &[OwnedEventId],
        sender: &UserId,
        kind: &str,
        state_key: Option<&str>,
        content: &str,
    ) -> Pdu {
        let content = json(content);
        let state = picture(&self.server, &self.room).await.state;
        let keys = auth::types_for(kind, sender, state_key, &content, self.rules);
        let cited: Vec<_> = keys.iter().filter_map(|key| state.get(&format!("{key:?}")).cloned()).collect();
        self.build(self.room.clone(), prev, &cited, sender, kind, state_key, content)
    }

    /// Any event, signed by the other server.
    #[expect(clippy::too_many_arguments, reason = "an event has these parts")]
    pub fn build(
        &self,
        room: OwnedRoomId,
        prev: &[OwnedEventId],
        cited: &[OwnedEventId],
        sender: &UserId,
        kind: &str,
        state_key: Option<&str>,
        content: Object,
    ) -> Pdu {
        let mut builder = EventBuilder::new(Some(room), kind, sender.to_owned(), content);
        builder.state_key = state_key.map(ToOwned::to_owned);
        (builder.prev_events, builder.auth_events) = (prev.to_vec(), cited.to_vec());
        (builder.depth, builder.origin_server_ts) = (100, self.server.rooms.core().clock.now().0);
        if self.rules.spec.event_format.require_event_id {
            let name = self.server.rooms.core().random.token(18);
            builder.event_id = EventId::parse(format!("${name}:{EVIL}")).ok();
        }
        builder.build(self.rules, &self.key).expect("an event")
    }

    pub async fn receive(&self, event: &Pdu) -> Verdict {
        let raw: RawPdu = event.canonical().into();
        self.server.ingest.receive(self.evil_server(), &raw).await.verdict.expect("the store works")
    }

    pub async fn outcome(&self, event: &Pdu) -> Option<Outcome> {
        let number = view(&self.server, &self.room).await.number;
        outcome(&self.server, number, event.event_id_owned()).await
    }

    pub fn admin(&self) -> OwnedUserId {
        admin(&self.server)
    }

    /// The puppet can show an event.
    pub fn shows(&self, event: &Pdu) {
        let mut events = self.puppet.events.lock().expect("not poisoned");
        events.insert(event.event_id_owned().clone(), event.canonical().into());
    }

    /// The puppet tells the current state as that before an event, with something more in it.
    pub async fn tells_state(&self, event: &Pdu, more: &[&Pdu]) {
        let mut state: Vec<_> = picture(&self.server, &self.room).await.state.into_values().collect();
        state.extend(more.iter().map(|event| event.event_id_owned().clone()));
        let told = StateIds { state, auth_chain: Vec::new() };
        self.puppet.states.lock().expect("not poisoned").insert(event.event_id_owned().clone(), told);
    }
}
