//! Events that cannot be judged yet.
//!
//! Owns: the queue of a room, and another try: for all of it when something changes elsewhere ([`Ingest::retry_waiting`]), after a start
//! ([`Ingest::resume`]), and by a task of the room for what was only outrun. Does not own: the stages.
//!
//! Invariants: a waiting event is on disk before anybody is told so, and stays until it has its place or is no event of the room. The queue of a room
//! is bounded, and a server that fills it gives up its own.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use plop_base::TaskKind;
use plop_db::codec::Tail;
use plop_db::{Batch, KeyRange, Pages};
use plop_state::Pdu;
use plop_state_store::RoomNumber;
use ruma::{EventId, OwnedEventId, OwnedServerName, RoomId, ServerName};

use super::fairness::crowded_out;
use super::gate::Ingest;
use super::judging::Verdict;
use super::outrun::{Attendance, MAX_WAITING};
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

/// Events of one room that are looked at when one more is to wait: more than there can be.
const MAX_QUEUE: usize = 4 * MAX_WAITING;

/// Events that are judged again at once after a start.
const RETRIES_AT_ONCE: usize = 8;

impl Ingest {
    /// Keeps an event that cannot be judged now.
    pub(super) async fn wait(&self, site: &Site, event: &Pdu) -> Result<(), LoadError> {
        let core = self.rooms.core();
        let key = (site.number, event.event_id_owned().clone());
        let _turn = self.queueing.take(&site.number).await;
        let known = core.db.snapshot().get::<WaitingEvents>(&key).await?;
        let mut batch = Batch::durable();
        if known.is_none() {
            for given_up in self.too_many(site).await? {
                batch.delete::<WaitingEvents>(&(site.number, given_up));
            }
        }
        let row = WaitingRow {
            from: site.from.to_string(),
            since: known.map_or_else(|| core.clock.now(), |row| row.since),
            pdu: Tail(event.canonical().to_owned()),
        };
        batch.put::<WaitingEvents>(&key, &row);
        core.db.commit(batch).await.map_err(StoreFault::from)?;
        Ok(())
    }

    /// The events of a room that are given up for another one to wait.
    async fn too_many(&self, site: &Site) -> Result<Vec<OwnedEventId>, LoadError> {
        let (mut queue, mut given_up) = (Vec::new(), Vec::new());
        let snapshot = self.rooms.core().db.snapshot();
        let mut pages = Pages::new(KeyRange::<WaitingEvents>::prefix(&site.number), PAGE);
        while queue.len() < MAX_QUEUE
            && let Some(rows) = pages.next(&snapshot).await?
        {
            for ((_, event), row) in rows {
                match OwnedServerName::try_from(row.from.as_str()) {
                    Ok(from) => queue.push((row.since, from, event)),
                    // Nobody could be asked for what it needs.
                    Err(_) => given_up.push(event),
                }
            }
        }
        queue.sort_by_key(|(since, ..)| *since);
        while queue.len() >= MAX_WAITING {
            let servers = queue.iter().map(|(_, from, _)| &**from);
            let place = crowded_out(servers.chain([&*site.from]));
            // If nobody has more of them, the oldest one goes.
            let place = place.filter(|place| *place < queue.len()).unwrap_or(0);
            given_up.push(queue.remove(place).2);
        }
        Ok(given_up)
    }

    /// Keeps an event for which nothing is missing and that its room was too fast for. It is tried again soon, whoever has handed it over.
    pub(super) async fn wait_outrun(&self, site: &Site, event: &Pdu) -> Result<(), LoadError> {
        self.wait(site, event).await?;
        if let Some(attendance) = self.outrun.note(site.number, event.event_id()) {
            self.see_to_outrun(attendance);
        }
        Ok(())
    }

    fn see_to_outrun(&self, attendance: Attendance) {
        let ingest = self.clone();
        let work = async move {
            ingest.retry_outrun(attendance).await;
            Ok(())
        };
        self.tasks.spawn_once(TaskKind::RoomWork, "events that a room has outrun", work);
    }

    /// Tries the events that a room has outrun, until there are none.
    async fn retry_outrun(&self, mut attendance: Attendance) {
        let room = attendance.room();
        let mut pause = FIRST_PAUSE;
        loop {
            self.rooms.core().clock.sleep(pause).await;
            let Some(events) = attendance.take() else { return };
            for event in events {
                if let Err(error) = self.retry_event(room, &event).await {
                    tracing::warn!(room = room.0, %event, %error, "an event waits on");
                    attendance.note(&event);
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
        let mut pages = Pages::new(KeyRange::<WaitingEvents>::prefix(&site.number), PAGE);
        while let Some(rows) = pages.next(&self.rooms.core().db.snapshot()).await? {
            for (_, row) in rows {
                judged += usize::from(self.retry(&site, row).await?);
            }
        }
        Ok(judged)
    }

    /// Goes on where the process before has ended: to be called once after a start, while other events may be taken in. Judges again what waits in
    /// all rooms, and asks whoever handed it over. What cannot be judged for a fault waits on. How many events wait no more.
    pub async fn resume(&self) -> Result<usize, LoadError> {
        let mut judged = 0;
        let mut pages = Pages::new(KeyRange::<WaitingEvents>::all(), PAGE);
        while let Some(rows) = pages.next(&self.rooms.core().db.snapshot()).await? {
            let retried =
                rows.into_iter().map(|((room, event), row)| self.retry_after_start(room, event, row));
            let mut retried = stream::iter(retried).buffer_unordered(RETRIES_AT_ONCE);
            while let Some(waits_no_more) = retried.next().await {
                judged += usize::from(waits_no_more);
            }
        }
        Ok(judged)
    }

    async fn retry_after_start(&self, room: RoomNumber, event: OwnedEventId, row: WaitingRow) -> bool {
        match self.retry_row(room, row).await {
            Ok(waits_no_more) => waits_no_more,
            Err(error) => {
                tracing::warn!(room = room.0, %event, %error, "an event waits on");
                false
            }
        }
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

    /// An event has been judged.
    async fn stop_waiting(&self, site: &Site, event: &OwnedEventId) -> Result<(), LoadError> {
        let mut batch = Batch::durable();
        batch.delete::<WaitingEvents>(&(site.number, event.clone()));
        self.rooms.core().db.commit(batch).await.map_err(StoreFault::from)?;
        Ok(())
    }
}
