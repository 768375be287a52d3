//! A room from disk into memory.
//!
//! Owns: reading the rows that make a [`RoomView`] and what its writer builds on, or only what it shows of itself. Does not own: keeping it ([`crate::registry`]).
//!
//! Invariants: reads one snapshot, so what it makes is one moment of the room; also where the rows of members are behind the state.

use plop_db::{Direction, KeyRange, Pages, ReadError, Snapshot};
use plop_state::StateKey;
use plop_state_store::RoomNumber;
use ruma::{OwnedRoomId, RoomVersionId};

use crate::event_store::EventReadError;
use crate::fault::StoreFault;
use crate::member_changes::changed_members;
use crate::members::{Member, MemberTable};
use crate::parts::Core;
use crate::schema::{HeadRow, Heads, Members, Projecting, RoomRecords, Timeline};
use crate::slot::Ahead;
use crate::summary::{self, RoomSummary};
use crate::view::{RoomView, kept_keys};

/// Members read in one page.
const PAGE: usize = 1000;

/// Why a room cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The room has no events here: unknown, or known by an invite only.
    #[error("the room is not here")]
    NotHere,
    /// Its version is none that this server knows; it stays untouched.
    #[error("room version {0} is unknown")]
    UnknownVersion(String),
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl From<ReadError> for LoadError {
    fn from(error: ReadError) -> Self {
        Self::Store(error.into())
    }
}

impl From<EventReadError> for LoadError {
    fn from(error: EventReadError) -> Self {
        Self::Store(error.into())
    }
}

/// What was loaded; `None` of a room that is not here, or of a version that is not known here.
pub fn if_here<T>(loaded: Result<T, LoadError>) -> Result<Option<T>, StoreFault> {
    match loaded {
        Ok(loaded) => Ok(Some(loaded)),
        Err(LoadError::NotHere | LoadError::UnknownVersion(_)) => Ok(None),
        Err(LoadError::Store(fault)) => Err(fault),
    }
}

/// Reads a room.
pub async fn load(core: &Core, number: RoomNumber) -> Result<Ahead, LoadError> {
    let snapshot = core.db.snapshot();
    let (mut view, head) = outline(&snapshot, number).await?;
    view.members = members(core, &snapshot, number).await?;
    let projecting = snapshot.get::<Projecting>(&number).await?;
    if let Some(behind) = &projecting {
        let changed = changed_members(core, &snapshot, &view, behind.from, view.root).await?;
        for (user, member) in changed {
            view.members.set(user, member, &core.server);
        }
    }
    keep(core, &snapshot, &mut view, kept_keys()).await?;
    let forward_extremities =
        core.events.get_many(&snapshot, number, view.rules, &head.forward_extremities).await?;
    Ok(Ahead { projecting, ..Ahead::landed(view, &head, forward_extremities) })
}

/// Puts the current events under some keys into a view that knows its root.
async fn keep(
    core: &Core,
    snapshot: &Snapshot,
    view: &mut RoomView,
    keys: impl Iterator<Item = StateKey>,
) -> Result<(), StoreFault> {
    let keys: Vec<StateKey> = keys.collect();
    let numbers = core.state.tree.get_many(snapshot, view.grove(), view.root, &keys).await?;
    for (key, event) in keys.into_iter().zip(numbers) {
        if let Some(event) = event {
            let event = core.events.get(snapshot, view.number, view.rules, event).await?;
            view.set_kept(key, Some(event));
        }
    }
    Ok(())
}

/// What a room shows of itself, at a cost that does not follow its size: the room itself stays on disk.
pub async fn load_summary(
    core: &Core,
    snapshot: &Snapshot,
    number: RoomNumber,
) -> Result<RoomSummary, LoadError> {
    Ok(load_shown(core, snapshot, number).await?.1)
}

/// The same, with the picture that it was read from: without members, and with no other events than those that are shown.
pub async fn load_shown(
    core: &Core,
    snapshot: &Snapshot,
    number: RoomNumber,
) -> Result<(RoomView, RoomSummary), LoadError> {
    let (mut view, _) = outline(snapshot, number).await?;
    keep(core, snapshot, &mut view, summary::shown_keys()).await?;
    let newest = KeyRange::<Timeline>::prefix(&number);
    let newest = snapshot.scan(newest, Direction::Backward, 1).await?;
    // The live stream ends at the current state. A room that is here has at least its first event in it.
    let joined_members = newest.rows.first().map_or(0, |(_, row)| row.joined);
    let summary = RoomSummary { joined_members, ..RoomSummary::of(&view) };
    Ok((view, summary))
}

/// Where a room that is here stands, without what its state says.
pub async fn outline(snapshot: &Snapshot, number: RoomNumber) -> Result<(RoomView, HeadRow), LoadError> {
    let room = snapshot.get::<RoomRecords>(&number).await?.ok_or(LoadError::NotHere)?;
    let head = snapshot.get::<Heads>(&number).await?.ok_or(LoadError::NotHere)?;
    if head.forward_extremities.is_empty() {
        return Err(LoadError::NotHere);
    }
    let mut view = empty_view(number, room.id, &room.version)?;
    view.position = snapshot.position();
    view.stand_at(&head);
    Ok((view, head))
}

/// A room that is known and not here, to be joined: it goes on where an attempt before ended, or begins.
pub async fn load_unjoined(core: &Core, mut view: RoomView) -> Result<Ahead, ReadError> {
    let Some(head) = core.db.snapshot().get::<Heads>(&view.number).await? else {
        return Ok(Ahead::empty(view));
    };
    view.stand_at(&head);
    Ok(Ahead::landed(view, &head, Vec::new()))
}

/// A view without state of a room of the given version.
pub fn empty_view(number: RoomNumber, id: OwnedRoomId, version: &str) -> Result<RoomView, LoadError> {
    let unknown = || LoadError::UnknownVersion(version.to_owned());
    let version = RoomVersionId::try_from(version).map_err(|_| unknown())?;
    let rules = plop_state::rules(&version).ok_or_else(unknown)?;
    Ok(RoomView::empty(number, id, rules))
}

async fn members(core: &Core, snapshot: &Snapshot, room: RoomNumber) -> Result<MemberTable, ReadError> {
    let mut table = MemberTable::default();
    let mut pages = Pages::new(KeyRange::<Members>::prefix(&room), PAGE);
    while let Some(rows) = pages.next(snapshot).await? {
        for ((_, user), row) in rows {
            let member = Member { membership: row.membership, event: row.event };
            table.set(user, Some(member), &core.server);
        }
    }
    Ok(table)
}
