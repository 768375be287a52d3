//! One pass over what is new for a connection: positions first, then the windows, then each room as far as it takes to know whether there
//! is anything.
//!
//! Owns: the order of reading, what the connection has sent after the answer. Does not own: waiting between passes ([`super::sync`]), the
//! rooms that are put together while the answer is written ([`super::answer`]).
//!
//! Invariants: positions are taken before anything is read, so that what comes in between is told by this answer or by the next one, never by
//! neither.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plop_accounts::account_data::AccountDataItem;
use plop_accounts::thread_subscriptions::ThreadSubscriptionsPage;
use plop_db::Position;
use plop_ephemeral::LivePosition;
use plop_rooms::StoreFault;
use plop_state_store::RoomNumber;
use ruma::OwnedRoomId;

use super::beside_rooms::{self, BesideRooms, MovedReceipts};
use super::connection::{Connection, Told};
use super::extensions::{self, ToDevice};
use super::frame::{self, RoomToTell};
use super::order::{self, UserOrder};
use super::request::SlidingError;
use super::room::{Composed, Composing};
use super::schema::{MarkRow, SentRoom};
use super::windows::{NumberedRequest, Windows};
use crate::context::RequestContext;
use crate::encryption;
use crate::response::{DeviceLists, Encryption, Events};
use crate::turns::take_turns;

/// Rooms that are looked at before others get a turn.
const ROOMS_AT_ONCE: usize = 16;

/// What a pass is made for.
pub struct Pass<'a> {
    pub asked: &'a NumberedRequest<'a>,
    pub connection: &'a Connection,
    /// The answer to go on from.
    pub came_with: &'a MarkRow,
    /// The position that the client has come with; `None` for a new connection.
    pub client: Option<Position>,
    /// Where it stood in the stream of typing.
    pub typing: Option<LivePosition>,
    /// Where the device stands with its messages, if it asks for them.
    pub to_device: Option<Position>,
}

/// What was found.
pub struct PassResult {
    pub to: Position,
    pub typing: LivePosition,
    /// Of each list.
    pub counts: Vec<u64>,
    pub composing: Composing,
    /// The first room that has something new.
    pub first: Option<(RoomToTell, Composed)>,
    pub rooms: Vec<RoomToTell>,
    pub ids: BTreeMap<RoomNumber, OwnedRoomId>,
    pub of_user: OfUser,
    pub account_data: Events,
    pub beside: BesideRooms,
    /// Rooms that the client gets as ones that it does not have.
    pub initial: usize,
    /// What the connection has sent with the answer.
    pub told: Told,
    /// Whether it is to be answered at once.
    pub is_news: bool,
}

/// What is told of the device and its user, and of no room.
#[derive(Default)]
pub struct OfUser {
    pub to_device: Option<ToDevice>,
    pub encryption: Option<Encryption>,
    pub thread_subscriptions: ThreadSubscriptionsPage,
    is_news: bool,
}

