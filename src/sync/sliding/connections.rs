//! The connections of this server's devices.
//!
//! Owns: their rows, a bounded cache of them, beginning, finding and changing one. Does not own: what an answer changes ([`super::connection`]).
//!
//! Invariants: a connection is changed under a guard, and its row expects the one before, so no two requests change it at once. Writes are relaxed: a
//! power cut takes some of the newest answers, whose clients begin again. A device has at most [`MAX_OF_DEVICE`].

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use plop_accounts::schema::Devices;
use plop_base::{Actor, Clock};
use plop_db::{Batch, CommitError, Db, Direction, Guards, KeyRange, Pages, Position, ReadError};
use plop_rooms::StoreFault;
use plop_state_store::RoomNumber;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use ruma::{DeviceId, OwnedDeviceId, OwnedUserId, UserId};

use super::connection::{Changed, Connection, Told};
use super::ending;
use super::request::SlidingError;
use super::required_state::StateWishes;
use super::schema::{
    ConnectionId, ConnectionKey, ConnectionRow, ConnectionUses, Connections as Rows, MarkRow, SentRooms,
    SentRow, SentWishes,
};

/// Connections of a device; clients have two or three. One more ends the one that was used least recently.
pub const MAX_OF_DEVICE: usize = 16;
/// A connection's time of use is written anew when it is older than this.
const USE_WITHIN: Duration = Duration::from_secs(24 * 60 * 60);
/// Bytes of connections that are kept, about.
const CACHE_BYTES: u64 = 64 << 20;
/// Rows read at once.
const PAGE: usize = 1_000;

/// The user, the device, the connection's name.
type Name = (OwnedUserId, OwnedDeviceId, String);

fn name_of((user, device, _, name): &ConnectionKey) -> Name {
    (user.clone(), device.clone(), name.clone())
}

#[derive(Clone)]
struct ByRooms;

impl Weighter<Name, Arc<Open>> for ByRooms {
    fn weight(&self, _: &Name, open: &Arc<Open>) -> u64 {
        const CONNECTION: usize = 1_024;
        // Nodes are half full at least.
        const ROOM: usize = 2 * size_of::<(RoomNumber, SentRow)>();
        const WISHES: usize = 2 * size_of::<(u64, StateWishes)>();
        let Connection { rooms, wishes, .. } = &open.connection;
        let of_wishes = wishes.values().map(|wishes| WISHES + wishes.weight()).sum::<usize>();
        (CONNECTION + ROOM * rooms.len() + of_wishes) as u64
    }
}

/// A connection, and what of it is on disk.
#[derive(Debug)]
pub struct Open {
    pub key: ConnectionKey,
    pub connection: Connection,
    stored: Option<ConnectionRow>,
    /// The store took no writes: the next one that it takes has everything.
    is_unsaved: bool,
}

/// The connections.
pub struct Connections {
    db: Db,
    clock: Clock,
    guards: Guards,
    cache: Cache<Name, Arc<Open>, ByRooms>,
    /// How many were begun.
    begun: AtomicU64,
}

impl Connections {
    pub fn new(db: Db, clock: Clock) -> Self {
        const USUAL_CONNECTION: u64 = 8_192;
        let number = usize::try_from(CACHE_BYTES / USUAL_CONNECTION).unwrap_or(usize::MAX);
        let cache = Cache::with_weighter(number, CACHE_BYTES, ByRooms);
        Self { db, clock, guards: Guards::default(), cache, begun: AtomicU64::new(0) }
    }

    /// A new connection under a name. What the device had under it goes with the first answer.
    pub async fn begin(&self, actor: &Actor, user: &UserId, name: &str) -> Result<Arc<Open>, ReadError> {
        let key = self.key(owner(actor, user, name)).await?;
        let id = self.new_id(&key);
        let connection = Connection::new(id, self.clock.now());
        Ok(Arc::new(Open { key, connection, stored: None, is_unsaved: false }))
    }

    /// The connection of that id under a name.
    pub async fn find(
        &self,
        actor: &Actor,
        user: &UserId,
        name: &str,
        id: ConnectionId,
    ) -> Result<Arc<Open>, SlidingError> {
        let open = self.open(owner(actor, user, name)).await?.ok_or(SlidingError::UnknownPos)?;
        if open.connection.row.id == id { Ok(open) } else { Err(SlidingError::UnknownPos) }
    }

