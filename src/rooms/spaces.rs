//! Walking through spaces (client-server API, "Discovering rooms within spaces").
//!
//! Owns: the pages of a walk: which rooms come, in which order. Does not own: which rooms are shown to whom ([`crate::preview`]), which children a
//! space has ([`crate::reader::space_children`]), what is kept between two pages ([`walk`]).
//!
//! Invariants: depth first, children in the order of the specification, each room once in a walk, so that loops end. A page has bounded cost:
//! so many rooms, so many children looked at, so much state read, so many bytes. It may be short, or empty, and have a next one. Rooms
//! that this server does not know are left out.

pub(crate) mod walk;

use plop_base::Actor;
use plop_state_store::RoomNumber;
use ruma::{RoomId, UserId};

use crate::fault::StoreFault;
use crate::loading::if_here;
use crate::preview::preview;
use crate::reader::access::{ReadRefusal, RoomReader, reading_user};
use crate::rooms::Rooms;
use crate::summary::RoomSummary;
use walk::{Terms, Walk};

/// Rooms of a page, without a limit in the request and at most.
pub const MAX_ROOMS_OF_PAGE: usize = 50;
/// How far a walk goes down.
pub const MAX_DEPTH: u64 = 20;
/// Children that a page looks at, shown or not.
const MAX_LOOKED_AT: usize = 500;
/// State events that a page reads to find children, roughly.
const MAX_STATE_OF_PAGE: usize = 20_000;
/// Bytes of children that a page has, roughly.
const MAX_BYTES_OF_PAGE: usize = 1 << 20;

/// What part of a space somebody wants to see.
#[derive(Debug, Clone, Copy)]
pub struct HierarchyRequest<'r> {
    pub root: &'r RoomId,
    /// Only children that their space suggests.
    pub suggested_only: bool,
    /// Cut to [`MAX_DEPTH`]; the root is at 0.
    pub max_depth: Option<u64>,
    /// Cut to [`MAX_ROOMS_OF_PAGE`].
    pub limit: Option<u64>,
    /// Where to go on. The root, the choice and the depth are then those of the walk's beginning.
    pub from: Option<&'r str>,
}

/// A room that a walk has come to.
#[derive(Debug, Clone)]
pub struct SpaceRoom {
    pub summary: RoomSummary,
    /// Of a space: its `m.space.child` events in stripped form, with `origin_server_ts`.
    pub children: Vec<String>,
}

/// A part of a walk, in its order.
#[derive(Debug, Clone)]
pub struct HierarchyPage {
    pub rooms: Vec<SpaceRoom>,
    pub next: Option<String>,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum HierarchyRefusal {
    #[error(transparent)]
    Refused(#[from] ReadRefusal),
    /// The token is unknown here (any more), somebody else's, or of a walk on other terms.
    #[error("the token is unknown, or of a request with other parameters")]
    NoSuchWalk,
}

impl From<StoreFault> for HierarchyRefusal {
    fn from(fault: StoreFault) -> Self {
        Self::Refused(fault.into())
    }
}

impl From<plop_db::ReadError> for HierarchyRefusal {
    fn from(error: plop_db::ReadError) -> Self {
        Self::Refused(error.into())
    }
}

/// A page that is being filled.
#[derive(Default)]
struct Filling {
    rooms: Vec<SpaceRoom>,
    looked_at: usize,
    state: usize,
    bytes: usize,
}

impl Filling {
    fn is_full(&self, limit: usize) -> bool {
        self.rooms.len() >= limit
            || self.looked_at >= MAX_LOOKED_AT
            || self.state >= MAX_STATE_OF_PAGE
            || self.bytes >= MAX_BYTES_OF_PAGE
    }
}

impl Rooms {
    /// A page of the rooms in and below a space, those that the user may see.
    ///
    /// # Errors
    /// [`ReadRefusal::NotInRoom`] where the root is not here or not shown; `NoSuchWalk`.
    pub async fn hierarchy(
        &self,
        actor: &Actor,
        request: HierarchyRequest<'_>,
    ) -> Result<HierarchyPage, HierarchyRefusal> {
        let user = reading_user(actor)?;
        let limit = request.limit.and_then(|limit| usize::try_from(limit).ok());
        let limit = limit.unwrap_or(MAX_ROOMS_OF_PAGE).min(MAX_ROOMS_OF_PAGE);
        let terms = Terms {
            user: user.to_owned(),
            root: request.root.to_owned(),
            suggested_only: request.suggested_only,
            max_depth: request.max_depth.unwrap_or(MAX_DEPTH).min(MAX_DEPTH),
        };
        let mut page = Filling::default();
        let mut walk = if let Some(token) = request.from {
            self.walks().resume(token, &terms).ok_or(HierarchyRefusal::NoSuchWalk)?
        } else {
            let mut walk = Walk::new(terms);
            let root = self.number(request.root).await?.ok_or(ReadRefusal::NotInRoom)?;
            self.visit(&mut walk, &mut page, user, root).await?;
            if page.rooms.is_empty() {
                return Err(ReadRefusal::NotInRoom.into());
            }
            walk
        };
        while !page.is_full(limit)
            && let Some(child) = walk.next()
        {
            page.looked_at += 1;
            if let Some(child) = self.number(&child).await? {
                self.visit(&mut walk, &mut page, user, child).await?;
            }
        }
        let next = (!walk.is_over()).then(|| self.walks().keep(walk, &self.core().random));
        Ok(HierarchyPage { rooms: page.rooms, next })
    }

    /// Puts a room on the page, if it is shown and has not been before, and its children on the way.
    async fn visit(
        &self,
        walk: &mut Walk,
        page: &mut Filling,
        user: &UserId,
        room: RoomNumber,
    ) -> Result<(), StoreFault> {
        if !walk.enter(room) {
            return Ok(());
        }
        let snapshot = self.core().db.snapshot();
        let Some(found) = preview(self.core(), &snapshot, room, Some(user)).await? else { return Ok(()) };
        let summary = found.summary;
        if !summary.is_space() {
            page.rooms.push(SpaceRoom { summary, children: Vec::new() });
            return Ok(());
        }
        let Some(view) = if_here(self.view(room).await)? else { return Ok(()) };
        let reader = RoomReader::new(self, view, self.core().db.snapshot(), user, None).await?;
        let (mut children, looked_at) = reader.space_children().await?;
        if walk.terms().suggested_only {
            children.retain(|child| child.is_suggested);
        }
        let texts = reader.space_child_texts(&children, MAX_BYTES_OF_PAGE).await?;
        page.state += looked_at;
        page.bytes += texts.iter().map(String::len).sum::<usize>();
        page.rooms.push(SpaceRoom { summary, children: texts });
        walk.descend(children.into_iter().map(|child| child.room).collect());
        Ok(())
    }
}