impl Pass<'_> {
    /// What is new now.
    pub async fn run(&self, context: RequestContext) -> Result<PassResult, SlidingError> {
        let shared = Arc::clone(&context.shared);
        let typing = shared.parts.typing.position();
        let to = shared.changes.now().1;
        let (connection, came_with) = (self.connection, self.came_with.answer);
        let since = Some(self.came_with.position).filter(|_| came_with != 0);
        let (order, direct) = self.order(&context).await?;
        let windows =
            Windows::cut(&context, self.asked, order, Arc::clone(&direct), connection, came_with).await?;
        let receipts = match since {
            Some(since) => {
                let connection = (connection, came_with);
                beside_rooms::moved_receipts(&context, &windows, connection, (since, to)).await?
            }
            None => MovedReceipts::default(),
        };
        let sources = frame::Sources {
            context: &context,
            asked: self.asked,
            windows: &windows,
            connection,
            came_with,
            to,
            direct: &direct,
            read: &receipts.read,
        };
        let (rooms, is_cut) = frame::frame(&sources).await?;
        let initial = rooms.iter().filter(|room| room.is_initial()).map(|room| room.room);
        let initial: BTreeSet<RoomNumber> = initial.collect();
        let (account_data, of_rooms) = self.account_data(&context, since, to).await?;
        let ids = self.ids(&context, &rooms).await?;
        let sources = beside_rooms::Sources {
            context: &context,
            asked: self.asked,
            windows: &windows,
            connection,
            came_with,
            ids: &ids,
            initial: &initial,
        };
        let beside = beside_rooms::beside(&sources, receipts, of_rooms, self.typing).await?;
        let of_user = self.of_user(&context, to).await?;
        let told = self.told(to, &rooms, &beside);
        let is_told = of_user.is_news || !account_data.is_empty() || beside.is_news();
        let is_news = since.is_none() || is_cut || is_told;
        let more_ids = shared.ids.of(beside.rooms().into_iter()).await?;
        let composing = Composing { context, connection: connection.clone(), since: self.client };
        let mut result = PassResult {
            to,
            typing,
            counts: windows.counts,
            composing,
            first: None,
            rooms,
            ids: ids.into_iter().chain(more_ids).collect(),
            of_user,
            account_data,
            beside,
            initial: initial.len(),
            told,
            is_news,
        };
        result.find_first().await?;
        Ok(result)
    }

    /// The user's rooms, and which of them are direct chats; for a request without lists and subscriptions that is not looked up.
    async fn order(
        &self,
        context: &RequestContext,
    ) -> Result<(Arc<UserOrder>, Arc<BTreeSet<RoomNumber>>), StoreFault> {
        if self.asked.request.lists.is_empty() && self.asked.subscriptions.is_empty() {
            return Ok((Arc::new(UserOrder::empty()), Arc::default()));
        }
        let shared = &context.shared;
        let sources = order::Sources {
            memberships: &shared.memberships,
            changes: &shared.changes,
            last_events: &shared.last_events,
            ignored: &shared.ignored,
        };
        let order = shared.sliding.orders.of(context.user(), sources).await?;
        let direct = shared.sliding.labels.direct(context.user(), &shared.changes).await?;
        Ok((order, direct))
    }

    /// The ids of rooms that are told of or subscribed to.
    async fn ids(
        &self,
        context: &RequestContext,
        rooms: &[RoomToTell],
    ) -> Result<BTreeMap<RoomNumber, OwnedRoomId>, StoreFault> {
        let rooms = rooms.iter().map(|room| room.room);
        let all = rooms.chain(self.asked.subscriptions.keys().copied());
        Ok(context.shared.ids.of(all).await?)
    }

    async fn account_data(
        &self,
        context: &RequestContext,
        since: Option<Position>,
        to: Position,
    ) -> Result<(Events, BTreeMap<RoomNumber, Vec<AccountDataItem>>), StoreFault> {
        let is_wanted = self.asked.request.extensions.account_data.is_some();
        let told_to = self.came_with.account_data;
        let mut global = Events::new();
        let mut rooms = BTreeMap::new();
        // What is not told is owed, of rooms that the client has.
        let is_of_use = is_wanted || !self.connection.rooms.is_empty();
        if let Some(since) = since.filter(|_| is_of_use) {
            let changed = extensions::account_data(context, Some(since), to).await?;
            rooms = changed.rooms;
            if told_to == Some(since) && is_wanted {
                global = changed.global;
            }
        }
        if is_wanted && (since.is_none() || told_to != since) {
            global = extensions::account_data(context, told_to, to).await?.global;
        }
        Ok((global, rooms))
    }

    async fn of_user(&self, context: &RequestContext, to: Position) -> Result<OfUser, StoreFault> {
        let to_device = self.to_device(context, to).await?;
        let encryption = self.encryption(context, to).await?;
        let told_to = self.came_with.thread_subscriptions;
        let limit = self.asked.request.extensions.thread_subscriptions;
        let thread_subscriptions = match limit {
            Some(limit) => extensions::thread_subscriptions(context, told_to, to, limit).await?,
            None => ThreadSubscriptionsPage::default(),
        };
        // That they are told of from now on is to be remembered.
        let begins = limit.is_some() && told_to.is_none();
        let is_news = to_device.as_ref().is_some_and(|to_device| !to_device.events.is_empty())
            || encryption
                .as_ref()
                .zip(self.came_with.encryption)
                .is_some_and(|(told, since)| told.is_news(since))
            || begins
            || !thread_subscriptions.items.is_empty();
        Ok(OfUser { to_device, encryption, thread_subscriptions, is_news })
    }

    async fn to_device(
        &self,
        context: &RequestContext,
        to: Position,
    ) -> Result<Option<ToDevice>, StoreFault> {
        match (&self.asked.request.extensions.to_device, self.to_device) {
            (Some(request), Some(since)) => {
                Ok(Some(extensions::to_device(context, request, since, to).await?))
            }
            _ => Ok(None),
        }
    }

    async fn encryption(
        &self,
        context: &RequestContext,
        to: Position,
    ) -> Result<Option<Encryption>, StoreFault> {
        if !self.asked.request.extensions.encryption {
            return Ok(None);
        }
        let shared = &context.shared;
        let rooms = shared.memberships.of(context.user(), &shared.changes).await?;
        let reader = (&context.actor, context.user());
        Ok(Some(encryption::to_tell(shared, reader, &rooms, self.came_with.encryption, to).await?))
    }

    /// What the connection has sent after the answer.
    fn told(&self, to: Position, rooms: &[RoomToTell], beside: &BesideRooms) -> Told {
        let connection = self.connection;
        let mut sent: BTreeMap<RoomNumber, SentRoom> =
            rooms.iter().map(|room| (room.room, room.after(to))).collect();
        let mut set = |room: &RoomNumber, flag: &dyn Fn(&mut SentRoom)| {
            let before = connection.sent(*room, self.came_with.answer);
            let Some(mut after) = sent.get(room).or(before).cloned() else { return };
            flag(&mut after);
            if before != Some(&after) {
                sent.insert(*room, after);
            }
        };
        beside.receipts.keys().for_each(|room| set(room, &|sent| sent.receipts = true));
        beside.owed_receipts.iter().for_each(|room| set(room, &|sent| sent.receipts = false));
        beside.account_data.keys().for_each(|room| set(room, &|sent| sent.account_data = true));
        beside.owed_account_data.iter().for_each(|room| set(room, &|sent| sent.account_data = false));
        let account_data = match self.asked.request.extensions.account_data {
            Some(_) => Some(to),
            None => self.came_with.account_data,
        };
        // Who leaves the extension out, now and then or at first, is told later of what changed meanwhile.
        let is_told = self.asked.request.extensions.encryption || self.came_with.answer == 0;
        let encryption = if is_told { Some(to) } else { self.came_with.encryption };
        let thread_subscriptions = match self.asked.request.extensions.thread_subscriptions {
            Some(_) => Some(to),
            None => self.came_with.thread_subscriptions,
        };
        let mut wishes = BTreeMap::new();
        for room in rooms {
            let state = &room.wanted.state;
            wishes.entry(state.hash).or_insert_with(|| state.wishes.clone());
        }
        Told { rooms: sent, wishes, account_data, encryption, thread_subscriptions }
    }
}

