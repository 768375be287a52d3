//! Events from elsewhere.
//!
//! Owns: the stages that an event of another server passes before it is part of a room (server-server API, "Checks performed on receipt of a
//! PDU"): [`verifying`] (size, JSON, format, signatures, content hash), [`outliers`] (its auth events, fetched where they are
//! missing), [`before`] (the state before it), [`judging`] (the rules by that state and by the current one, its place in the room);
//! [`missing`] and [`backfill`] for what lies between and below, [`join`] for rooms of other servers.
//!
//! Does not own: transport ([`crate::remote`]), the rules ([`plop_state`]), who may hand over what beyond them.
//!
//! Invariants: nothing of another server is trusted, whichever way it came: all of it passes the same stages. One bad event harms no other one.
//! What is missing is never taken for a rejection and never for an empty state; rejected and soft-failed are final. No guard
//! is held while another server is asked. Events get their places one at a time in a room, each once the one before has landed: the rows
//! that they share (gaps, places in history, redactions that wait) are read from the disk.

mod backfill;
mod before;
mod extremities;
mod fairness;
mod join;
mod judging;
mod missing;
mod order;
mod outliers;
mod site;
mod turns;
mod verifying;

use std::sync::Arc;
use std::time::Duration;

use plop_base::Tasks;
use plop_state::auth::AuthError;
use plop_state::json::{NumberRule, parse_object};
use plop_state_store::RoomNumber;
use ruma::{OwnedEventId, OwnedRoomId, RoomId, ServerName};
use tokio::sync::Semaphore;

pub use join::JoinError;
pub use verifying::Unfit;

use crate::loading::LoadError;
use crate::remote::{RawPdu, Remote};
use crate::rooms::Rooms;
use crate::schema::Outcome;
use site::Site;
use turns::Turns;

/// How long an event waits for keys of events in the state before it. A server that could not be reached for so long, nor anybody who knows
/// its keys, may be gone for good, and its members must not hold up the room.
const KEYS_AWAITED: Duration = Duration::from_secs(24 * 60 * 60);

/// Rooms of other servers that are joined at once.
const JOINS_AT_ONCE: usize = 16;

/// What became of an event that was handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Part of the room.
    Accepted,
    /// Part of the graph, shown to nobody.
    SoftFailed,
    /// Refused by a rule, for ever.
    Rejected(AuthError),
    /// It was judged before.
    Known(Outcome),
    /// Something it needs cannot be had; it is kept and judged when that is there.
    Waiting,
    /// Not kept.
    Dropped(Unfit),
}

/// The answer for one event of a transaction.
#[derive(Debug)]
pub struct Received {
    /// Its id, if it has one that can be told.
    pub event_id: Option<OwnedEventId>,
    /// The verdict, or why the store could not take it: the event has to be processed again.
    pub verdict: Result<Verdict, LoadError>,
}

/// The way into rooms for what other servers send. Clones share it.
#[derive(Clone)]
pub struct Ingest {
    rooms: Rooms,
    remote: Arc<dyn Remote>,
    tasks: Tasks,
    /// Rooms that are being joined, so that each is joined once at a time.
    joining: Turns<OwnedRoomId>,
    /// Places for joins: each takes in a whole room.
    joins: Arc<Semaphore>,
    /// Rooms in which an event is getting its place. The next one waits until that has landed, so it sees all gaps, places and redactions.
    placing: Turns<RoomNumber>,
}

impl Ingest {
    /// `remote` is how other servers are asked; what must be finished whoever waits for it is a task.
    pub fn new(rooms: Rooms, remote: Arc<dyn Remote>, tasks: Tasks) -> Self {
        let joins = Arc::new(Semaphore::new(JOINS_AT_ONCE));
        Self { rooms, remote, tasks, joining: Turns::default(), joins, placing: Turns::default() }
    }

    /// The rooms that it writes.
    pub fn rooms(&self) -> &Rooms {
        &self.rooms
    }

    /// Takes in the events of a transaction, in order, each on its own.
    pub async fn transaction(&self, from: &ServerName, pdus: &[RawPdu]) -> Vec<Received> {
        let mut received = Vec::with_capacity(pdus.len());
        for raw in pdus {
            received.push(self.receive(from, raw).await);
        }
        received
    }

    /// Takes in one event.
    pub async fn receive(&self, from: &ServerName, raw: &RawPdu) -> Received {
        let dropped = |unfit| Received { event_id: None, verdict: Ok(Verdict::Dropped(unfit)) };
        let Some(room) = room_of(raw) else { return dropped(Unfit::NoRoom) };
        let site = match self.shared_site(from, &room).await {
            Ok(Some(site)) => site,
            Ok(None) => return dropped(Unfit::RoomNotHere),
            Err(error) => return Received { event_id: None, verdict: Err(error) },
        };
        let event = match self.verify(&site, raw).await {
            Ok(event) => event,
            Err(unfit) => return dropped(unfit),
        };
        let event_id = Some(event.event_id_owned().clone());
        Received { event_id, verdict: self.take_in(&site, event).await }
    }

    /// Judges again what waits in a room: to be called when a server that could help answers again.
    pub async fn retry_waiting(&self, from: &ServerName, room: &RoomId) -> Result<usize, LoadError> {
        let Some(site) = self.shared_site(from, room).await? else { return Ok(0) };
        let mut judged = 0;
        for row in self.waiting(&site).await? {
            let has_waited = row.since.plus(KEYS_AWAITED) <= self.rooms.core().clock.now();
            let site = Site { has_waited, ..site.clone() };
            let Ok(event) = self.verify(&site, &row.pdu.0.into()).await else { continue };
            let id = event.event_id_owned().clone();
            if self.take_in(&site, event).await? != Verdict::Waiting {
                self.stop_waiting(&site, &id).await?;
                judged += 1;
            }
        }
        Ok(judged)
    }

    /// The room, if it is here and a local user is in it: events of other rooms are none of ours.
    async fn shared_site(&self, from: &ServerName, room: &RoomId) -> Result<Option<Site>, LoadError> {
        let view = match self.rooms.view_by_id(room).await {
            Ok(view) => view,
            Err(LoadError::NotHere) => return Ok(None),
            Err(error) => return Err(error),
        };
        let ours = view.members.has_server(&self.rooms.core().server);
        Ok(ours.then(|| Site::of(&view, from)))
    }
}

/// The room that an event names. Read before its version is known, so by the rule that refuses least.
fn room_of(raw: &RawPdu) -> Option<OwnedRoomId> {
    let event = parse_object(raw.as_bytes(), NumberRule::Lenient).ok()?;
    OwnedRoomId::try_from(event.get("room_id")?.as_str()?).ok()
}
