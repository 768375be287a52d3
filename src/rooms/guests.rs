//! Guests leave rooms that admit them no more (client-server API, "Guest access": "the server MUST set those users' `m.room.member` state to `leave`").
//!
//! Owns: working off the list of such rooms ([`ClosedToGuests`]). Does not own: what puts a room on it (the event that closes the room,
//! [`crate::operation`]), who is a guest ([`plop_accounts::guests`]), whether a guest may join or send ([`crate::ops`]).
//!
//! Invariants: a room is struck off when its guests have left, so what a crash interrupts is done again; one that admits guests again meanwhile keeps them.
//! Guests of other servers are theirs to look after: nobody else knows of them.

use plop_accounts::guests::guests_among;
use plop_base::Actor;
use plop_db::{Batch, CommitError, Direction, KeyRange, Position, changed_stream};
use plop_state::json::Object;
use plop_state_store::RoomNumber;
use ruma::OwnedUserId;

use crate::loading::if_here;
use crate::rooms::Rooms;
use crate::schema::ClosedToGuests;
use crate::summary::guests_may_join;
use crate::upkeep::{UpkeepError, followed};

/// Rooms taken up at once.
const ROOMS: usize = 20;
/// Members who are looked at at once.
const MEMBERS: usize = 500;

impl Rooms {
    /// Works off the list, for ever: for a background task.
    pub async fn run_dismissing_guests(&self) -> Result<(), UpkeepError> {
        let mut publications = self.core().db.subscribe();
        loop {
            self.dismiss_guests().await?;
            if !changed_stream::<ClosedToGuests>(&mut publications).await {
                return Ok(());
            }
        }
    }

    /// Works off what is on the list now.
    pub async fn dismiss_guests(&self) -> Result<(), UpkeepError> {
        loop {
            let all = KeyRange::<ClosedToGuests>::all();
            let page = self.core().db.snapshot().scan(all, Direction::Forward, ROOMS).await?;
            if page.rows.is_empty() {
                return Ok(());
            }
            for (room, change) in page.rows {
                self.dismiss_guests_of(room).await?;
                self.strike_off(room, change).await?;
            }
        }
    }

    async fn dismiss_guests_of(&self, room: RoomNumber) -> Result<(), UpkeepError> {
        let view = match if_here(self.view(room).await) {
            Ok(view) => view.filter(|view| !guests_may_join(view)),
            Err(fault) => {
                tracing::warn!(%fault, "guests do not leave a room that cannot be read");
                None
            }
        };
        let Some(view) = view else { return Ok(()) };
        // Whoever enters from now on is asked by the room itself.
        let mut members = view.members.local().filter(|user| view.members.is_joined(user));
        loop {
            let page: Vec<OwnedUserId> = members.by_ref().take(MEMBERS).cloned().collect();
            if page.is_empty() {
                return Ok(());
            }
            for user in guests_among(&self.core().db.snapshot(), &page).await? {
                let actor = Actor::ServerAs { user };
                let outcome = self.leave(&actor, &view.id, &Object::new()).await;
                followed(outcome, &actor, &view.id)?;
            }
        }
    }

    /// May be lost by a power cut: then there is nobody left to dismiss.
    async fn strike_off(&self, room: RoomNumber, change: Position) -> Result<(), UpkeepError> {
        let mut batch = Batch::relaxed();
        batch.expect::<ClosedToGuests>(&room, Some(&change));
        batch.delete::<ClosedToGuests>(&room);
        match self.core().db.commit(batch).await {
            // It was closed once more.
            Ok(_) | Err(CommitError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
