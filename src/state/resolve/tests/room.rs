//! A room whose every event and state is in memory, and the naive way to find what its forks
//! differ in: whole states, whole auth chains.

use std::collections::{BTreeMap, BTreeSet};

use ruma::{
    EventId, MilliSecondsSinceUnixEpoch, OwnedEventId, RoomId, RoomVersionId, UserId,
    events::TimelineEventType,
    state_res::{self, Event, utils::event_id_set::EventIdSet},
};
use serde_json::value::RawValue;

use crate::{
    auth,
    builder::EventBuilder,
    json,
    pdu::Pdu,
    resolve::{Conflict, Known, Lookup, Resolution, Source, resolve},
    sign::SigningKey,
    state_key::StateKey,
    version::{Rules, rules},
};

pub(super) type State = BTreeMap<StateKey, OwnedEventId>;

pub(super) struct Room {
    pub(super) rules: &'static Rules,
    pub(super) events: BTreeMap<OwnedEventId, Known>,
    /// The state after each event.
    after: BTreeMap<OwnedEventId, State>,
    /// The time of the next event; moves on by itself.
    pub(super) clock: u64,
    key: SigningKey,
}

/// `@name:plop.test`
pub(super) fn user(name: &str) -> String {
    format!("@{name}:plop.test")
}

pub(super) fn state_key(kind: &str, key: &str) -> StateKey {
    StateKey::new(kind, key)
}

impl Room {
    /// A room with its create event, sent by alice, and that event's id.
    pub(super) fn new(version: RoomVersionId) -> (Self, OwnedEventId) {
        let rules = rules(&version).unwrap();
        let server = "plop.test".try_into().unwrap();
        let key = SigningKey::from_seed(server, "1", &[7; 32]).unwrap();
        let mut room = Self { rules, events: BTreeMap::new(), after: BTreeMap::new(), clock: 1, key };
        let mut content = serde_json::json!({ "room_version": version.as_str() });
        if !rules.spec.authorization.use_room_create_sender {
            content["creator"] = user("alice").into();
        }
        let create = room.send(&[], "alice", "m.room.create", Some(""), content);
        (room, create)
    }

    /// A public room in which alice, bob, charlie and dave are joined, alice has power 100, bob 50;
    /// and the event from which to go on.
    pub(super) fn public(version: RoomVersionId) -> (Self, OwnedEventId) {
        let (mut room, mut at) = Self::new(version);
        at = room.member(&at, "alice", "alice", "join");
        at = room.power_levels(&at, "alice", &[("alice", 100), ("bob", 50)]);
        at = room.join_rule(&at, "alice", "public");
        for name in ["bob", "charlie", "dave"] {
            at = room.member(&at, name, name, "join");
        }
        (room, at)
    }

    /// Sends an event after `prev`, authorised by the resolved state there.
    pub(super) fn send(
        &mut self,
        prev: &[&OwnedEventId],
        sender: &str,
        kind: &str,
        key: Option<&str>,
        content: serde_json::Value,
    ) -> OwnedEventId {
        let state = self.before(prev);
        self.send_authorised_by(&state, prev, sender, kind, key, content)
    }

    /// Sends an event whose auth events are taken from `state`.
    pub(super) fn send_authorised_by(
        &mut self,
        state: &State,
        prev: &[&OwnedEventId],
        sender: &str,
        kind: &str,
        key: Option<&str>,
        content: serde_json::Value,
    ) -> OwnedEventId {
        let event = self.build(state, prev, sender, kind, key, content);
        self.insert(event, state)
    }

    /// Makes an event without adding it.
    pub(super) fn build(
        &self,
        state: &State,
        prev: &[&OwnedEventId],
        sender: &str,
        kind: &str,
        key: Option<&str>,
        content: serde_json::Value,
    ) -> Pdu {
        let create = self.events.values().find(|known| known.event.type_name() == "m.room.create");
        let implied = self.rules.spec.authorization.room_create_event_id_as_room_id;
        let room_id = match create {
            Some(create) => Some(create.event.room_id().to_owned()),
            None if implied => None,
            None => Some("!room:plop.test".try_into().unwrap()),
        };
        let sender = UserId::parse(user(sender)).unwrap();
        let content = json::to_object(&content).unwrap();
        let types = auth::types_for(kind, &sender, key, &content, self.rules);
        let mut builder = EventBuilder::new(room_id, kind, sender, content);
        builder.state_key = key.map(str::to_owned);
        builder.prev_events = prev.iter().map(|id| (*id).clone()).collect();
        builder.auth_events = types.iter().filter_map(|key| state.get(key).cloned()).collect();
        let depths = prev.iter().map(|id| self.event(id).depth());
        builder.depth = depths.max().unwrap_or(0) + 1;
        builder.origin_server_ts = self.clock;
        if self.rules.spec.event_format.require_event_id {
            builder.event_id = Some(format!("${}:plop.test", self.events.len()).try_into().unwrap());
        }
        builder.build(self.rules, &self.key).unwrap()
    }

