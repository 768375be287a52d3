//! The answer, written while it is read.
//!
//! Owns: [`SlidingAnswer`]: the order of the text, and the rooms, each put together when its turn comes. Does not own: what is found ([`super::pass`]), how a
//! room is put together ([`super::room`]), the words ([`super::write`]).
//!
//! Invariants: one room at a time is in memory, and of its state a page. All of it goes up to the position that the answer says from the beginning.

use std::collections::BTreeMap;

use plop_accounts::account_data::{AccountDataItem, all_account_data};
use plop_db::{Position, ReadError};
use plop_rooms::StoreFault;
use plop_rooms::reader::client_event::Detail;
use plop_state_store::RoomNumber;
use ruma::{OwnedRoomId, RoomId};

use super::beside_rooms::Part;
use super::frame::RoomToTell;
use super::pass::{OfUser, PassResult};
use super::request::SlidingRequest;
use super::required::RequiredEvents;
use super::room::{Composed, Composing};
use super::write::Writer;
use crate::context::RequestContext;
use crate::json::write_encryption;
use crate::request::AnswerFault;
use crate::response::Events;
use crate::turns::take_turns;
use crate::{account_data, receipts};

/// A part of the text is given once it has this many bytes.
const PART_BYTES: usize = 64 << 10;
/// Steps before others get a turn.
const STEPS_AT_ONCE: usize = 16;

/// What is new for a client, as JSON text.
pub struct SlidingAnswer {
    pos: String,
    transaction: Option<String>,
    lists: Vec<(String, u64)>,
    composing: Composing,
    first: Option<(RoomToTell, Composed)>,
    rooms: std::vec::IntoIter<RoomToTell>,
    ids: BTreeMap<RoomNumber, OwnedRoomId>,
    apart: Apart,
    open: Option<OpenState>,
    writer: Writer,
    stage: Stage,
    /// Where the answer ends.
    to: Position,
    /// Whether an extension has been opened that is written room by room.
    has_part: bool,
}

/// What is told besides rooms.
struct Apart {
    of_user: OfUser,
    account_data: Events,
    of_rooms: std::collections::btree_map::IntoIter<RoomNumber, Part<Vec<AccountDataItem>>>,
    receipts: std::collections::btree_map::IntoIter<RoomNumber, Part<Position>>,
    typing: BTreeMap<RoomNumber, String>,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    Rooms,
    Extensions,
    AccountData,
    Receipts,
    End,
    Done,
}

/// The room whose state is being written.
struct OpenState {
    room: RoomNumber,
    required: RequiredEvents,
    /// Whether the list has been opened.
    has_begun: bool,
}

impl SlidingAnswer {
    pub(crate) fn new(pos: String, request: &SlidingRequest, result: PassResult) -> Self {
        let names = request.lists.iter().map(|(name, _)| name.clone());
        Self {
            pos,
            transaction: request.transaction.clone(),
            lists: names.zip(result.counts).collect(),
            composing: result.composing,
            first: result.first,
            rooms: result.rooms.into_iter(),
            ids: result.ids,
            apart: Apart {
                of_user: result.of_user,
                account_data: result.account_data,
                of_rooms: result.beside.account_data.into_iter(),
                receipts: result.beside.receipts.into_iter(),
                typing: result.beside.typing,
            },
            open: None,
            writer: Writer::new(request.dialect),
            stage: Stage::Head,
            to: result.to,
            has_part: false,
        }
    }

    /// The position to go on from.
    pub fn pos(&self) -> &str {
        &self.pos
    }

    /// The next part of the text; `None` after the end. Where a later part fails, half a text is no answer.
    pub async fn part(&mut self) -> Result<Option<String>, AnswerFault> {
        let mut step = 0;
        while self.stage != Stage::Done && self.writer.out.bytes() < PART_BYTES {
            take_turns(step, STEPS_AT_ONCE).await;
            self.step().await?;
            step += 1;
        }
        Ok(Some(self.writer.out.take()).filter(|text| !text.is_empty()))
    }

