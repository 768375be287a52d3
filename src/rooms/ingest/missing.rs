//! What lies between an event and what is here.
//!
//! Owns: asking for missing events, in bounded rounds. Does not own: judging them, events that wait ([`super::waiting`]).
//!
//! Invariants: nothing from below the lowest event that is here is fetched this way: that is history, and never enters the live stream.

use std::collections::BTreeMap;

use plop_db::{Direction, KeyRange};
use plop_state::Pdu;
use ruma::OwnedEventId;

use super::checking::placed;
use super::gate::Ingest;
use super::order::parents_first;
use super::site::Site;
use crate::loading::LoadError;
use crate::remote::MissingEvents;
use crate::schema::History;

/// Events asked for at once.
const LIMIT: usize = 50;

/// How often more is asked for on behalf of one event.
const ROUNDS: usize = 20;

/// Places from which one request asks.
const MAX_LATEST: usize = 20;

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
            for fetched in self.verify_all(site, &raw).await {
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
}
