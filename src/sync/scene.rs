//! One room as a request reads it.
//!
//! Owns: [`Scene`], the reader with the picture and the snapshot behind it; [`RoomRef`], for what needs no more than the room's id. Does not own: what is read.
//!
//! Invariants: the snapshot is no older than the picture. Both may be newer than the answer's position: what is read of them is compared with it.

use std::sync::Arc;

use plop_base::Actor;
use plop_db::Snapshot;
use plop_rooms::reader::access::RoomReader;
use plop_rooms::{EventReadError, LoadError, RoomEvent, RoomView, Rooms, StoreFault};
use plop_state_store::tree::Difference;
use plop_state_store::tree::Root;
use plop_state_store::{EventNumber, RoomNumber};
use ruma::{RoomId, UserId};

/// Who a member event is about.
pub fn member(event: &RoomEvent) -> Option<&str> {
    event.pdu.state_key().filter(|_| event.pdu.type_name() == "m.room.member")
}

/// A room, and where to read what is beside its events.
pub struct RoomRef<'a> {
    pub number: RoomNumber,
    pub id: &'a RoomId,
    pub snapshot: &'a Snapshot,
}

/// The picture of a room; `None` for one that is not here.
pub async fn view(rooms: &Rooms, number: RoomNumber) -> Result<Option<Arc<RoomView>>, StoreFault> {
    match rooms.view(number).await {
        Ok(view) => Ok(Some(view)),
        Err(LoadError::NotHere) => Ok(None),
        Err(LoadError::UnknownVersion(version)) => {
            tracing::warn!(?number, version, "a room of an unknown version is left out");
            Ok(None)
        }
        Err(LoadError::Store(fault)) => Err(fault),
    }
}

/// A room, read for one user.
pub struct Scene<'a> {
    pub rooms: &'a Rooms,
    pub view: Arc<RoomView>,
    pub snapshot: Snapshot,
    pub reader: RoomReader<'a>,
}

impl<'a> Scene<'a> {
    /// `None` for a room that is not here (an invite from elsewhere, say).
    pub async fn open(
        rooms: &'a Rooms,
        actor: &'a Actor,
        user: &'a UserId,
        number: RoomNumber,
    ) -> Result<Option<Self>, StoreFault> {
        let Some(view) = view(rooms, number).await? else { return Ok(None) };
        let snapshot = rooms.db().snapshot();
        let reader =
            RoomReader::new(rooms, Arc::clone(&view), snapshot.clone(), user, actor.device_id()).await?;
        Ok(Some(Self { rooms, view, snapshot, reader }))
    }

    pub fn number(&self) -> RoomNumber {
        self.view.number
    }

    /// Where to read what is beside the events.
    pub fn room_ref(&self) -> RoomRef<'_> {
        RoomRef { number: self.view.number, id: &self.view.id, snapshot: &self.snapshot }
    }

    /// Events by number, whether the user may see them or not.
    pub async fn events(&self, numbers: &[EventNumber]) -> Result<Vec<Arc<RoomEvent>>, EventReadError> {
        self.rooms.events().get_many(&self.snapshot, self.view.number, self.view.rules, numbers).await
    }

    /// What is different in another state.
    pub async fn diff(&self, before: Root, after: Root) -> Result<Vec<Difference>, StoreFault> {
        if before == after {
            return Ok(Vec::new());
        }
        Ok(self.rooms.states().diff(&self.snapshot, self.view.grove(), before, after).await?)
    }
}
