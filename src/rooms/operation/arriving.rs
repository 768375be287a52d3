//! The live stream, and what is counted of it for unread counts.
//!
//! Owns: the rows that an event writes because it arrives: its place, the running totals of the room and of its thread, whom it mentions,
//! that its sender has read up to it. Does not own: what a user's count is, which readers work out from these rows.
//!
//! Invariants: what an event writes does not depend on how many members the room has, but on whom it names; an event without a relation
//! reads nothing. Totals only rise: what was counted stays in them, and a redaction is a row beside them.

use std::sync::Arc;

use plop_db::{Direction, KeyRange, Position, ReadError};
use plop_state::Pdu;
use plop_state::push::{DefaultOutcome, Reach, default_outcome};
use plop_state_store::EventNumber;
use ruma::{EventId, OwnedEventId, OwnedUserId};

use super::Operation;
use crate::event::RoomEvent;
use crate::fault::StoreFault;
use crate::schema::{
    ActiveThreadRow, ActiveThreads, AppliedRedactions, Arrivals, JoinedSince, LastSent, MentionRow, Mentions,
    Tally, ThreadRow, ThreadTotals, Timeline, TimelineRow,
};
use crate::thread::{Step, ThreadWalk};

impl Operation<'_> {
    /// Puts an event at the end of the live stream. One that was redacted before counts as little as one that is redacted now. The picture
    /// of the room has its effect already; `was_joined` says how its sender stood before.
    pub(super) async fn arrive(
        &mut self,
        event: &Arc<RoomEvent>,
        position: Position,
        was_joined: bool,
    ) -> Result<(), StoreFault> {
        let thread = self.thread_of(&event.pdu).await?;
        let outcome = default_outcome(&event.pdu, self.next.view.authority());
        let mentions = self.mention(event.number, position, &outcome, thread.as_ref());
        let step = step(outcome.everyone, mentions);
        self.next.view.totals.all.add(step);
        if let Some(root) = &thread {
            self.next.view.totals.in_threads.add(step);
            if outcome.everyone > Reach::Silent {
                self.count_in_thread(root, position, step).await?;
            }
        }
        let totals = self.next.view.totals;
        self.has_read(&event.pdu, position, was_joined, thread.clone());
        let room = self.next.view.number;
        let (state, joined) = (self.next.view.root, self.next.view.members.joined_count());
        let top = self.next.next_place;
        let row = TimelineRow { event: event.number, state, joined, top, thread, totals };
        self.batch.append::<Timeline>(&room, &(room, position), &row);
        self.batch.put::<Arrivals>(&(room, event.number), &position);
        if event.facts.redacted_by.is_some() {
            self.uncount(event.number);
        }
        Ok(())
    }

    /// Notes that a redaction was applied, for those who count. Without a live event in this batch nobody is told.
    pub(crate) fn uncount(&mut self, target: EventNumber) {
        if let Some(position) = self.newest_position() {
            let key = (self.next.view.number, position, target);
            self.batch.put::<AppliedRedactions>(&key, &());
        }
    }

    /// The thread that an event is in.
    async fn thread_of(&self, event: &Pdu) -> Result<Option<OwnedEventId>, StoreFault> {
        let mut walk = ThreadWalk::default();
        let mut step = walk.step(event);
        loop {
            match step {
                Step::Found(thread) => return Ok(thread),
                Step::Parent(id) => match self.event_by_id(&id).await? {
                    Some(parent) => step = walk.step(&parent.pdu),
                    None => return Ok(None),
                },
            }
        }
    }

    async fn count_in_thread(
        &mut self,
        root: &OwnedEventId,
        position: Position,
        step: Tally,
    ) -> Result<(), StoreFault> {
        let room = self.next.view.number;
        let before = self.last_in_thread(root).await?;
        if let Some(before) = before {
            self.batch.delete::<ActiveThreads>(&(room, before.active));
        }
        let active = self.next.view.totals.all.events;
        let mut tally = before.map(|row| row.tally).unwrap_or_default();
        tally.add(step);
        let row = ThreadRow { tally, active };
        self.batch.put::<ActiveThreads>(&(room, active), &ActiveThreadRow { root: root.clone(), position });
        self.batch.put::<ThreadTotals>(&(room, root.clone(), position), &row);
        self.next.threads.insert(root.clone(), (self.next.sequence.saturating_add(1), row));
        Ok(())
    }

    /// The last row of a thread, batches in flight included.
    async fn last_in_thread(&self, root: &EventId) -> Result<Option<ThreadRow>, ReadError> {
        if let Some((_, row)) = self.next.threads.get(root) {
            return Ok(Some(*row));
        }
        let range = KeyRange::<ThreadTotals>::prefix(&(self.next.view.number, root.to_owned()));
        let page = self.snapshot.scan(range, Direction::Backward, 1).await?;
        Ok(page.rows.into_iter().next().map(|(_, row)| row))
    }

    /// Writes whom an event mentions, unless it highlights everyone anyway. Says whether there is anyone.
    fn mention(
        &mut self,
        event: EventNumber,
        position: Position,
        outcome: &DefaultOutcome,
        thread: Option<&OwnedEventId>,
    ) -> bool {
        let (view, server) = (&self.next.view, &self.core.server);
        let is_here = |user: &&OwnedUserId| user.server_name() == server && view.members.is_joined(user);
        let mentioned = outcome.mentioned.iter().filter(|_| outcome.everyone < Reach::Highlight);
        let notifies_everyone = outcome.everyone == Reach::Notify;
        let row = MentionRow { event, thread: thread.cloned(), notifies_everyone };
        let mut any = false;
        for user in mentioned.filter(is_here) {
            let key = (view.number, user.clone(), thread.is_some(), position);
            self.batch.put::<Mentions>(&key, &row);
            any = true;
        }
        any
    }

    /// Writes that a local sender has read up to the event they sent (client-server API, "Marking notifications as read"). Their own membership
    /// events are no sign of that: a changed name makes one in every room.
    fn has_read(&mut self, event: &Pdu, position: Position, was_joined: bool, thread: Option<OwnedEventId>) {
        let sender = event.sender();
        let room = self.next.view.number;
        if sender.server_name() != self.core.server {
            return;
        }
        let is_own_membership =
            event.type_name() == "m.room.member" && event.state_key() == Some(sender.as_str());
        if !is_own_membership {
            self.batch.put::<LastSent>(&(room, sender.to_owned(), thread), &position);
        } else if !was_joined && self.next.view.members.is_joined(sender) {
            self.batch.put::<JoinedSince>(&(room, sender.to_owned()), &position);
        }
    }
}

/// What one event adds to a total.
fn step(everyone: Reach, mentions: bool) -> Tally {
    Tally {
        events: 1,
        notifying: u64::from(everyone >= Reach::Notify),
        highlighting: u64::from(everyone == Reach::Highlight),
        mentioning: u64::from(mentions),
    }
}
