//! The answer, written while it is read.
//!
//! Owns: [`SyncAnswer`]: the order of the text, and the rooms, each put together when its turn comes. Does not own: what is found ([`crate::pass`]),
//! how a room is put together ([`crate::rooms`]).
//!
//! Invariants: of the rooms that the user is in or has left one at a time is in memory, and of its state a page, each read from a snapshot of its own.
//! All of it goes up to the position that the answer ends with, which its token says from the beginning.

use std::collections::BTreeSet;

use plop_rooms::StoreFault;
use plop_state_store::RoomNumber;
use ruma::{OwnedRoomId, OwnedUserId};

use crate::context::RequestContext;
use crate::frame::{JoinedPart, LeftPart};
use crate::json::{Writer, state_key};
use crate::presence;
use crate::request::{AnswerFault, StateAt};
use crate::response::{Apart, RoomState};
use crate::rooms::{self, Found, ToTell};
use crate::state::StateEvents;
use crate::turns::take_turns;

/// A part of the text is given once it has this many bytes.
const PART_BYTES: usize = 64 << 10;
/// Steps before others get a turn.
const STEPS_AT_ONCE: usize = 16;

/// The rooms that are told of.
pub(crate) struct RoomsToTell {
    pub context: RequestContext,
    /// One of those that the user is in, which was put together to see whether there is anything new.
    pub first: Option<(RoomNumber, OwnedRoomId, Found)>,
    pub joined: std::vec::IntoIter<ToTell<JoinedPart>>,
    pub left: std::vec::IntoIter<ToTell<LeftPart>>,
}

impl RoomsToTell {
    /// Whether anything is told of them: without a first one those that have merely changed were looked at, and have nothing.
    pub fn are_news(&self) -> bool {
        self.first.is_some() || !self.joined.as_slice().is_empty() || !self.left.as_slice().is_empty()
    }
}

/// What is new for a client, as JSON text.
pub struct SyncAnswer {
    next_batch: String,
    apart: Apart,
    rooms: Option<RoomsToTell>,
    /// Whose presence is told because it changed.
    presences: BTreeSet<OwnedUserId>,
    /// Whom the user shares a room with from now on.
    met: BTreeSet<OwnedUserId>,
    open: Option<OpenState>,
    writer: Writer,
    stage: Stage,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    Joined,
    Left,
    End,
    Done,
}

/// The room whose state is being written.
struct OpenState {
    room: RoomNumber,
    rest: Option<StateEvents>,
    /// Whether there has been an event.
    has_begun: bool,
    /// Whether it is there even if it is empty.
    always: bool,
}

impl SyncAnswer {
    pub(crate) fn new(
        next_batch: String,
        apart: Apart,
        rooms: Option<RoomsToTell>,
        presences: BTreeSet<OwnedUserId>,
    ) -> Self {
        let (met, open) = (BTreeSet::new(), None);
        Self { next_batch, apart, rooms, presences, met, open, writer: Writer::default(), stage: Stage::Head }
    }

    /// The token to go on from.
    pub fn next_batch(&self) -> &str {
        &self.next_batch
    }

    /// The next part of the text; `None` after the end. Where a later part fails, half a text is no answer.
    pub async fn part(&mut self) -> Result<Option<String>, AnswerFault> {
        let mut step = 0;
        while self.stage != Stage::Done && self.writer.bytes() < PART_BYTES {
            take_turns(step, STEPS_AT_ONCE).await;
            self.step().await?;
            step += 1;
        }
        Ok(Some(self.writer.take()).filter(|text| !text.is_empty()))
    }

