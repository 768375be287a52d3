//! The event closest to a time (client-server API, `GET /rooms/{roomId}/timestamp_to_event`).
//!
//! Owns: looking for it by the index of times. Does not own: which events are seen ([`super::visibility`]).
//!
//! Invariants: times are what the events' senders claim, whatever their order in the room. So many rows are looked at and so many events loaded, at
//! most; one who left is not led beyond that.

use std::sync::Arc;

use plop_base::clock::UnixMillis;
use plop_db::{Direction, KeyRange};
use plop_state_store::EventNumber;

use super::access::{ReadRefusal, RoomReader};
use crate::event::RoomEvent;
use crate::schema::EventTimes;

/// Rows of the index that are looked at: of one who left long ago most of them lead to nothing that they may see.
const MAX_ROWS: usize = 10_000;
/// Events that are loaded to see whether the user may see them.
const MAX_EXAMINED: usize = 1_000;
/// Rows of a page.
const PAGE: usize = 100;

impl RoomReader<'_> {
    /// The first event at or after a time, or the last one at or before it, that this user may see.
    ///
    /// # Errors
    /// [`ReadRefusal::NotInRoom`] for one who has no access to the room; `NoSuchEvent` where there is none.
    pub async fn closest(
        &mut self,
        time: UnixMillis,
        direction: Direction,
    ) -> Result<Arc<RoomEvent>, ReadRefusal> {
        self.admitted()?;
        let (room, top) = (self.view.number, self.top().await?);
        let all = KeyRange::<EventTimes>::prefix(&room);
        let mut range = match direction {
            Direction::Forward => all.from(&(room, time)),
            Direction::Backward => all.to(&(room, time)),
        };
        let (mut rows, mut examined) = (0, 0);
        while rows < MAX_ROWS && examined < MAX_EXAMINED {
            let page = self.snapshot.scan(range.clone(), direction, PAGE).await?;
            let Some((last, _)) = page.rows.last() else { break };
            range = match direction {
                Direction::Forward => range.after(last),
                Direction::Backward => range.before(last),
            };
            rows += page.rows.len();
            let in_reach = page.rows.iter().filter(|((_, _, place), _)| *place < top);
            let numbers: Vec<EventNumber> = in_reach.map(|(_, number)| *number).collect();
            examined += numbers.len();
            for event in self.events_by_number(&numbers).await? {
                if self.sees(&event).await? {
                    return Ok(event);
                }
            }
            if !page.more {
                break;
            }
        }
        Err(ReadRefusal::NoSuchEvent)
    }
}
