//! Events that cannot be judged yet.
//!
//! Owns: the queue of a room, and another try: for all of it when something changes elsewhere ([`Ingest::retry_waiting`]), after a start
//! ([`Ingest::resume`]), and by a task of the room for what was only outrun. Does not own: the stages.
//!
//! Invariants: a waiting event is on disk before anybody is told so, and stays until it has its place or is no event of the room. The queue of a room
//! is bounded, and a server that fills it gives up its own.

use std::time::Duration;

use plop_base::TaskKind;
use plop_db::codec::Tail;
use plop_db::{Batch, Direction, KeyRange, Pages};
use plop_state::Pdu;
use plop_state_store::RoomNumber;
use ruma::{EventId, OwnedEventId, OwnedServerName, RoomId, ServerName};

use super::fairness::crowded_out;
use super::gate::Ingest;
use super::judging::Verdict;
use super::outrun::MAX_WAITING;
use super::site::Site;
use crate::fault::StoreFault;
use crate::loading::LoadError;
use crate::schema::{WaitingEvents, WaitingRow};

/// How long an event waits for keys of events in the state before it. A server that could not be reached for so long, nor anybody who knows
/// its keys, may be gone for good, and its members must not hold up the room.
const KEYS_AWAITED: Duration = Duration::from_secs(24 * 60 * 60);

/// After which time an event that its room has outrun is tried again: at first, and at last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(60);

/// Waiting events read at once.
const PAGE: usize = 100;

impl Ingest {
    /// Keeps an event that cannot be judged now.
    pub(super) async fn wait(&self, site: &Site, event: &Pdu) -> Result<(), LoadError> {
        let core = self.rooms.core();
        let key = (site.number, event.event_id_owned().clone());
        let waiting = self.waiting(site).await?;
        let known = waiting.iter().find(|(waits, _)| *waits == key);
        let mut batch = Batch::durable();
        if waiting.len() >= MAX_WAITING && known.is_none() {
            let mut rows: Vec<_> = waiting.iter().collect();
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
        Ok(())
    }

    /// Keeps an event for which nothing is missing and that its room was too fast for. It is tried again soon, whoever has handed it over.
    pub(super) async fn wait_outrun(&self, site: &Site, event: &Pdu) -> Result<(), LoadError> {
        self.wait(site, event).await?;
        if self.outrun.note(site.number, event.event_id()) {
            self.see_to_outrun(site.number);
        }
        Ok(())
    }

    fn see_to_outrun(&self, room: RoomNumber) {
        let ingest = self.clone();
        let work = async move {
            ingest.retry_outrun(room).await;
            Ok(())
        };
        self.tasks.spawn_once(TaskKind::RoomWork, "events that a room has outrun", work);
    }

    /// Tries the events that a room has outrun, until there are none.
    async fn retry_outrun(&self, room: RoomNumber) {
        let mut pause = FIRST_PAUSE;
        loop {
            self.rooms.core().clock.sleep(pause).await;
            let Some(events) = self.outrun.take(room) else { return };
            for event in events {
                if let Err(error) = self.retry_event(room, &event).await {
                    tracing::warn!(room = room.0, %event, %error, "an event waits on");
                    self.outrun.note(room, &event);
                }
            }
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    /// Judges one waiting event again.
    async fn retry_event(&self, room: RoomNumber, event: &EventId) -> Result<(), LoadError> {
        let key = (room, event.to_owned());
        let Some(row) = self.rooms.core().db.snapshot().get::<WaitingEvents>(&key).await? else {
            return Ok(());
        };
        self.retry_row(room, row).await.map(drop)
    }

    /// Judges again what waits in a room: to be called when a server that could help answers again. How many events wait no more.
    pub async fn retry_waiting(&self, from: &ServerName, room: &RoomId) -> Result<usize, LoadError> {
        let Some(site) = self.shared_site(from, room).await? else { return Ok(0) };
        let mut judged = 0;
        for (_, row) in self.waiting(&site).await? {
            judged += usize::from(self.retry(&site, row).await?);
        }
        Ok(judged)
    }

    /// Goes on where the process before has ended: to be called once after a start, before anything is taken in. Judges again what waits in all
    /// rooms, and asks whoever handed it over. How many events wait no more.
    pub async fn resume(&self) -> Result<usize, LoadError> {
        self.forget_staged().await?;
        let mut judged = 0;
        let mut pages = Pages::new(KeyRange::<WaitingEvents>::all(), PAGE);
        while let Some(rows) = pages.next(&self.rooms.core().db.snapshot()).await? {
            for ((room, _), row) in rows {
                judged += usize::from(self.retry_row(room, row).await?);
            }
        }
        Ok(judged)
    }

    /// Judges a waiting event again, for its room and with the server that handed it over. Whether it waits no more.
    async fn retry_row(&self, room: RoomNumber, row: WaitingRow) -> Result<bool, LoadError> {
        let Ok(from) = OwnedServerName::try_from(row.from.as_str()) else { return Ok(false) };
        let view = match self.rooms.view(room).await {
            Ok(view) => view,
            // It is left, and may be joined again.
            Err(LoadError::NotHere | LoadError::UnknownVersion(_)) => return Ok(false),
            Err(error) => return Err(error),
        };
        match self.shared_site(&from, &view.id).await? {
            Some(site) => self.retry(&site, row).await,
            None => Ok(false),
        }
    }

    /// Judges a waiting event again. Whether it waits no more.
    async fn retry(&self, site: &Site, row: WaitingRow) -> Result<bool, LoadError> {
        let has_waited = row.since.plus(KEYS_AWAITED) <= self.rooms.core().clock.now();
        let site = Site { has_waited, ..site.clone() };
        let Ok(event) = self.verify(&site, &row.pdu.0.into()).await else { return Ok(false) };
        let id = event.event_id_owned().clone();
        if self.take_in(&site, event).await? == Verdict::Waiting {
            return Ok(false);
        }
        self.stop_waiting(&site, &id).await?;
        Ok(true)
    }

    /// The events that wait in a room.
    async fn waiting(&self, site: &Site) -> Result<Vec<((RoomNumber, OwnedEventId), WaitingRow)>, LoadError> {
        let range = KeyRange::<WaitingEvents>::prefix(&site.number);
        let page = self.rooms.core().db.snapshot().scan(range, Direction::Forward, MAX_WAITING).await?;
        Ok(page.rows)
    }

    /// An event has been judged.
    async fn stop_waiting(&self, site: &Site, event: &OwnedEventId) -> Result<(), LoadError> {
        let mut batch = Batch::durable();
        batch.delete::<WaitingEvents>(&(site.number, event.clone()));
        self.rooms.core().db.commit(batch).await.map_err(StoreFault::from)?;
        Ok(())
    }
}
