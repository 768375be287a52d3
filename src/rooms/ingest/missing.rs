//! What lies between an event and what is here, and events that wait.
//!
//! Owns: asking for missing events, in bounded rounds; the queue of events that cannot be judged yet. Does not own: judging them.
//!
//! Invariants: nothing from below the lowest event that is here is fetched this way: that is history, and never enters the live stream.

use std::collections::BTreeMap;

use plop_db::codec::Tail;
use plop_db::{Batch, Direction, KeyRange};
use plop_state::Pdu;
use ruma::{OwnedEventId, ServerName};

use super::fairness::crowded_out;
use super::gate::Ingest;
use super::judging::{Verdict, placed};
use super::order::parents_first;
use super::site::Site;
use crate::fault::StoreFault;
use crate::loading::LoadError;
use crate::remote::MissingEvents;
use crate::schema::{History, WaitingEvents, WaitingRow};

/// Events asked for at once.
const LIMIT: usize = 50;

/// How often more is asked for on behalf of one event.
const ROUNDS: usize = 20;

/// Places from which one request asks.
const MAX_LATEST: usize = 20;

/// Events of one room that may wait. Beyond that the server of which most wait gives up its oldest.
const MAX_WAITING: usize = 256;

impl Ingest {
    /// Events between `event` and what is here, parents first. As many as can be had: gaps may be left.
    pub(super) async fn fetch_between(&self, site: &Site, event: &Pdu) -> Result<Vec<Pdu>, LoadError> {
        let reading = self.read(site).await?;
        let earliest = reading
            .forward_extremities()
            .iter()
            .map(|extremity| extremity.pdu.event_id_owned().clone())
            .collect();
        let min_depth = self.lowest_depth(site).await?;
        let mut wanted =
            MissingEvents { latest: vec![event.event_id_owned().clone()], earliest, limit: LIMIT, min_depth };
        let mut found: BTreeMap<OwnedEventId, Pdu> = BTreeMap::new();
        for _ in 0..ROUNDS {
            let answer = self.remote.missing_events(&site.from, &site.id, &wanted).await;
            let mut raw = answer.unwrap_or_default();
            raw.truncate(LIMIT);
            let before = found.len();
            for fetched in self.verify_all(site, &raw).await.fit {
                let is_here = placed(&reading, fetched.event_id()).await?.is_some();
                if !is_here && fetched.depth() >= min_depth && fetched.event_id() != event.event_id() {
                    found.insert(fetched.event_id_owned().clone(), fetched);
                }
            }
            wanted.latest.clear();
            for event in found.values() {
                let mut open = false;
                for parent in event.prev_events() {
                    open |= !found.contains_key(parent) && placed(&reading, parent).await?.is_none();
                }
                if open && event.depth() > min_depth && wanted.latest.len() < MAX_LATEST {
                    wanted.latest.push(event.event_id_owned().clone());
                }
            }
            if found.len() == before || wanted.latest.is_empty() {
                break;
            }
        }
        Ok(parents_first(found.into_values(), Pdu::prev_events))
    }

    /// The claimed depth of the lowest event in graph order.
    async fn lowest_depth(&self, site: &Site) -> Result<u64, LoadError> {
        let reading = self.read(site).await?;
        let range = KeyRange::<History>::prefix(&site.number);
        let page = reading.snapshot().scan(range, Direction::Forward, 1).await?;
        match page.rows.first() {
            Some((_, number)) => Ok(reading.event(*number).await?.pdu.depth()),
            None => Ok(0),
        }
    }

    /// Keeps an event that cannot be judged now.
    pub(super) async fn wait(&self, site: &Site, event: &Pdu) -> Result<Verdict, LoadError> {
        let core = self.rooms.core();
        let key = (site.number, event.event_id_owned().clone());
        let range = KeyRange::<WaitingEvents>::prefix(&site.number);
        let waiting = core.db.snapshot().scan(range, Direction::Forward, MAX_WAITING).await?;
        let known = waiting.rows.iter().find(|(waits, _)| *waits == key);
        let mut batch = Batch::durable();
        if waiting.rows.len() >= MAX_WAITING && known.is_none() {
            let mut rows: Vec<_> = waiting.rows.iter().collect();
            rows.sort_by_key(|(_, row)| row.since);
            let servers = rows.iter().filter_map(|(_, row)| <&ServerName>::try_from(row.from.as_str()).ok());
            let given_up = crowded_out(servers.chain([&*site.from]));
            // If nobody has more of them, the oldest one goes.
            let given_up = given_up.and_then(|place| rows.get(place)).or_else(|| rows.first());
            given_up.iter().for_each(|(given_up, _)| batch.delete::<WaitingEvents>(given_up));
        }
        let row = WaitingRow {
            from: site.from.to_string(),
            since: known.map_or_else(|| core.clock.now(), |(_, row)| row.since),
            pdu: Tail(event.canonical().to_owned()),
        };
        batch.put::<WaitingEvents>(&key, &row);
        core.db.commit(batch).await.map_err(StoreFault::from)?;
        Ok(Verdict::Waiting)
    }

    /// The events that wait in a room.
    pub(super) async fn waiting(&self, site: &Site) -> Result<Vec<WaitingRow>, LoadError> {
        let range = KeyRange::<WaitingEvents>::prefix(&site.number);
        let page = self.rooms.core().db.snapshot().scan(range, Direction::Forward, MAX_WAITING).await?;
        Ok(page.rows.into_iter().map(|(_, row)| row).collect())
    }

    /// An event has been judged.
    pub(super) async fn stop_waiting(&self, site: &Site, event: &OwnedEventId) -> Result<(), LoadError> {
        let mut batch = Batch::durable();
        batch.delete::<WaitingEvents>(&(site.number, event.clone()));
        self.rooms.core().db.commit(batch).await.map_err(StoreFault::from)?;
        Ok(())
    }
}