    /// One more answer, to a client that came with `came_with`.
    ///
    /// # Errors
    /// [`SlidingError::UnknownPos`] where that can no more be gone on from.
    pub async fn answer(
        &self,
        open: &Arc<Open>,
        came_with: &MarkRow,
        position: Position,
        told: Told,
    ) -> Result<Arc<Open>, SlidingError> {
        let name = name_of(&open.key);
        // Those of a device take turns: one that begins may end another one.
        let guard = self.guards.lock(name.0.as_str()).await;
        let latest = self.latest(open, came_with).await?;
        let (connection, changed) = latest
            .connection
            .after(came_with, position, told, self.clock.now())
            .map_err(|_| SlidingError::UnknownPos)?;
        let mut next =
            Open { key: open.key.clone(), connection, stored: latest.stored.clone(), is_unsaved: false };
        let mut batch = Batch::relaxed();
        if came_with.answer == 0 {
            self.end_surplus(&mut batch, &next.key).await?;
        }
        next.keep_time(latest.stored.as_ref());
        next.put(&mut batch, latest.stored.as_ref(), &changed, latest.is_unsaved);
        match self.db.commit_under(guard, batch).await {
            Ok(_) => next.stored = Some(next.connection.row.clone()),
            Err(CommitError::Conflict { .. }) => {
                self.cache.remove(&name);
                return Err(SlidingError::UnknownPos);
            }
            Err(error @ CommitError::ReadOnly(_)) => {
                // Clients go on reading while the store takes no writes.
                tracing::warn!(%error, "a connection of sliding sync was not stored");
                next.is_unsaved = true;
            }
            Err(error) => {
                self.cache.remove(&name);
                return Err(StoreFault::from(error).into());
            }
        }
        let next = Arc::new(next);
        self.cache.insert(name, Arc::clone(&next));
        Ok(next)
    }

    /// The connection as it is now, under its guard.
    async fn latest(&self, open: &Arc<Open>, came_with: &MarkRow) -> Result<Arc<Open>, SlidingError> {
        if came_with.answer == 0 {
            let stored = self.db.snapshot().get::<Rows>(&open.key).await?;
            let Open { key, connection, .. } = open.as_ref();
            let (key, connection) = (key.clone(), connection.clone());
            return Ok(Arc::new(Open { key, connection, stored, is_unsaved: false }));
        }
        let latest = self.open(name_of(&open.key)).await?.ok_or(SlidingError::UnknownPos)?;
        let is_alive = latest.connection.row.id == open.connection.row.id
            && latest.connection.mark(came_with.answer) == Some(came_with);
        if is_alive { Ok(latest) } else { Err(SlidingError::UnknownPos) }
    }

    /// Deletes what nobody will use: the connections of devices that are gone, and those that were not used for long. To be run now and then, before the lists
    /// of ended devices are worked off.
    pub async fn sweep(&self) -> Result<(), StoreFault> {
        let now = self.clock.now();
        let ended = ending::sweep_ended(&self.db, now).await;
        ending::sweep_idle(&self.db, now).await?;
        ended
    }

    async fn key(&self, (user, device, name): Name) -> Result<ConnectionKey, ReadError> {
        let owner = (user, device);
        let row = self.db.snapshot().get::<Devices>(&owner).await?;
        let since = row.map_or(Position::START, |row| row.since);
        Ok((owner.0, owner.1, since, name))
    }

    /// An id that no connection ever had.
    fn new_id(&self, key: &ConnectionKey) -> ConnectionId {
        let begun = self.begun.fetch_add(1, Ordering::Relaxed);
        let mut hasher = blake3::Hasher::new();
        hasher.update(&plop_db::codec::encode(key));
        // A restart begins above every position that was given out.
        hasher.update(&self.db.published().to_bytes()).update(&begun.to_be_bytes());
        hasher.update(&self.clock.now().0.to_be_bytes());
        let mut id = ConnectionId::default();
        id.iter_mut().zip(hasher.finalize().as_bytes()).for_each(|(to, from)| *to = *from);
        id
    }

    /// A connection of that name, whatever its id: from memory, or read.
    async fn open(&self, name: Name) -> Result<Option<Arc<Open>>, ReadError> {
        if let Some(open) = self.cache.get(&name) {
            return Ok(Some(open));
        }
        let key = self.key(name.clone()).await?;
        let snapshot = self.db.snapshot();
        let Some(row) = snapshot.get::<Rows>(&key).await? else { return Ok(None) };
        let mut connection = Connection::new(row.id, row.used);
        let mut pages = Pages::new(KeyRange::<SentRooms>::prefix(&row.id), PAGE);
        while let Some(rows) = pages.next(&snapshot).await? {
            connection.rooms.extend(rows.into_iter().map(|((_, room), sent)| (room, sent)));
        }
        let mut pages = Pages::new(KeyRange::<SentWishes>::prefix(&row.id), PAGE);
        while let Some(rows) = pages.next(&snapshot).await? {
            connection.wishes.extend(rows.into_iter().map(|((_, hash), wishes)| (hash, wishes)));
        }
        connection.row = row.clone();
        let open = Open { key, connection, stored: Some(row), is_unsaved: false };
        Ok(Some(self.keep_read(name, open)))
    }

