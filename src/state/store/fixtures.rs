//! A room for tests and benches: events are made as a server makes them, and lent as rank 3 does.

use std::collections::{BTreeMap, HashMap};

use plop_db::{Batch, Db};
use plop_state::builder::EventBuilder;
use plop_state::sign::SigningKey;
use plop_state::{Pdu, Rules, StateKey, auth, json, rules};
use plop_state_store::resolver::{EventLoader, LoadedEvent};
use plop_state_store::tree::Root;
use plop_state_store::{EventNumber, Generation, Grove, RoomNumber, StateError, StateStore};
use ruma::{OwnedEventId, OwnedRoomId, RoomVersionId, UserId};
use serde_json::json;

pub const GROVE: Grove = Grove { room: RoomNumber(1), generation: Generation::FIRST };

pub type State = BTreeMap<StateKey, EventNumber>;

pub struct Room {
    pub rules: &'static Rules,
    /// An event's number is its place.
    pub events: Vec<Pdu>,
    pub numbers: HashMap<OwnedEventId, EventNumber>,
    id: Option<OwnedRoomId>,
    key: SigningKey,
}

pub fn user(number: usize) -> String {
    format!("@user-{number}:plop.test")
}

impl Room {
    /// A public room that user 0 has created.
    pub fn new(version: &RoomVersionId) -> (Room, State) {
        let rules = rules(version).expect("a known version");
        let key =
            SigningKey::from_seed("plop.test".try_into().expect("a name"), "1", &[7; 32]).expect("a key");
        let implied = rules.spec.authorization.room_create_event_id_as_room_id;
        let id = (!implied).then(|| "!room:plop.test".try_into().expect("a room id"));
        let mut room = Room { rules, events: Vec::new(), numbers: HashMap::new(), id, key };
        let mut state = State::new();
        let create = json!({ "room_version": version.as_str(), "creator": user(0) });
        room.send(&mut state, 0, "m.room.create", "", create);
        room.id = room.events.first().map(|create| create.room_id().to_owned());
        room.member(&mut state, 0, 0, "join");
        room.send(&mut state, 0, "m.room.power_levels", "", json!({}));
        room.send(&mut state, 0, "m.room.join_rules", "", json!({ "join_rule": "public" }));
        (room, state)
    }

    pub fn send(
        &mut self,
        state: &mut State,
        sender: usize,
        kind: &str,
        key: &str,
        content: serde_json::Value,
    ) -> EventNumber {
        let sender = UserId::parse(user(sender)).expect("a user id");
        let content = json::to_object(&content).expect("an object");
        let types = auth::types_for(kind, &sender, Some(key), &content, self.rules);
        let mut builder = EventBuilder::new(self.id.clone(), kind, sender, content);
        builder.state_key = Some(key.to_owned());
        let auth =
            types.iter().filter_map(|key| state.get(key)).map(|number| self.event(*number).event_id_owned());
        builder.auth_events = auth.cloned().collect();
        let clock = self.events.len() as u64;
        (builder.depth, builder.origin_server_ts) = (clock, clock);
        if self.rules.spec.event_format.require_event_id {
            builder.event_id = Some(format!("${clock}:plop.test").try_into().expect("an id"));
        }
        let event = builder.build(self.rules, &self.key).expect("an event");
        let number = EventNumber(clock);
        state.insert(event.as_state().expect("a state event"), number);
        self.numbers.insert(event.event_id_owned().clone(), number);
        self.events.push(event);
        number
    }

    pub fn member(&mut self, state: &mut State, by: usize, of: usize, membership: &str) -> EventNumber {
        self.send(state, by, "m.room.member", &user(of), json!({ "membership": membership }))
    }

    pub fn event(&self, number: EventNumber) -> &Pdu {
        &self.events[number.0 as usize]
    }

    pub fn auth_of(&self, number: EventNumber) -> Vec<EventNumber> {
        self.event(number).auth_events().iter().map(|id| self.numbers[id]).collect()
    }

    /// Stores the auth graph, and says how many bytes that put.
    pub async fn store_chains(&self, db: &Db, store: &StateStore) -> usize {
        let (mut batch, mut in_flight, mut bytes) = (Batch::relaxed(), Vec::new(), 0);
        for (number, event) in (0..).map(EventNumber).zip(&self.events) {
            let (key, auth) = (event.as_state().expect("a state event"), self.auth_of(number));
            in_flight
                .push(store.chains.add(&mut batch, GROVE.room, number, &key, &auth).await.expect("complete"));
            if batch.size() > 1 << 20 {
                bytes += batch.size();
                db.commit(std::mem::replace(&mut batch, Batch::relaxed())).await.expect("committed");
                in_flight.clear();
            }
        }
        bytes += batch.size();
        db.commit(batch).await.expect("committed");
        bytes
    }
}

/// Stores a state on top of another.
pub async fn store_state(db: &Db, store: &StateStore, base: (Root, &State), state: &State) -> Root {
    let added = state.iter().map(|(key, event)| (key.clone(), Some(*event)));
    let removed = base.1.keys().filter(|key| !state.contains_key(*key)).map(|key| (key.clone(), None));
    let changes = store.tree.changes(&removed.chain(added).collect::<Vec<_>>());
    let mut root = base.0;
    for slice in changes.chunks(10_000) {
        let mut batch = Batch::relaxed();
        let updated = store.tree.update_by_hash(&db.snapshot(), &mut batch, GROVE, root, slice).await;
        root = updated.expect("all nodes are there").0;
        db.commit(batch).await.expect("committed");
    }
    root
}

impl EventLoader for Room {
    type Error = StateError;

    async fn by_number(
        &self,
        _: RoomNumber,
        numbers: &[EventNumber],
    ) -> Result<Vec<Option<LoadedEvent>>, StateError> {
        let load = |number: &EventNumber| {
            let event = self.events.get(number.0 as usize)?.clone();
            Some(LoadedEvent { number: *number, event, rejected: false })
        };
        Ok(numbers.iter().map(load).collect())
    }

    async fn by_id(
        &self,
        room: RoomNumber,
        ids: &[OwnedEventId],
    ) -> Result<Vec<Option<LoadedEvent>>, StateError> {
        let numbers: Vec<_> = ids.iter().map(|id| self.numbers.get(id).copied()).collect();
        let mut loaded = Vec::new();
        for number in numbers {
            let number = number.unwrap_or(EventNumber(u64::MAX));
            loaded.extend(self.by_number(room, &[number]).await?);
        }
        Ok(loaded)
    }
}