    pub(super) fn insert(&mut self, event: Pdu, before: &State) -> OwnedEventId {
        let id = event.event_id_owned().clone();
        let mut state = before.clone();
        if let Some(key) = event.as_state() {
            state.insert(key, id.clone());
        }
        self.after.insert(id.clone(), state);
        self.events.insert(id.clone(), Known { event, rejected: false });
        self.clock += 1;
        id
    }

    pub(super) fn member(&mut self, at: &OwnedEventId, by: &str, of: &str, membership: &str) -> OwnedEventId {
        let content = serde_json::json!({ "membership": membership });
        self.send(&[at], by, "m.room.member", Some(&user(of)), content)
    }

    pub(super) fn named(&mut self, at: &OwnedEventId, of: &str, name: &str) -> OwnedEventId {
        let content = serde_json::json!({ "membership": "join", "displayname": name });
        self.send(&[at], of, "m.room.member", Some(&user(of)), content)
    }

    /// Sets the levels of `users`; a creator that may not be listed is left out.
    pub(super) fn power_levels(
        &mut self,
        at: &OwnedEventId,
        by: &str,
        users: &[(&str, i64)],
    ) -> OwnedEventId {
        let unlisted = self.rules.spec.authorization.explicitly_privilege_room_creators;
        let users: BTreeMap<String, i64> = users
            .iter()
            .filter(|(name, _)| !(unlisted && *name == "alice"))
            .map(|(name, level)| (user(name), *level))
            .collect();
        let content = serde_json::json!({ "users": users });
        self.send(&[at], by, "m.room.power_levels", Some(""), content)
    }

    pub(super) fn join_rule(&mut self, at: &OwnedEventId, by: &str, rule: &str) -> OwnedEventId {
        let content = serde_json::json!({ "join_rule": rule });
        self.send(&[at], by, "m.room.join_rules", Some(""), content)
    }

    pub(super) fn topic(&mut self, at: &OwnedEventId, by: &str, topic: &str) -> OwnedEventId {
        let content = serde_json::json!({ "topic": topic });
        self.send(&[at], by, "m.room.topic", Some(""), content)
    }

    pub(super) fn event(&self, id: &EventId) -> &Pdu {
        &self.events[id].event
    }

    pub(super) fn after(&self, id: &EventId) -> &State {
        &self.after[id]
    }

    /// The state before an event that follows `prev`.
    pub(super) fn before(&self, prev: &[&OwnedEventId]) -> State {
        let forks: Vec<State> = prev.iter().map(|id| self.after(id).clone()).collect();
        self.resolved(&forks)
    }

    /// The resolution of `forks`, as a whole state.
    pub(super) fn resolved(&self, forks: &[State]) -> State {
        let conflict = self.conflict(forks);
        let source = Loaded { room: self, forks };
        applied(forks, resolve(&conflict, self.rules, &source).unwrap())
    }

    /// What [`Room::resolved`] finds after the events `a` and `b`.
    pub(super) fn merged(&self, a: &EventId, b: &EventId) -> State {
        self.resolved(&[self.after(a).clone(), self.after(b).clone()])
    }

    pub(super) fn conflict(&self, forks: &[State]) -> Conflict {
        let mut keys: BTreeMap<StateKey, BTreeSet<OwnedEventId>> = BTreeMap::new();
        for (key, id) in forks.iter().flatten() {
            if forks.iter().any(|fork| fork.get(key) != Some(id)) {
                keys.entry(key.clone()).or_default().insert(id.clone());
            }
        }
        let chains: Vec<_> = forks.iter().map(|fork| self.auth_chain(fork.values())).collect();
        let in_all = |id: &OwnedEventId| chains.iter().all(|chain| chain.contains(id));
        let auth_difference = chains.iter().flatten().filter(|id| !in_all(id)).cloned().collect();
        let subgraph = self.subgraph(&keys.values().flatten().cloned().collect());
        Conflict { keys, auth_difference, subgraph }
    }