impl PassResult {
    /// Leaves out all that was found.
    pub fn say_nothing(&mut self) {
        self.first = None;
        self.rooms.clear();
        self.of_user.to_device = None;
        self.of_user.thread_subscriptions = ThreadSubscriptionsPage::default();
        if let Some(encryption) = &mut self.of_user.encryption {
            encryption.device_lists = DeviceLists::default();
        }
        self.account_data.clear();
        self.beside = BesideRooms::default();
        self.is_news = false;
    }

    /// Finds the first room that has something new, unless it is known that there is something. Those before it have nothing.
    async fn find_first(&mut self) -> Result<(), StoreFault> {
        if !self.rooms.is_empty() {
            let context = &mut self.composing.context;
            let parts = &context.shared.parts;
            context.notified = Some(parts.unread.notified_user(&parts.db.snapshot(), &context.user).await?);
        }
        if self.is_news || self.rooms.iter().any(RoomToTell::is_news) {
            self.is_news = true;
            return Ok(());
        }
        let mut rooms = std::mem::take(&mut self.rooms).into_iter();
        for (index, room) in rooms.by_ref().enumerate() {
            take_turns(index, ROOMS_AT_ONCE).await;
            if let Some(composed) = self.composing.room(&room).await? {
                self.first = Some((room, composed));
                break;
            }
        }
        self.rooms = rooms.collect();
        self.is_news = self.first.is_some();
        Ok(())
    }
}
