//! Clients of sliding sync.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use plop_base::Actor;
use plop_ephemeral::PresenceState;
use plop_sync::sliding::answer::SlidingAnswer;
use plop_sync::sliding::request::{
    Extensions, List, Presence, RoomConfig, Scope, SlidingError, SlidingRequest, ToDeviceRequest,
};
use plop_sync::sliding::required_state::{MEMBER, RequiredState, StatePattern, StateWishes};
use ruma::RoomId;
use serde_json::Value;

use crate::bed::{Bed, user};

/// A connection of a client, which goes on from where it came to.
#[derive(Clone)]
pub struct Slider<'b> {
    pub bed: &'b Bed,
    pub actor: Actor,
    pub request: SlidingRequest,
}

/// State by type and key, `*` for any. `lazy` in the place of a key: members with the events that need them.
pub fn wishes(patterns: &[(&str, &str)]) -> StateWishes {
    let word = |word: &str| (word != "*").then(|| word.to_owned());
    let lazy_members = patterns.contains(&(MEMBER, "lazy"));
    let include = patterns
        .iter()
        .filter(|(_, key)| *key != "lazy")
        .map(|(kind, key)| StatePattern { kind: word(kind), key: word(key) })
        .collect();
    StateWishes { wishes: vec![Arc::new(RequiredState { include, exclude: Vec::new(), lazy_members })] }
}

pub fn config(timeline_limit: u32, patterns: &[(&str, &str)]) -> RoomConfig {
    RoomConfig { timeline_limit, state: wishes(patterns), heroes: true }
}

impl<'b> Slider<'b> {
    /// A list `all` with a window of this many rooms, whose last event is wanted.
    pub fn new(bed: &'b Bed, name: &str, window: u64) -> Self {
        let list = List {
            ranges: Some(vec![(0, window - 1)]),
            config: config(1, &[("m.room.create", "")]),
            ..List::default()
        };
        let request = SlidingRequest {
            set_presence: Presence(PresenceState::Offline),
            lists: vec![("all".to_owned(), list)],
            ..SlidingRequest::default()
        };
        Self { bed, actor: user(name), request }
    }

    /// The same under another name.
    pub fn named(mut self, connection: &str) -> Self {
        self.request.connection = connection.to_owned();
        self
    }

    /// The first list.
    pub fn list(&mut self) -> &mut List {
        &mut self.request.lists[0].1
    }

    /// The other window of the list.
    pub fn window(&mut self, rooms: u64) {
        self.list().ranges = Some(vec![(0, rooms - 1)]);
    }

    pub fn subscribe(&mut self, room: &RoomId, config: RoomConfig) {
        self.request.subscriptions.push((room.to_owned(), config));
    }

    /// Everything beside rooms but encryption.
    pub fn with_extensions(mut self) -> Self {
        self.request.extensions = Extensions {
            encryption: false,
            to_device: Some(ToDeviceRequest::default()),
            account_data: Some(Scope::default()),
            receipts: Some(Scope::default()),
            typing: Some(Scope::default()),
            thread_subscriptions: None,
        };
        self
    }

    /// What is new now.
    pub async fn next(&mut self) -> Value {
        self.wait(Duration::ZERO).await
    }

    /// What is new now or within this time.
    pub async fn wait(&mut self, timeout: Duration) -> Value {
        self.request.timeout = timeout;
        let answer = self.attempt().await.expect("an answer");
        self.request.pos = Some(answer["pos"].as_str().expect("a position").to_owned());
        answer
    }

    /// An answer that is lost on the way.
    pub async fn attempt(&self) -> Result<Value, SlidingError> {
        let answer = self.bed.sync.sliding_sync(&self.actor, &self.request).await?.answer().await?;
        Ok(serde_json::from_str(&text(answer).await).expect("JSON"))
    }

    /// The position is not known any more.
    pub async fn is_unknown(&self) -> bool {
        matches!(self.attempt().await, Err(SlidingError::UnknownPos))
    }
}

pub async fn text(mut answer: SlidingAnswer) -> String {
    let mut text = String::new();
    while let Some(part) = answer.part().await.expect("a part") {
        text.push_str(&part);
    }
    assert!(answer.is_over());
    text
}

/// The rooms of an answer.
pub fn rooms(answer: &Value) -> BTreeSet<&str> {
    answer["rooms"].as_object().expect("rooms").keys().map(String::as_str).collect()
}

/// The types and state keys of state events.
pub fn state(room: &Value) -> BTreeSet<(String, String)> {
    let events = room["required_state"].as_array().cloned().unwrap_or_default();
    let word = |event: &Value, key: &str| event[key].as_str().expect("a text").to_owned();
    events.iter().map(|event| (word(event, "type"), word(event, "state_key"))).collect()
}

pub fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
