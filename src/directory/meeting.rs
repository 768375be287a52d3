//! Where a searcher meets a user: the rooms through which the one may find the other.
//!
//! Owns: [`Searcher`], the rooms that the searcher is in and what one search may still look at. Does not own: who is a candidate, names.
//!
//! Invariants: a user may be found who is in a room with the searcher or in one that everybody may join or look into (client-server API, `POST
//! /user_directory/search`). All candidates of a search together cost a bounded number of rows; when these are used up, that is said.

use std::collections::BTreeSet;

use plop_db::{Direction, KeyRange, Pages, ReadError, Snapshot};
use plop_rooms::schema::{Membership, OpenRooms, UserRooms};
use plop_state_store::RoomNumber;
use ruma::{OwnedUserId, UserId};

/// Rooms of the searcher that are known.
const MAX_OWN_ROOMS: usize = 10_000;
/// Rooms of one user that are looked at at once.
const PAGE: usize = 250;
/// Rooms of all candidates that one search looks at.
const MAX_ROOMS: usize = 20_000;
/// Rooms of one candidate through which they may be seen, of each kind.
const MAX_MEETINGS: usize = 16;

/// One who searches.
pub struct Searcher {
    rooms: BTreeSet<RoomNumber>,
    left: usize,
    /// Not everything was looked at.
    pub gave_up: bool,
}

/// The rooms through which somebody is seen, some of them if there are many.
#[derive(Default)]
pub struct Meetings {
    pub shared: Vec<RoomNumber>,
    pub open: Vec<RoomNumber>,
}

impl Meetings {
    /// Rooms in common before open ones.
    pub fn rooms(&self) -> impl Iterator<Item = RoomNumber> {
        self.shared.iter().chain(&self.open).copied()
    }

    pub fn are_none(&self) -> bool {
        self.shared.is_empty() && self.open.is_empty()
    }
}

impl Searcher {
    /// Reads the rooms of a user.
    pub async fn new(snapshot: &Snapshot, user: &UserId) -> Result<Self, ReadError> {
        let mut pages = Pages::<UserRooms>::new(KeyRange::prefix(&user.to_owned()), 1_000);
        let (mut rooms, mut gave_up) = (BTreeSet::new(), false);
        while let Some(page) = pages.next(snapshot).await? {
            let joined = page.into_iter().filter(|(_, row)| row.membership == Membership::Join);
            rooms.extend(joined.map(|((_, room), _)| room));
            if rooms.len() >= MAX_OWN_ROOMS {
                gave_up = true;
                break;
            }
        }
        Ok(Self { rooms, left: MAX_ROOMS, gave_up })
    }

    /// Where this searcher meets a user. As many rooms in common as are wanted end the look.
    pub async fn meetings(
        &mut self,
        snapshot: &Snapshot,
        user: &OwnedUserId,
        wanted: usize,
    ) -> Result<Meetings, ReadError> {
        let mut found = Meetings::default();
        let mut rest = KeyRange::<UserRooms>::prefix(user);
        while self.left > 0 {
            let page = snapshot.scan(rest.clone(), Direction::Forward, PAGE.min(self.left)).await?;
            self.left -= page.rows.len();
            let Some((last, _)) = page.rows.last() else { return Ok(found) };
            rest = rest.after(last);
            let joined = page.rows.iter().filter(|(_, row)| row.membership == Membership::Join);
            let (shared, others): (Vec<_>, Vec<_>) =
                joined.map(|((_, room), _)| *room).partition(|room| self.rooms.contains(room));
            if found.open.len() < MAX_MEETINGS {
                let open = snapshot.get_many::<OpenRooms>(&others).await?;
                let open = others.iter().zip(open).filter(|(_, open)| open.is_some());
                found.open.extend(open.map(|(room, _)| *room));
                found.open.truncate(MAX_MEETINGS);
            }
            found.shared.extend(shared);
            found.shared.truncate(MAX_MEETINGS);
            if found.shared.len() >= wanted.min(MAX_MEETINGS) || !page.more {
                return Ok(found);
            }
        }
        self.gave_up = true;
        Ok(found)
    }
}
