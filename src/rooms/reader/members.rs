//! Who is and was in a room (client-server API, `GET /rooms/{roomId}/members` and `/joined_members`).
//!
//! Owns: lists of members of now and of other states. Does not own: which state a user may look at ([`super::state`]).
//!
//! Invariants: the members of an older state cost what is different from now. The events are loaded page by page.

use std::sync::Arc;

use plop_db::{KeyRange, Pages, ReadError};
use plop_state_store::EventNumber;
use ruma::OwnedUserId;

use super::access::{ReadRefusal, RoomReader, Standing};
use super::token::HistoryToken;
use crate::event::RoomEvent;
use crate::fault::StoreFault;
use crate::member_changes::changed_members;
use crate::schema::{MemberRow, Members, Membership};

/// Events that are read at once.
const PAGE: usize = 200;
/// Rows that are read at once: some 200 bytes each.
const ROWS: usize = 1_000;

/// Which members to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct MemberFilter {
    pub membership: Option<Membership>,
    pub not_membership: Option<Membership>,
}

impl MemberFilter {
    /// With both conditions, one of them suffices.
    fn keeps(self, membership: Membership) -> bool {
        match (self.membership, self.not_membership) {
            (None, None) => true,
            (is, is_not) => is == Some(membership) || is_not.is_some_and(|is_not| is_not != membership),
        }
    }
}

/// Member events, page by page.
#[derive(Debug)]
pub struct MemberPages {
    numbers: std::vec::IntoIter<EventNumber>,
}

impl MemberPages {
    /// The next events; `None` at the end.
    pub async fn next(&mut self, reader: &RoomReader<'_>) -> Result<Option<Vec<Arc<RoomEvent>>>, StoreFault> {
        let numbers: Vec<EventNumber> = self.numbers.by_ref().take(PAGE).collect();
        if numbers.is_empty() {
            return Ok(None);
        }
        Ok(Some(reader.events_by_number(&numbers).await?))
    }
}

/// A joined member as [`RoomReader::joined_members`] lists them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinedMember {
    pub user: OwnedUserId,
    pub displayname: Option<String>,
    pub avatar_url: Option<String>,
}

/// Joined members, page by page, in the order of user ids.
pub struct JoinedPages(Pages<Members>);

impl JoinedPages {
    /// The next members (a page may be empty); `None` at the end.
    pub async fn next(&mut self, reader: &RoomReader<'_>) -> Result<Option<Vec<JoinedMember>>, ReadError> {
        let Some(rows) = self.0.next(&reader.snapshot).await? else { return Ok(None) };
        let joined = rows.into_iter().filter(|(_, row)| row.membership == Membership::Join);
        let member = |((_, user), row): ((_, OwnedUserId), MemberRow)| JoinedMember {
            user,
            displayname: row.displayname,
            avatar_url: row.avatar_url,
        };
        Ok(Some(joined.map(member).collect()))
    }
}

impl RoomReader<'_> {
    /// The members at a place in history, or in the newest state that this user may look at.
    ///
    /// # Errors
    /// [`ReadRefusal::NotInRoom`] for one who may not look at that state.
    pub async fn members(
        &mut self,
        at: Option<HistoryToken>,
        filter: MemberFilter,
    ) -> Result<MemberPages, ReadRefusal> {
        let state = match at {
            Some(place) => self.state_at(place).await?,
            None => self.state_in_reach()?,
        };
        let current = self.view.root;
        let changed = changed_members(self.core, &self.snapshot, &self.view, current, state).await?;
        let unchanged = self
            .view
            .members
            .iter()
            .filter(|(user, _)| !changed.contains_key(*user))
            .map(|(_, member)| member);
        let kept = unchanged
            .chain(changed.values().flatten().copied())
            .filter(|member| filter.keeps(member.membership))
            .map(|member| member.event);
        let numbers: Vec<EventNumber> = kept.collect();
        Ok(MemberPages { numbers: numbers.into_iter() })
    }

    /// The joined members of now with their profiles, for one who is in the room.
    ///
    /// # Errors
    /// [`ReadRefusal::NotInRoom`].
    pub fn joined_members(&self) -> Result<JoinedPages, ReadRefusal> {
        match self.standing() {
            Standing::Joined => Ok(JoinedPages(Pages::new(KeyRange::prefix(&self.view.number), ROWS))),
            Standing::Departed { .. } | Standing::Stranger => Err(ReadRefusal::NotInRoom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_condition_of_a_filter_suffices() {
        use Membership::{Ban, Join, Leave};
        let kept = |membership, not_membership| {
            [Join, Leave, Ban].map(|member| MemberFilter { membership, not_membership }.keeps(member))
        };
        assert_eq!(kept(None, None), [true, true, true]);
        assert_eq!(kept(Some(Join), None), [true, false, false]);
        assert_eq!(kept(None, Some(Leave)), [true, false, true]);
        assert_eq!(kept(Some(Join), Some(Leave)), [true, false, true]);
        assert_eq!(kept(Some(Leave), Some(Leave)), [true, true, true]);
    }
}