    /// All that can be reached over auth events, without where it begins.
    fn auth_chain<'a>(&self, from: impl Iterator<Item = &'a OwnedEventId>) -> BTreeSet<OwnedEventId> {
        let mut chain = BTreeSet::new();
        let mut pending: Vec<&OwnedEventId> = from.collect::<Vec<_>>();
        pending = pending.into_iter().flat_map(|id| self.event(id).auth_events()).collect();
        while let Some(id) = pending.pop() {
            if chain.insert(id.clone()) {
                pending.extend(self.event(id).auth_events());
            }
        }
        chain
    }

    /// What lies between two of `conflicted`: is reached from one and reaches another.
    fn subgraph(&self, conflicted: &BTreeSet<OwnedEventId>) -> BTreeSet<OwnedEventId> {
        let mut reached = self.auth_chain(conflicted.iter());
        reached.extend(conflicted.iter().cloned());
        reached.retain(|id| {
            conflicted.contains(id) || !self.auth_chain([id].into_iter()).is_disjoint(conflicted)
        });
        reached
    }

    /// The same by ruma.
    pub(super) fn resolved_by_ruma(&self, forks: &[State]) -> State {
        let forks: Vec<state_res::StateMap<OwnedEventId>> = forks
            .iter()
            .map(|fork| fork.iter().map(|(key, id)| (ruma_key(key), id.clone())).collect())
            .collect();
        let chains = forks
            .iter()
            .map(|fork| self.auth_chain(fork.values()).into_iter().collect::<EventIdSet<_>>())
            .collect();
        let resolved = state_res::resolve(
            &self.rules.spec.authorization,
            self.rules.spec.state_res.v2_rules().unwrap(),
            &forks,
            chains,
            |id| self.events.get(id).cloned().map(Judged),
            |conflicted| {
                Some(self.subgraph(&conflicted.values().flatten().cloned().collect()).into_iter().collect())
            },
        );
        let state = resolved.unwrap().into_iter();
        state.map(|((kind, key), id)| (StateKey::new(&kind.to_string(), key), id)).collect()
    }
}

fn ruma_key(key: &StateKey) -> (ruma::events::StateEventType, String) {
    (key.kind().into(), key.key().to_owned())
}

/// `resolution` over what `forks` agree on.
pub(super) fn applied(forks: &[State], resolution: Resolution) -> State {
    let mut state = forks.first().cloned().unwrap_or_default();
    state.retain(|key, id| forks.iter().all(|fork| fork.get(key) == Some(id)));
    for (key, id) in resolution.keys {
        assert!(!state.contains_key(&key), "an unconflicted key was resolved");
        state.extend(id.map(|id| (key, id)));
    }
    state
}

/// A source with everything in memory.
pub(super) struct Loaded<'a> {
    pub(super) room: &'a Room,
    pub(super) forks: &'a [State],
}

impl Source for Loaded<'_> {
    fn event(&self, id: &EventId) -> Lookup<Known> {
        self.room.events.get(id).cloned().map_or(Lookup::Absent, Lookup::Found)
    }

    fn unconflicted(&self, key: &StateKey) -> Lookup<Known> {
        let ids: BTreeSet<_> = self.forks.iter().map(|fork| fork.get(key)).collect();
        assert!(ids.len() < 2, "asked for the conflicted key {key:?}");
        match ids.into_iter().next().flatten() {
            Some(id) => self.event(id),
            None => Lookup::Absent,
        }
    }
}

/// An event for ruma, which wants to know whether it was rejected.
#[derive(Clone)]
struct Judged(Known);

impl Event for Judged {
    type Id = OwnedEventId;

    fn event_id(&self) -> &OwnedEventId {
        self.0.event.event_id_owned()
    }
    fn room_id(&self) -> Option<&RoomId> {
        Event::room_id(&self.0.event)
    }
    fn sender(&self) -> &UserId {
        self.0.event.sender()
    }
    fn origin_server_ts(&self) -> MilliSecondsSinceUnixEpoch {
        self.0.event.origin_server_ts()
    }
    fn event_type(&self) -> &TimelineEventType {
        self.0.event.kind()
    }
    fn content(&self) -> &RawValue {
        Event::content(&self.0.event)
    }
    fn state_key(&self) -> Option<&str> {
        self.0.event.state_key()
    }
    fn prev_events(&self) -> Box<dyn DoubleEndedIterator<Item = &OwnedEventId> + '_> {
        Box::new(self.0.event.prev_events().iter())
    }
    fn auth_events(&self) -> Box<dyn DoubleEndedIterator<Item = &OwnedEventId> + '_> {
        Box::new(self.0.event.auth_events().iter())
    }
    fn redacts(&self) -> Option<&OwnedEventId> {
        None
    }
    fn rejected(&self) -> bool {
        self.0.rejected
    }
}
