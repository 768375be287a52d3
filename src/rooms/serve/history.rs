//! Walks back through a room's graph.

use std::collections::BTreeSet;
use std::sync::Arc;

use ruma::{OwnedEventId, RoomId, ServerName};

use super::{ServeError, servable};
use crate::event::RoomEvent;
use crate::reader::server::ServerReader;
use crate::reading::RoomReading;
use crate::remote::MissingEvents;
use crate::rooms::Rooms;
use crate::schema::Outcome;

/// Events in one answer.
const MAX_EVENTS: usize = 100;

/// Events looked at for one answer, so that the cost does not follow what was asked for.
const MAX_WALK: usize = 1_000;

/// Ids of a request that are looked at.
const MAX_IDS: usize = 100;

impl Rooms {
    /// The ancestors of some events, the nearest first found and the oldest first given (`POST /get_missing_events/{roomId}`).
    pub async fn serve_missing_events(
        &self,
        to: &ServerName,
        room: &RoomId,
        wanted: &MissingEvents,
    ) -> Result<Vec<Arc<RoomEvent>>, ServeError> {
        let reading = self.shared_with(to, room).await?;
        let mut stop: BTreeSet<OwnedEventId> = wanted.earliest.iter().take(MAX_IDS).cloned().collect();
        let mut edge = Vec::new();
        for id in wanted.latest.iter().take(MAX_IDS) {
            if let Some(event) = reading.event_by_id(id).await? {
                edge.extend_from_slice(event.pdu.prev_events());
            }
            stop.insert(id.clone());
        }
        let limit = wanted.limit.min(MAX_EVENTS);
        let mut found = walk(&reading, edge, stop, wanted.min_depth, limit).await?;
        found.reverse();
        shown(&reading, to, found).await
    }

    /// Events and what came before them, the newest first (`GET /backfill/{roomId}`).
    pub async fn serve_backfill(
        &self,
        to: &ServerName,
        room: &RoomId,
        from: &[OwnedEventId],
        limit: usize,
    ) -> Result<Vec<Arc<RoomEvent>>, ServeError> {
        let reading = self.shared_with(to, room).await?;
        for id in from.iter().take(MAX_IDS) {
            servable(&reading, id).await?;
        }
        let edge = from.iter().take(MAX_IDS).cloned().collect();
        let found = walk(&reading, edge, BTreeSet::new(), 0, limit.min(MAX_EVENTS)).await?;
        shown(&reading, to, found).await
    }
}

/// Events as a server may have them.
async fn shown(
    reading: &RoomReading,
    to: &ServerName,
    events: Vec<Arc<RoomEvent>>,
) -> Result<Vec<Arc<RoomEvent>>, ServeError> {
    let mut reader = ServerReader::new(reading, to);
    let mut shown = Vec::with_capacity(events.len());
    for event in events {
        shown.push(reader.shown(event).await?);
    }
    Ok(shown)
}

/// Breadth first along previous events. Rejected ones are walked through, not given.
async fn walk(
    reading: &RoomReading,
    edge: Vec<OwnedEventId>,
    mut seen: BTreeSet<OwnedEventId>,
    min_depth: u64,
    limit: usize,
) -> Result<Vec<Arc<RoomEvent>>, ServeError> {
    let mut found = Vec::new();
    let mut edge: std::collections::VecDeque<_> = edge.into();
    while let Some(id) = edge.pop_front() {
        if found.len() >= limit || seen.len() >= MAX_WALK {
            break;
        }
        if !seen.insert(id.clone()) {
            continue;
        }
        let Some(event) = reading.event_by_id(&id).await? else { continue };
        // What has no place in the graph leads nowhere from here.
        if event.facts.before.is_none() || event.pdu.depth() < min_depth {
            continue;
        }
        edge.extend(event.pdu.prev_events().iter().cloned());
        if event.facts.outcome != Outcome::Rejected {
            found.push(event);
        }
    }
    Ok(found)
}
