//! Who reads a room, and how far the room is open to them.
//!
//! Owns: [`RoomReader`], [`Standing`], [`ReadRefusal`]: the user's way in. Does not own: which events they see ([`super::visibility`]).
//!
//! Invariants: the picture is taken before the snapshot, so the snapshot has every event that the picture names. A room that is not here and
//! one that is none of the user's business are refused alike.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plop_base::Actor;
use plop_db::{ReadError, Snapshot};
use plop_state::auth::HistoryVisibility;
use plop_state_store::EventNumber;
use plop_state_store::tree::Root;
use ruma::{DeviceId, OwnedUserId, RoomId, UserId};

use crate::event::RoomEvent;
use crate::event_store::EventReadError;
use crate::fault::StoreFault;
use crate::history_place::HistoryPlace;
use crate::loading::LoadError;
use crate::parts::Core;
use crate::rooms::Rooms;
use crate::schema::{Membership, UserRooms};
use crate::view::RoomView;

/// Member events that are looked through for the moment a user left: a chain of bans and invites after it may be as long as others
/// like to make it.
const MAX_MEMBER_CHANGES: usize = 256;

/// Why something is not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadRefusal {
    /// The room is not here, or the user has no business knowing that it is.
    #[error("you are not in this room")]
    NotInRoom,
    /// There is no such event in this room, or the user may not see it.
    #[error("no such event in this room")]
    NoSuchEvent,
    /// The server itself asked; what it may read is not a question of visibility.
    #[error("this needs a user")]
    NoUser,
    #[error("room version {0} is not known here")]
    UnknownVersion(String),
    #[error(transparent)]
    Store(StoreFault),
}

impl From<StoreFault> for ReadRefusal {
    fn from(fault: StoreFault) -> Self {
        Self::Store(fault)
    }
}

impl From<ReadError> for ReadRefusal {
    fn from(error: ReadError) -> Self {
        Self::Store(error.into())
    }
}

impl From<EventReadError> for ReadRefusal {
    fn from(error: EventReadError) -> Self {
        Self::Store(error.into())
    }
}

impl From<LoadError> for ReadRefusal {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::NotHere => Self::NotInRoom,
            LoadError::UnknownVersion(version) => Self::UnknownVersion(version),
            LoadError::Store(fault) => Self::Store(fault),
        }
    }
}

/// How far the past of a room belongs to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// In the room.
    Joined,
    /// Was in the room, whatever the membership is now (left, banned, invited again), until the event at this place, which left
    /// this state behind.
    Departed { at: HistoryPlace, state: Root },
    /// Was never in the room, or has forgotten it.
    Stranger,
}

/// A room as one user reads it.
pub struct RoomReader<'a> {
    pub(super) core: &'a Core,
    pub(super) view: Arc<RoomView>,
    pub(super) snapshot: Snapshot,
    pub(super) user: &'a UserId,
    pub(super) device: Option<&'a DeviceId>,
    standing: Standing,
    /// What is known about states: history visibility, and the membership of this user.
    pub(super) visibilities: BTreeMap<Root, HistoryVisibility>,
    pub(super) memberships: BTreeMap<Root, Membership>,
    /// Whether users asked for erasure, as far as it was looked up.
    pub(super) erased: BTreeMap<OwnedUserId, bool>,
    /// Whom the user ignores, once it was looked up.
    pub(super) ignored: Option<Arc<BTreeSet<OwnedUserId>>>,
}

impl Rooms {
    /// A room as the user of this actor reads it now. Everyone gets one; what it gives depends on their [`Standing`].
    pub async fn reader<'a>(
        &'a self,
        actor: &'a Actor,
        room: &RoomId,
    ) -> Result<RoomReader<'a>, ReadRefusal> {
        let user = reading_user(actor)?;
        let view = self.view_by_id(room).await?;
        let snapshot = self.core().db.snapshot();
        Ok(RoomReader::new(self, view, snapshot, user, actor.device_id()).await?)
    }
}