    /// Whether the last part has been given.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Done && self.writer.bytes() == 0
    }

    async fn step(&mut self) -> Result<(), AnswerFault> {
        if let Some(open) = self.open.take() {
            return self.state_page(open).await;
        }
        match self.stage {
            Stage::Head => {
                self.head();
                self.stage = Stage::Joined;
            }
            Stage::Joined => self.next_joined().await?,
            Stage::Left => self.next_left().await?,
            Stage::End => {
                self.end().await?;
                self.stage = Stage::Done;
            }
            Stage::Done => {}
        }
        Ok(())
    }

    /// Up to the rooms that are put together one by one.
    fn head(&mut self) {
        let Self { writer, apart, next_batch, .. } = self;
        writer.open();
        writer.text("next_batch", next_batch);
        writer.encryption(&apart.encryption);
        writer.events("account_data", &apart.account_data);
        writer.events("to_device", &apart.to_device);
        let outside = [("invite", "invite_state", &apart.invited), ("knock", "knock_state", &apart.knocked)];
        for (section, key, rooms) in outside {
            for (id, events) in rooms {
                writer.open_room(section, id);
                writer.all_events(key, events);
                writer.close();
            }
        }
    }

    async fn next_joined(&mut self) -> Result<(), StoreFault> {
        let Some(rooms) = &mut self.rooms else {
            self.stage = Stage::End;
            return Ok(());
        };
        let (room, id, found) = if let Some(first) = rooms.first.take() {
            first
        } else {
            let Some(to_tell) = rooms.joined.next() else {
                self.stage = Stage::Left;
                return Ok(());
            };
            let Some(found) = rooms::joined(&rooms.context, &to_tell).await? else { return Ok(()) };
            (to_tell.room, to_tell.id, found)
        };
        // Where it was asked for, `state_after` is there even if it is empty: it tells the client that the server knows it.
        let always = rooms.context.state_at != StateAt::Start;
        self.met.extend(found.met);
        self.writer.open_room("join", &id);
        self.writer.joined(&found.room);
        self.begin_state(room, found.room.state, always);
        Ok(())
    }

    async fn next_left(&mut self) -> Result<(), StoreFault> {
        let next = self.rooms.as_mut().and_then(|rooms| Some((rooms.left.next()?, &rooms.context)));
        let Some((to_tell, context)) = next else {
            self.stage = Stage::End;
            return Ok(());
        };
        let mut left = rooms::left(context, &to_tell).await?;
        // matrix-nio refuses a timeline without one; where nothing is shown there is nothing to page back to.
        left.timeline.prev_batch.get_or_insert_with(|| self.next_batch.clone());
        self.writer.open_room("leave", &to_tell.id);
        self.writer.left(&left);
        // Always there, as its timeline is.
        self.begin_state(to_tell.room, left.state, true);
        Ok(())
    }

    fn begin_state(&mut self, room: RoomNumber, state: RoomState, always: bool) {
        let mut open = OpenState { room, rest: state.rest, has_begun: false, always };
        self.state_events(&mut open, &state.events);
        self.open = Some(open);
    }

    fn state_events(&mut self, open: &mut OpenState, events: &[String]) {
        if let Some(rooms) = self.rooms.as_ref().filter(|_| !events.is_empty()) {
            if !std::mem::replace(&mut open.has_begun, true) {
                self.writer.open_events(state_key(rooms.context.state_at));
            }
            self.writer.items(events);
        }
    }

    /// One more page of a room's state; after the last one the room is closed.
    async fn state_page(&mut self, mut open: OpenState) -> Result<(), AnswerFault> {
        let Some(rooms) = &self.rooms else { return Ok(()) };
        if let Some(rest) = &mut open.rest {
            // A state that ended here would look whole.
            let scene = rooms.context.scene(open.room).await?;
            let mut scene = scene.ok_or(AnswerFault::RoomGone(open.room))?;
            if let Some(events) = rest.next(&scene).await? {
                let texts = rooms.context.state_texts(&mut scene, events).await?;
                drop(scene);
                self.state_events(&mut open, &texts);
                self.open = Some(open);
                return Ok(());
            }
        }
        if open.has_begun {
            self.writer.close_events();
        } else if open.always {
            self.writer.all_events(state_key(rooms.context.state_at), &[""; 0]);
        }
        self.writer.close();
        Ok(())
    }

    /// After the rooms.
    async fn end(&mut self) -> Result<(), StoreFault> {
        self.writer.close_rooms();
        let mut presence = std::mem::take(&mut self.apart.presence);
        if let Some(rooms) = &self.rooms {
            let RequestContext { user, filter, shared, .. } = &rooms.context;
            self.met.remove(user);
            let met = self.met.difference(&self.presences);
            presence.extend(presence::of_met(shared, met, &filter.presence).await?);
        }
        self.writer.events("presence", &presence);
        self.writer.close();
        Ok(())
    }
}
