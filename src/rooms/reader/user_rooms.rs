//! The rooms that a user is in (client-server API, `GET /joined_rooms`).
//!
//! Owns: the list by membership in the current state. Does not own: what changed in them (sync).

use plop_db::{Direction, KeyRange, ReadError};
use ruma::{OwnedRoomId, UserId};

use crate::rooms::Rooms;
use crate::schema::{self, Membership, UserRooms};

/// Rows read at once.
const PAGE: usize = 500;

impl Rooms {
    /// The rooms that a user has joined.
    pub async fn joined_rooms(&self, user: &UserId) -> Result<Vec<OwnedRoomId>, ReadError> {
        let snapshot = self.core().db.snapshot();
        let mut range = KeyRange::<UserRooms>::prefix(&user.to_owned());
        let mut rooms = Vec::new();
        loop {
            let page = snapshot.scan(range.clone(), Direction::Forward, PAGE).await?;
            let joined = page.rows.iter().filter(|(_, row)| row.membership == Membership::Join);
            let numbers: Vec<_> = joined.map(|((_, room), _)| *room).collect();
            let rows = snapshot.get_many::<schema::Rooms>(&numbers).await?;
            rooms.extend(rows.into_iter().flatten().map(|row| row.id));
            match page.rows.last() {
                Some((last, _)) if page.more => range = range.after(last),
                _ => return Ok(rooms),
            }
        }
    }
}
