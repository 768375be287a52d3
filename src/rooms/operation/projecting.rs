//! What follows from a change of the current state: the picture has it at once, its rows come in the event's batch or after it.
//!
//! Owns: which rows go into which batch. Does not own: the rows ([`crate::state_change`]), when those that are left follow
//! ([`crate::projection`]).
//!
//! Invariants: the rows of a change that is too large for the event's batch follow in batches of their own, local users' first; from the event's
//! batch to the last of these [`Projecting`] says that the rows of members are behind. There is one such change at a time.

use plop_db::Position;
use plop_state::StateKey;
use plop_state::auth::{HistoryVisibility, JoinRule};
use ruma::OwnedUserId;

use super::Operation;
use crate::fault::StoreFault;
use crate::members::Member;
use crate::schema::{ClosedToGuests, Members, Membership, OpenRooms, Projecting, ProjectingRow};
use crate::state_change::{BATCH_BYTES, Changes, Current, MemberChange, put_member, show};
use crate::summary::guests_may_join;

/// Members whose rows are written in one batch; the event of each is read under the guard.
const BATCH_MEMBERS: usize = 1_000;

impl Operation<'_> {
    /// Puts what has changed in the current state into the picture, and the rows that follow from it into the batch as far as they fit. The
    /// picture still names the root before.
    pub(super) fn apply(&mut self, changes: &Changes, position: Position) -> Result<(), StoreFault> {
        let fits = changes.fit();
        if !fits {
            self.fall_behind()?;
        }
        let room = self.next.view.number;
        let server = &self.core.server;
        // The rows are not those of the picture then: who was joined in that may have none yet.
        let is_behind = self.is_behind();
        let admitted_guests =
            changes.iter().any(|(key, _)| is_about_guests(key)) && guests_may_join(&self.next.view);
        for (key, current) in changes.iter() {
            let Some(mut member) = show(&mut self.next.view, key, current, server) else { continue };
            let event = match current {
                Some(Current::Event(event)) => Some(&**event),
                // Too many for one batch: its row follows.
                Some(Current::Brief(_)) => continue,
                None => None,
            };
            if fits || self.batch.size() < BATCH_BYTES && member.user.server_name() == server {
                member.was_joined &= !is_behind;
                put_member(&mut self.batch, room, member, event, position, server);
            }
        }
        if admitted_guests && !guests_may_join(&self.next.view) {
            self.batch.append::<ClosedToGuests>(&(), &room, &position);
        }
        if changes.iter().any(|(key, _)| is_about_openness(key)) {
            let view = &self.next.view;
            if view.join_rule() == JoinRule::Public
                || view.history_visibility() == HistoryVisibility::WorldReadable
            {
                self.batch.put::<OpenRooms>(&room, &());
            } else {
                self.batch.delete::<OpenRooms>(&room);
            }
        }
        Ok(())
    }

    /// Writes the rows of members that are behind, as many as a batch takes, and says how many those were.
    pub(crate) async fn project(
        &mut self,
        members: &[(OwnedUserId, Option<Member>)],
    ) -> Result<usize, StoreFault> {
        let room = self.next.view.number;
        let mut done = 0;
        while let Some((user, changed)) = members.get(done)
            && done < BATCH_MEMBERS
            && self.batch.size() < BATCH_BYTES
        {
            done += 1;
            // Whoever has changed since has the rows already.
            if self.next.view.members.get(user) != *changed {
                continue;
            }
            let membership = changed.map_or(Membership::Leave, |member| member.membership);
            let event = match changed {
                Some(member) => Some(self.event(member.event).await?),
                None => None,
            };
            // The rows of a user say the same of the membership, whatever state they are of.
            let row = self.snapshot.get::<Members>(&(room, user.clone())).await?;
            let was_joined = row.is_some_and(|row| row.membership == Membership::Join);
            let change = MemberChange { user: user.clone(), was_joined, membership };
            let position = Position::pending(0);
            put_member(&mut self.batch, room, change, event.as_deref(), position, &self.core.server);
        }
        Ok(done)
    }

    /// All rows that followed from this change are written.
    pub(crate) fn caught_up(&mut self, behind: &ProjectingRow) {
        if self.next.projecting.as_ref() == Some(behind) {
            self.next.projecting = None;
            self.batch.delete::<Projecting>(&self.next.view.number);
        }
    }

    /// Whether rows are left to be written after this batch.
    pub(crate) fn is_behind(&self) -> bool {
        self.next.projecting.is_some()
    }

    fn fall_behind(&mut self) -> Result<(), StoreFault> {
        if self.next.projecting.is_some() {
            // Whoever makes large changes lets the rows catch up first; meanwhile somebody else has made one.
            return Err(StoreFault::refused_before());
        }
        let behind = ProjectingRow { from: self.next.view.root, since: self.next.sequence.saturating_add(1) };
        self.batch.put::<Projecting>(&self.next.view.number, &behind);
        self.next.projecting = Some(behind);
        Ok(())
    }
}

/// Whether a change under this key may let guests in, or not any more.
fn is_about_guests(key: &StateKey) -> bool {
    key.key().is_empty() && key.kind() == "m.room.guest_access"
}

/// Whether a change under this key may open the room to everybody, or close it.
fn is_about_openness(key: &StateKey) -> bool {
    key.key().is_empty() && matches!(key.kind(), "m.room.join_rules" | "m.room.history_visibility")
}