    /// Keeps a connection that was read without its guard, unless an answer has come in between: that one has the newer one.
    fn keep_read(&self, name: Name, open: Open) -> Arc<Open> {
        let open = Arc::new(open);
        let kept = self.cache.get_or_insert_with(&name, || Ok::<_, Infallible>(Arc::clone(&open)));
        kept.unwrap_or(open)
    }

    /// Makes room for one more connection of a device.
    async fn end_surplus(&self, batch: &mut Batch, key: &ConnectionKey) -> Result<(), ReadError> {
        let (user, device, since, _) = key.clone();
        let range = KeyRange::<Rows>::prefix(&(user, device, since));
        let page = self.db.snapshot().scan(range, Direction::Forward, MAX_OF_DEVICE + 1).await?;
        let mut others: Vec<_> = page.rows.into_iter().filter(|(other, _)| other != key).collect();
        while others.len() >= MAX_OF_DEVICE {
            let oldest = others.iter().enumerate().min_by_key(|(_, (_, row))| row.used);
            let Some(index) = oldest.map(|(index, _)| index) else { break };
            let (key, row) = others.swap_remove(index);
            ending::end(batch, &key, &row);
            self.cache.remove(&name_of(&key));
        }
        Ok(())
    }
}

impl Open {
    /// The time of the last use is kept for a while, so that an answer does not move it.
    fn keep_time(&mut self, stored: Option<&ConnectionRow>) {
        let row = &mut self.connection.row;
        if let Some(stored) = stored.filter(|stored| stored.id == row.id)
            && row.used.since(stored.used) < USE_WITHIN
        {
            row.used = stored.used;
        }
    }

    fn put(&self, batch: &mut Batch, stored: Option<&ConnectionRow>, changed: &Changed, everything: bool) {
        let Connection { row, rooms, wishes } = &self.connection;
        batch.expect::<Rows>(&self.key, stored);
        if let Some(stored) = stored.filter(|stored| stored.id != row.id || everything) {
            ending::end(batch, &self.key, stored);
        }
        if let Some(stored) = stored.filter(|stored| stored.used != row.used) {
            batch.delete::<ConnectionUses>(&ending::use_of(stored.used, &self.key));
        }
        batch.put::<Rows>(&self.key, row);
        batch.put::<ConnectionUses>(&ending::use_of(row.used, &self.key), &());
        let put_room = |batch: &mut Batch, room| match rooms.get(&room) {
            Some(sent) => batch.put::<SentRooms>(&(row.id, room), sent),
            None => batch.delete::<SentRooms>(&(row.id, room)),
        };
        let put_wishes = |batch: &mut Batch, hash| match wishes.get(&hash) {
            Some(kept) => batch.put::<SentWishes>(&(row.id, hash), kept),
            None => batch.delete::<SentWishes>(&(row.id, hash)),
        };
        if everything {
            rooms.keys().for_each(|room| put_room(batch, *room));
            wishes.keys().for_each(|hash| put_wishes(batch, *hash));
        } else {
            changed.rooms.iter().for_each(|room| put_room(batch, *room));
            changed.wishes.iter().for_each(|hash| put_wishes(batch, *hash));
        }
    }
}

/// Whose connection it is.
fn owner(actor: &Actor, user: &UserId, name: &str) -> Name {
    let device = actor.device_id().map_or_else(|| OwnedDeviceId::from(""), DeviceId::to_owned);
    (user.to_owned(), device, name.to_owned())
}

#[cfg(test)]
mod tests {
    use plop_bed::{Ground, user};
    use ruma::user_id;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_read_before_an_answer_does_not_take_the_place_of_it() {
        let ground = Ground::new(plop_bed_server::keyspaces(), 7);
        let connections = Connections::new(ground.db.clone(), ground.clock.clone());
        let (actor, alice) = (user("alice"), user_id!("@alice:plop.example"));
        let new = connections.begin(&actor, alice, "main").await.expect("a connection");
        let start = new.connection.row.current.clone();
        let read =
            connections.answer(&new, &start, Position::START, Told::default()).await.expect("an answer");
        let mark = read.connection.row.current.clone();
        let newer =
            connections.answer(&read, &mark, Position::START, Told::default()).await.expect("an answer");
        let (key, connection, stored) = (read.key.clone(), read.connection.clone(), read.stored.clone());
        let kept = connections.keep_read(name_of(&key), Open { key, connection, stored, is_unsaved: false });
        assert!(Arc::ptr_eq(&kept, &newer));
    }
}
