//! The rows of members that are behind the state of their room.
//!
//! Owns: writing what is left of them after a change of state that was too large for one batch: right after it, before the next event from
//! elsewhere, or after a restart. Does not own: falling behind ([`crate::operation`]), the picture, which is never behind ([`crate::loading`]).
//!
//! Invariants: may be interrupted anywhere, and run by several at once: a row is written only as the picture has it at that moment.

use plop_db::{KeyRange, Pages, ReadError};
use plop_state_store::RoomNumber;

use crate::loading::{LoadError, outline};
use crate::member_changes::changed_members;
use crate::rooms::{Rooms, settle};
use crate::schema::Projecting;

/// Rooms read at once.
const PAGE: usize = 100;

impl Rooms {
    /// Writes what is left in all rooms: after a start. A room in which that fails does not keep the others from it.
    pub async fn catch_up_all(&self) -> Result<(), ReadError> {
        let mut pages = Pages::new(KeyRange::<Projecting>::all(), PAGE);
        while let Some(rooms) = pages.next(&self.core().db.snapshot()).await? {
            for (room, _) in rooms {
                self.try_to_catch_up(room).await;
            }
        }
        Ok(())
    }

    /// Writes what is left in a room. What cannot be written now is left for the next event or the next start.
    pub(crate) async fn try_to_catch_up(&self, number: RoomNumber) {
        if let Err(error) = self.catch_up(number).await {
            tracing::warn!(room = number.0, %error, "the rows of a room's members are behind");
        }
    }

    /// Writes what is left in a room.
    pub(crate) async fn catch_up(&self, number: RoomNumber) -> Result<(), LoadError> {
        let snapshot = self.core().db.snapshot();
        let Some(behind) = snapshot.get::<Projecting>(&number).await? else { return Ok(()) };
        let (view, _) = outline(&snapshot, number).await?;
        let changed = changed_members(self.core(), &snapshot, &view, behind.from, view.root).await?;
        drop(snapshot);
        let changed: Vec<_> = changed.into_iter().collect();
        let mut left = changed.as_slice();
        loop {
            let mut writer = self.writer(number).await?;
            let mut operation = writer.begin();
            let done = operation.project(left).await?;
            left = left.get(done..).unwrap_or_default();
            if left.is_empty() {
                operation.caught_up(&behind);
            }
            if !operation.is_empty() {
                let submitted = operation.submit().await;
                drop(writer);
                settle(submitted).await?;
            }
            if left.is_empty() {
                return Ok(());
            }
        }
    }
}
