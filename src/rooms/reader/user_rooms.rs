//! The rooms that a user is in (client-server API, `GET /joined_rooms`), and whether two users meet in one.
//!
//! Owns: the list by membership in the current state. Does not own: what changed in them (sync).

use std::cmp::Ordering;

use plop_db::{KeyRange, Pages, ReadError, Snapshot};
use plop_state_store::RoomNumber;
use ruma::{OwnedRoomId, OwnedUserId, UserId};

use crate::rooms::Rooms;
use crate::schema::{self, Membership, UserRooms};

/// Rows read at once.
const PAGE: usize = 500;

impl Rooms {
    /// The rooms that a user has joined.
    pub async fn joined_rooms(&self, user: &UserId) -> Result<Vec<OwnedRoomId>, ReadError> {
        let snapshot = self.core().db.snapshot();
        let mut pages = RoomPages::of(user);
        let mut rooms = Vec::new();
        while let Some(page) = pages.next(&snapshot, &[Membership::Join]).await? {
            rooms.extend(room_ids(&snapshot, &page).await?);
        }
        Ok(rooms)
    }

    /// Whether there is a room that both have joined.
    pub async fn share_a_room(&self, one: &UserId, other: &UserId) -> Result<bool, ReadError> {
        let snapshot = self.core().db.snapshot();
        let (mut ones, mut others) = (RoomPages::of(one), RoomPages::of(other));
        let (mut left, mut right) = (Vec::new().into_iter().peekable(), Vec::new().into_iter().peekable());
        // Both come in the order of the rooms' numbers.
        loop {
            if left.peek().is_none() {
                let page = ones.next(&snapshot, &[Membership::Join]).await?;
                let Some(page) = page else { return Ok(false) };
                left = page.into_iter().peekable();
            }
            if right.peek().is_none() {
                let page = others.next(&snapshot, &[Membership::Join]).await?;
                let Some(page) = page else { return Ok(false) };
                right = page.into_iter().peekable();
            }
            while let (Some(in_left), Some(in_right)) = (left.peek(), right.peek()) {
                match in_left.cmp(in_right) {
                    Ordering::Equal => return Ok(true),
                    Ordering::Less => drop(left.next()),
                    Ordering::Greater => drop(right.next()),
                }
            }
        }
    }
}

/// The rooms of a user by number, page by page; each page may come from a snapshot of its own.
pub(crate) struct RoomPages(Pages<UserRooms>);

impl RoomPages {
    pub fn of(user: &UserId) -> Self {
        let user: OwnedUserId = user.to_owned();
        Self(Pages::new(KeyRange::prefix(&user), PAGE))
    }

    /// One more page of the rooms in which the user has one of these memberships, perhaps an empty one; `None` after the last.
    pub async fn next(
        &mut self,
        snapshot: &Snapshot,
        memberships: &[Membership],
    ) -> Result<Option<Vec<RoomNumber>>, ReadError> {
        let Some(page) = self.0.next(snapshot).await? else { return Ok(None) };
        let wanted = page.into_iter().filter(|(_, row)| memberships.contains(&row.membership));
        Ok(Some(wanted.map(|((_, room), _)| room).collect()))
    }
}

/// The ids of rooms.
pub(crate) async fn room_ids(
    snapshot: &Snapshot,
    numbers: &[RoomNumber],
) -> Result<Vec<OwnedRoomId>, ReadError> {
    let rows = snapshot.get_many::<schema::RoomRecords>(numbers).await?;
    Ok(rows.into_iter().flatten().map(|row| row.id).collect())
}
