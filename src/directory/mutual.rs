//! Rooms that two users share (client-server API, "Mutual Rooms").
//!
//! Owns: the list and its pages. Does not own: memberships.
//!
//! Invariants: the list is in the order of room numbers, so pages fit together whatever is joined and left meanwhile; a token does not expire. Nothing is
//! told of the other user but what the rooms of the one who asks say.

use std::fmt;
use std::str::FromStr;

use plop_db::{KeyRange, Pages, ReadError};
use plop_rooms::schema::{Members, Membership, RoomRecords, UserRooms};
use plop_state_store::RoomNumber;
use ruma::{OwnedRoomId, UserId};

use crate::directory::Directory;

/// Rooms of a page.
pub const PAGE_ROOMS: usize = 200;
/// Rows read at once.
const ROWS: usize = 500;
/// Rooms of the one who asks that are looked through.
const MAX_OWN_ROOMS: usize = 20_000;

/// A page of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MutualRooms {
    pub rooms: Vec<OwnedRoomId>,
    /// All of them, on other pages too.
    pub count: u64,
    pub next: Option<Place>,
}

/// A place in the list. Opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(RoomNumber);

/// What every text of a place begins with: the kind of token and the version of its form.
const PREFIX: &str = "m1_";

/// A text that is no place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a token of mutual rooms")]
pub struct NoPlace;

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.0.0)
    }
}

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let digits = text.strip_prefix(PREFIX).ok_or(NoPlace)?;
        // `parse` would take a sign.
        let is_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<u64>().ok().filter(|_| is_digits).map(|number| Self(RoomNumber(number))).ok_or(NoPlace)
    }
}

impl Directory {
    /// The rooms that two users have both joined, after a place in the list.
    pub async fn mutual_rooms(
        &self,
        one: &UserId,
        other: &UserId,
        after: Option<Place>,
    ) -> Result<MutualRooms, ReadError> {
        let snapshot = self.parts().db.snapshot();
        let mut pages = Pages::<UserRooms>::new(KeyRange::prefix(&one.to_owned()), ROWS);
        let (mut count, mut page, mut more, mut looked_at) = (0, Vec::new(), false, 0);
        while let Some(rows) = pages.next(&snapshot).await? {
            looked_at += rows.len();
            let joined = rows.into_iter().filter(|(_, row)| row.membership == Membership::Join);
            let keys: Vec<_> = joined.map(|((_, room), _)| (room, other.to_owned())).collect();
            let members = snapshot.get_many::<Members>(&keys).await?;
            for ((room, _), member) in keys.into_iter().zip(members) {
                if member.is_none_or(|member| member.membership != Membership::Join) {
                    continue;
                }
                count += 1;
                let is_wanted = after.is_none_or(|Place(after)| room > after);
                more |= is_wanted && page.len() == PAGE_ROOMS;
                if is_wanted && page.len() < PAGE_ROOMS {
                    page.push(room);
                }
            }
            if looked_at >= MAX_OWN_ROOMS {
                break;
            }
        }
        let next = page.last().copied().map(Place).filter(|_| more);
        let rows = snapshot.get_many::<RoomRecords>(&page).await?;
        Ok(MutualRooms { rooms: rows.into_iter().flatten().map(|row| row.id).collect(), count, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tokens_are_tokens() {
        let place = Place(RoomNumber(u64::MAX));
        assert_eq!(place.to_string().parse(), Ok(place));
        for text in ["", "m1_", "m1_+1", "m1_-1", "m1_99999999999999999999", "d1_1", "1", "m1_ 1"] {
            assert_eq!(text.parse::<Place>(), Err(NoPlace), "{text}");
        }
    }
}