    /// Whether the last part has been given.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Done && self.writer.out.bytes() == 0
    }

    async fn step(&mut self) -> Result<(), AnswerFault> {
        if let Some(open) = self.open.take() {
            return self.state_page(open).await;
        }
        match self.stage {
            Stage::Head => self.head(),
            Stage::Rooms => self.next_room().await?,
            Stage::Extensions => self.extensions(),
            Stage::AccountData => self.next_account_data().await?,
            Stage::Receipts => self.next_receipts().await?,
            Stage::End => self.end(),
            Stage::Done => {}
        }
        Ok(())
    }

    fn head(&mut self) {
        let Self { writer, pos, lists, transaction, .. } = self;
        writer.out.object();
        writer.text("pos", pos);
        if let Some(transaction) = transaction {
            writer.text("txn_id", transaction);
        }
        writer.member("lists");
        for (name, count) in lists {
            writer.member(name);
            writer.number("count", *count);
            writer.out.close();
        }
        writer.out.close();
        writer.member("rooms");
        self.stage = Stage::Rooms;
    }

    async fn next_room(&mut self) -> Result<(), StoreFault> {
        let (to_tell, composed) = if let Some(first) = self.first.take() {
            first
        } else {
            let Some(to_tell) = self.rooms.next() else {
                self.writer.out.close();
                self.stage = Stage::Extensions;
                return Ok(());
            };
            let Some(composed) = self.composing.room(&to_tell).await? else { return Ok(()) };
            (to_tell, composed)
        };
        let Some(id) = self.ids.get(&to_tell.room) else { return Ok(()) };
        let has = |index: usize| to_tell.mask & (1 << index) != 0;
        let lists: Vec<&str> = self
            .lists
            .iter()
            .enumerate()
            .filter(|(index, _)| has(*index))
            .map(|(_, (name, _))| name.as_str())
            .collect();
        self.writer.member(id.as_str());
        self.writer.room(&composed, &lists);
        let has_state = !composed.required.is_empty();
        if has_state {
            self.writer.out.key("required_state");
            self.writer.out.list();
            self.writer.gone(&composed.required.gone);
        }
        let required = composed.required;
        self.open = Some(OpenState { room: to_tell.room, required, has_begun: has_state });
        Ok(())
    }

    /// One more page of a room's state; after the last one the room is closed.
    async fn state_page(&mut self, mut open: OpenState) -> Result<(), AnswerFault> {
        if open.has_begun {
            let context = &self.composing.context;
            // A state that ended here would look whole.
            let scene = context.scene(open.room).await?;
            let mut scene = scene.ok_or(AnswerFault::RoomGone(open.room))?;
            if let Some(events) = open.required.next(&scene).await? {
                context.note_sent(&scene, &events);
                let texts = context.texts(&mut scene, &events, Detail::State).await?;
                drop(scene);
                texts.iter().for_each(|text| self.writer.out.text(text));
                self.open = Some(open);
                return Ok(());
            }
            self.writer.out.close();
        }
        self.writer.out.close();
        Ok(())
    }

    /// The extensions up to those that are written room by room.
    fn extensions(&mut self) {
        let Self { writer, apart, ids, .. } = self;
        writer.member("extensions");
        if let Some(to_device) = &apart.of_user.to_device {
            writer.member("to_device");
            writer.text("next_batch", &to_device.next.to_string());
            writer.texts("events", &to_device.events);
            writer.out.close();
        }
        if let Some(encryption) = &apart.of_user.encryption {
            writer.member("e2ee");
            write_encryption(&mut writer.out, encryption);
            writer.out.close();
        }
        writer.thread_subscriptions(&apart.of_user.thread_subscriptions);
        if !apart.typing.is_empty() {
            writer.member("typing");
            writer.member("rooms");
            for (room, event) in &apart.typing {
                if let Some(id) = ids.get(room) {
                    writer.out.key(id.as_str());
                    writer.out.text(event);
                }
            }
            writer.out.close();
            writer.out.close();
        }
        if !apart.account_data.is_empty() || apart.of_rooms.len() > 0 {
            writer.member("account_data");
            if !apart.account_data.is_empty() {
                writer.texts("global", &apart.account_data);
            }
            writer.member("rooms");
            self.has_part = true;
        }
        self.stage = Stage::AccountData;
    }

    async fn next_account_data(&mut self) -> Result<(), StoreFault> {
        let Some((room, part)) = self.apart.of_rooms.next() else {
            self.close_part();
            self.stage = Stage::Receipts;
            return Ok(());
        };
        let Some(id) = self.ids.get(&room) else { return Ok(()) };
        let context = &self.composing.context;
        let items = match part {
            Part::Changes(items) => items,
            Part::All => all_of_room(context, id).await?,
        };
        let events = account_data::events(&items, &context.filter.room_account_data);
        if !events.is_empty() {
            self.writer.texts(id.as_str(), &events);
        }
        Ok(())
    }

    async fn next_receipts(&mut self) -> Result<(), StoreFault> {
        let Some((room, part)) = self.apart.receipts.next() else {
            self.close_part();
            self.stage = Stage::End;
            return Ok(());
        };
        let Composing { context, .. } = &self.composing;
        let (snapshot, user) = (context.shared.parts.db.snapshot(), context.user());
        let moved = match part {
            Part::Changes(since) => receipts::moved(&snapshot, room, user, (since, self.to)).await?,
            Part::All => receipts::last(&snapshot, room, user, self.to).await?,
        };
        let event = receipts::one_event(&moved, &context.ignored);
        if let (Some(event), Some(id)) = (event, self.ids.get(&room)) {
            if !std::mem::replace(&mut self.has_part, true) {
                self.writer.member("receipts");
                self.writer.member("rooms");
            }
            self.writer.out.key(id.as_str());
            self.writer.out.text(&event);
        }
        Ok(())
    }

    fn close_part(&mut self) {
        if std::mem::take(&mut self.has_part) {
            self.writer.out.close();
            self.writer.out.close();
        }
    }

    fn end(&mut self) {
        self.writer.out.close();
        self.writer.out.close();
        self.stage = Stage::Done;
    }
}

/// A user's account data of a room.
async fn all_of_room(context: &RequestContext, id: &RoomId) -> Result<Vec<AccountDataItem>, ReadError> {
    all_account_data(&context.shared.parts.db.snapshot(), context.user(), Some(id)).await
}
