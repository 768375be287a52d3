//! Events as other servers hand them over.
//!
//! Owns: which room an event is for, its answer. Does not own: the stages, another try for what waits ([`super::waiting`]).
//!
//! Invariants: each event of a transaction is on its own.

use plop_state::json::{NumberRule, parse_object};
use ruma::{OwnedEventId, OwnedRoomId, ServerName};

use super::gate::Ingest;
use super::judging::Verdict;
use super::verifying::Unfit;
use crate::loading::LoadError;
use crate::remote::RawPdu;

/// The answer for one event of a transaction.
#[derive(Debug)]
pub struct Received {
    /// Its id, if it has one that can be told.
    pub event_id: Option<OwnedEventId>,
    /// The verdict, or why the store could not take it: the event has to be processed again.
    pub verdict: Result<Verdict, LoadError>,
}

impl Ingest {
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
}

/// The room that an event names. Read before its version is known, so by the rule that refuses least.
fn room_of(raw: &RawPdu) -> Option<OwnedRoomId> {
    let event = parse_object(raw.as_bytes(), NumberRule::Lenient).ok()?;
    OwnedRoomId::try_from(event.get("room_id")?.as_str()?).ok()
}