impl<'a> RoomReader<'a> {
    /// `snapshot` is no older than `view`. The device is the one that gets its transaction ids back.
    pub async fn new(
        rooms: &'a Rooms,
        view: Arc<RoomView>,
        snapshot: Snapshot,
        user: &'a UserId,
        device: Option<&'a DeviceId>,
    ) -> Result<Self, StoreFault> {
        let core = rooms.core();
        let standing = standing(core, &view, &snapshot, user).await?;
        Ok(Self {
            core,
            view,
            snapshot,
            user,
            device,
            standing,
            visibilities: BTreeMap::new(),
            memberships: BTreeMap::new(),
            erased: BTreeMap::new(),
            ignored: None,
        })
    }

    /// The picture of the room.
    pub fn view(&self) -> &Arc<RoomView> {
        &self.view
    }

    /// How far the past of the room belongs to this user.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Whether everyone may look into the room as it is now.
    pub fn is_open_to_all(&self) -> bool {
        self.view.history_visibility() == HistoryVisibility::WorldReadable
    }

    /// Whether this user may ask for lists of the room: history, state, members.
    ///
    /// # Errors
    /// [`ReadRefusal::NotInRoom`] for one who never was in a room that is not world-readable.
    pub fn admitted(&self) -> Result<(), ReadRefusal> {
        match self.standing {
            Standing::Joined | Standing::Departed { .. } => Ok(()),
            Standing::Stranger if self.is_open_to_all() => Ok(()),
            Standing::Stranger => Err(ReadRefusal::NotInRoom),
        }
    }

    /// An event by number, whether this user may see it or not: for one who looks, and asks [`RoomReader::sees`].
    pub async fn numbered(&self, number: EventNumber) -> Result<Arc<RoomEvent>, EventReadError> {
        self.event_by_number(number).await
    }

    /// An event by number, whether this user may see it or not.
    pub(super) async fn event_by_number(
        &self,
        number: EventNumber,
    ) -> Result<Arc<RoomEvent>, EventReadError> {
        self.core.events.get(&self.snapshot, self.view.number, self.view.rules, number).await
    }

    /// Several events by number, in that order.
    pub(super) async fn events_by_number(
        &self,
        numbers: &[EventNumber],
    ) -> Result<Vec<Arc<RoomEvent>>, EventReadError> {
        self.core.events.get_many(&self.snapshot, self.view.number, self.view.rules, numbers).await
    }
}

/// The user who reads. Guests read what any user may (client-server API, "Guest access"); a shadow-banned user notices nothing.
pub(crate) fn reading_user(actor: &Actor) -> Result<&UserId, ReadRefusal> {
    match actor {
        Actor::User { user, .. }
        | Actor::AppService { user, .. }
        | Actor::Guest { user, .. }
        | Actor::AdminAs { user, .. }
        | Actor::ShadowBanned { user, .. }
        | Actor::ServerAs { user } => Ok(user),
        Actor::Server => Err(ReadRefusal::NoUser),
    }
}

async fn standing(
    core: &Core,
    view: &RoomView,
    snapshot: &Snapshot,
    user: &UserId,
) -> Result<Standing, StoreFault> {
    let Some(member) = view.members.get(user) else { return Ok(Standing::Stranger) };
    if member.membership == Membership::Join {
        return Ok(Standing::Joined);
    }
    let row = snapshot.get::<UserRooms>(&(user.to_owned(), view.number)).await?;
    if row.is_some_and(|row| row.forgotten) {
        return Ok(Standing::Stranger);
    }
    let departure = departure(core, view, snapshot, member.event).await?;
    let place = departure.and_then(|event| event.facts.place.zip(event.state_after()));
    Ok(place.map_or(Standing::Stranger, |(at, state)| Standing::Departed { at, state }))
}

/// The event with which the user of a member event left last: the one that took the place of a join.
async fn departure(
    core: &Core,
    view: &RoomView,
    snapshot: &Snapshot,
    current: EventNumber,
) -> Result<Option<Arc<RoomEvent>>, EventReadError> {
    let mut event = core.events.get(snapshot, view.number, view.rules, current).await?;
    for _ in 0..MAX_MEMBER_CHANGES {
        let Some(replaced) = event.facts.replaces else { break };
        let replaced = core.events.get(snapshot, view.number, view.rules, replaced).await?;
        if Membership::of(&replaced.pdu, view.rules) == Some(Membership::Join) {
            return Ok(Some(event));
        }
        event = replaced;
    }
    Ok(None)
}
