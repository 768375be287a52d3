//! How results are told.
//!
//! Owns: the text of a result with what stands around it, groups, highlights, which states belong to an answer. Does not own: what was found.
//!
//! Invariants: everything is read as the user reads the room. A room is opened once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use plop_base::Actor;
use plop_rooms::reader::access::RoomReader;
use plop_rooms::reader::client_event::Detail;
use plop_rooms::reader::state::StatePages;
use plop_rooms::{RoomEvent, RoomView, Rooms, StoreFault};
use plop_search::{Findings, Hit};
use plop_state::StateKey;
use plop_state::json::{TextWriter, Value};
use plop_state::pdu::ClientFormat;
use ruma::OwnedRoomId;

use super::request::{EventContext, GroupKey};
use crate::answer::Listed;
use crate::error::ApiError;

/// The rooms of an answer, as they are opened for it.
pub struct Shown<'a> {
    rooms: &'a Rooms,
    actor: &'a Actor,
    readers: BTreeMap<OwnedRoomId, RoomReader<'a>>,
}

impl<'a> Shown<'a> {
    pub fn new(rooms: &'a Rooms, actor: &'a Actor) -> Self {
        Self { rooms, actor, readers: BTreeMap::new() }
    }

    /// A result.
    pub async fn result(&mut self, hit: &Hit, around: Option<&EventContext>) -> Result<String, ApiError> {
        if !self.readers.contains_key(&hit.room) {
            let reader = self.rooms.reader(self.actor, &hit.room).await?;
            self.readers.insert(hit.room.clone(), reader);
        }
        let Some(reader) = self.readers.get_mut(&hit.room) else {
            return Err(ApiError::internal("a room that was opened is not open"));
        };
        let mut out = TextWriter::new();
        out.object();
        out.key("rank");
        out.text(&format!("{:.6}", hit.rank));
        out.key("result");
        out.text(&texts(reader, std::slice::from_ref(&hit.event)).await?.concat());
        if let Some(wanted) = around {
            context(&mut out, reader, &hit.event, wanted).await?;
        }
        Ok(out.finish())
    }

    /// The states of the rooms that have results, each as far as the user may look.
    pub fn states(self) -> Result<VecDeque<(Arc<RoomView>, Listed)>, ApiError> {
        let state = |reader: RoomReader<'_>| {
            let pages = Listed::State(StatePages::of(reader.state_in_reach()?));
            Ok((Arc::clone(reader.view()), pages))
        };
        self.readers.into_values().map(state).collect()
    }
}

async fn texts(reader: &mut RoomReader<'_>, events: &[Arc<RoomEvent>]) -> Result<Vec<String>, StoreFault> {
    reader.client_events(events, ClientFormat::Full, Detail::Timeline).await
}

/// What stands around a result.
async fn context(
    out: &mut TextWriter,
    reader: &mut RoomReader<'_>,
    event: &Arc<RoomEvent>,
    wanted: &EventContext,
) -> Result<(), StoreFault> {
    let found = reader.around(Arc::clone(event), wanted.limits(), |_| true).await?;
    out.key("context");
    out.object();
    // In the order of the room.
    out.key("start");
    out.string(&found.before.reached.to_string());
    out.key("end");
    out.string(&found.after.reached.to_string());
    out.key("events_before");
    let before = texts(reader, &found.before.events).await?;
    list(out, &before);
    out.key("events_after");
    let after = texts(reader, &found.after.events).await?;
    list(out, &after);
    if wanted.include_profile {
        let events = found.before.events.iter().chain(&found.after.events).chain([event]);
        out.key("profile_info");
        profiles(out, reader, event, events).await?;
    }
    out.close();
    Ok(())
}

fn list(out: &mut TextWriter, texts: &[String]) {
    out.texts(texts);
}

/// How senders were called when the result was sent.
async fn profiles(
    out: &mut TextWriter,
    reader: &RoomReader<'_>,
    result: &RoomEvent,
    events: impl Iterator<Item = &Arc<RoomEvent>>,
) -> Result<(), StoreFault> {
    let senders: BTreeSet<&str> = events.map(|event| event.pdu.sender().as_str()).collect();
    let keys: Vec<StateKey> = senders.into_iter().map(StateKey::member).collect();
    out.object();
    if let Some(state) = result.facts.before {
        for member in reader.state_events(state, &keys).await? {
            let content = member.pdu.content_object();
            out.key(member.pdu.state_key().unwrap_or_default());
            out.object();
            for field in ["displayname", "avatar_url"] {
                if let Some(value) = content.get(field).and_then(Value::as_str) {
                    out.key(field);
                    out.string(value);
                }
            }
            out.close();
        }
    }
    out.close();
    Ok(())
}

/// The words to be highlighted.
pub fn highlights(found: &Findings) -> String {
    let mut out = TextWriter::new();
    out.list();
    found.highlights.iter().for_each(|word| out.string(word));
    out.finish()
}

/// The groups of a page. Each goes on where the page ends.
pub fn groups(found: &Findings, keys: impl Iterator<Item = GroupKey>) -> String {
    let mut out = TextWriter::new();
    out.object();
    for key in keys {
        out.key(match key {
            GroupKey::RoomId => "room_id",
            GroupKey::Sender => "sender",
        });
        out.object();
        for (order, (value, hits)) in grouped(found, key).into_iter().enumerate() {
            out.key(value);
            out.object();
            out.key("order");
            out.number(order as u64 + 1);
            let next = found.next.as_ref().zip(hits.first()).map(|(next, hit)| match key {
                GroupKey::RoomId => next.in_room(hit.room.clone(), hits.len()),
                GroupKey::Sender => next.of_sender(hit.event.pdu.sender().to_owned(), hits.len()),
            });
            if let Some(next) = next {
                out.key("next_batch");
                out.string(&next.to_string());
            }
            out.key("results");
            out.list();
            hits.iter().for_each(|hit| out.string(hit.event.pdu.event_id().as_str()));
            out.close();
            out.close();
        }
        out.close();
    }
    out.finish()
}

/// The results by group, in the order in which groups appear first.
fn grouped(found: &Findings, key: GroupKey) -> Vec<(&str, Vec<&Hit>)> {
    let mut groups: Vec<(&str, Vec<&Hit>)> = Vec::new();
    for hit in &found.hits {
        let value = match key {
            GroupKey::RoomId => hit.room.as_str(),
            GroupKey::Sender => hit.event.pdu.sender().as_str(),
        };
        match groups.iter_mut().find(|(known, _)| *known == value) {
            Some((_, hits)) => hits.push(hit),
            None => groups.push((value, vec![hit])),
        }
    }
    groups
}
