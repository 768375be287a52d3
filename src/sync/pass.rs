//! One pass over what is new: the frame first, then each provider, as far as it takes to know whether there is anything.
//!
//! Owns: the order of reading, the token that the answer ends with. Does not own: waiting between passes, the rooms that are put together
//! while the answer is written ([`crate::answer`]).
//!
//! Invariants: positions are taken before anything is read, so that what comes in between is told by this answer or by the next one, never by
//! neither.

use std::collections::BTreeMap;
use std::sync::Arc;

use plop_accounts::ignored_users;
use plop_accounts::invite_permission::{self, InviteWishes};
use plop_base::Actor;
use plop_db::Position;
use plop_e2ee::to_device::MAX_PAGE_MESSAGES;
use plop_rooms::StoreFault;
use plop_rooms::schema::Membership;
use plop_state_store::RoomNumber;
use ruma::{OwnedRoomId, UserId};

use crate::answer::{RoomsToTell, SyncAnswer};
use crate::context::RequestContext;
use crate::filter::SyncFilter;
use crate::frame::{Frame, JoinedPart, RoomPart, Span};
use crate::memberships::{UserRoom, UserRoomSet};
use crate::news::{self, News, RoomNews, Since};
use crate::request::{SyncError, SyncRequest};
use crate::response::Apart;
use crate::rooms::{self, Found, ToTell};
use crate::sent_members::{AnswerNumber, Sending};
use crate::shared::{Parts, Shared};
use crate::token::{Holder, SyncToken};
use crate::turns::take_turns;
use crate::{account_data, encryption, outside, past, presence, to_device};

/// Rooms that are looked at before others get a turn.
const ROOMS_AT_ONCE: usize = 16;

/// What a pass is made for.
pub struct Pass<'a> {
    pub shared: &'a Arc<Shared>,
    pub actor: &'a Actor,
    pub user: &'a UserId,
    pub filter: &'a Arc<SyncFilter>,
    pub request: &'a SyncRequest,
    /// Where member events are loaded lazily: what the device has of them.
    pub sending: Option<Sending>,
}

/// What was found.
pub struct PassResult {
    pub answer: SyncAnswer,
    pub next: SyncToken,
    /// Whether it is to be answered at once.
    pub is_news: bool,
}

impl Pass<'_> {
    /// What is new now.
    pub async fn run(&self, since: Option<SyncToken>) -> Result<PassResult, SyncError> {
        let shared = self.shared;
        let mut next = self.next_token();
        let to_device = self.to_device(since, &mut next).await?;
        let user_rooms = match since {
            Some(_) => shared.memberships.of(self.user, &shared.changes).await?,
            None => shared.memberships.read(self.user).await?,
        };
        let news = self.news(since, next.position, &user_rooms).await?;
        let span = Span {
            since: since.map(|since| since.position),
            to: next.position,
            include_left: self.filter.include_leave,
            full_state: self.request.full_state,
        };
        let frame = self.frame(&span, &news, &user_rooms).await?;
        let News { rooms, account_data, presence } = news;
        let reader = (self.actor, self.user);
        let encryption = encryption::to_tell(shared, reader, &user_rooms, span.since, span.to).await?;
        let is_encryption_news = span.since.is_some_and(|since| encryption.is_news(since));
        let mut apart = Apart {
            encryption,
            to_device,
            account_data: account_data::events(&account_data, &self.filter.account_data),
            presence: presence::of_changed(shared, &presence, &self.filter.presence).await?,
            ..Apart::default()
        };
        let rooms = self.rooms(frame, rooms, &mut apart).await?;
        let has_rooms = rooms.as_ref().is_some_and(RoomsToTell::are_news);
        let has_other = is_encryption_news || !apart.is_empty();
        let is_news = since.is_none() || self.request.full_state || has_rooms || has_other;
        Ok(PassResult { answer: SyncAnswer::new(next.to_string(), apart, rooms, presence), next, is_news })
    }

    fn next_token(&self) -> SyncToken {
        let Parts { db, typing, presence, .. } = &self.shared.parts;
        let position = self.shared.changes.now().1;
        SyncToken {
            database: db.identity(),
            position,
            to_device: position,
            typing: typing.position(),
            presence: presence.position(),
            holder: Holder::new(self.user, self.actor.device_id()),
            answer: self.sending.as_ref().map_or(AnswerNumber::NONE, Sending::number),
        }
    }

    /// Messages to the device; the next token goes as far as they do.
    async fn to_device(
        &self,
        since: Option<SyncToken>,
        next: &mut SyncToken,
    ) -> Result<Vec<Arc<str>>, SyncError> {
        let from = to_device::since(since, next.holder);
        let page = to_device::page(self.shared, self.actor, from, next.position, MAX_PAGE_MESSAGES).await?;
        next.to_device = page.end;
        Ok(page.messages)
    }

    async fn news(
        &self,
        since: Option<SyncToken>,
        to: Position,
        user_rooms: &UserRoomSet,
    ) -> Result<News, SyncError> {
        let (shared, user) = (self.shared, self.user);
        let db = &shared.parts.db;
        let mut news = match since {
            Some(token) => {
                let with_presence = presence::is_wanted(&self.filter.presence);
                news::since(shared, Since { user, token, to, with_presence }, user_rooms).await?
            }
            // Each room brings its own.
            None => {
                News { account_data: account_data::global(&db.snapshot(), user).await?, ..News::default() }
            }
        };
        account_data::put_push_rules(db, user, &mut news.account_data, since.is_none()).await?;
        Ok(news)
    }

    /// What is told of which room.
    async fn frame(
        &self,
        span: &Span,
        news: &News,
        user_rooms: &UserRoomSet,
    ) -> Result<BTreeMap<RoomNumber, RoomPart>, StoreFault> {
        let mut frame = Frame::new(span, user_rooms, &news.rooms);
        let decides = |kind: &str| kind == ignored_users::KIND || invite_permission::KINDS.contains(&kind);
        if span.since.is_some() && news.account_data.iter().any(|item| decides(&item.kind)) {
            // Invites of somebody who is not ignored or blocked any more are shown.
            frame.add_invites(span, user_rooms);
        }
        for (index, (room, row)) in frame.unclear.into_iter().enumerate() {
            take_turns(index, ROOMS_AT_ONCE).await;
            let reader = (self.actor, self.user);
            if let Some(told) = past::told(&self.shared.parts.rooms, reader, room, &row, span).await? {
                frame.rooms.insert(room, told);
            }
        }
        Ok(frame.rooms)
    }

    /// The rooms of the answer. Those that the user is in are put together later, once it is known that there is anything new: at most one
    /// is by then.
    async fn rooms(
        &self,
        frame: BTreeMap<RoomNumber, RoomPart>,
        mut news: BTreeMap<RoomNumber, RoomNews>,
        apart: &mut Apart,
    ) -> Result<Option<RoomsToTell>, StoreFault> {
        if frame.is_empty() {
            return Ok(None);
        }
        let context = self.context().await?;
        let mut ids = self.shared.ids.of(frame.keys().copied()).await?;
        let (mut joined, mut left) = (Vec::new(), Vec::new());
        let has_outside = frame.values().any(|told| matches!(told, RoomPart::Outside(_)));
        let wishes = if has_outside {
            InviteWishes::of(&self.shared.parts.db.snapshot(), self.user).await?
        } else {
            InviteWishes::default()
        };
        for (index, (room, told)) in frame.into_iter().enumerate() {
            take_turns(index, ROOMS_AT_ONCE).await;
            let Some(id) = ids.remove(&room).filter(|id| self.filter.keeps_room(id)) else { continue };
            let news = news.remove(&room).unwrap_or_default();
            match told {
                RoomPart::Joined(told) => joined.push(ToTell { room, id, told, news }),
                RoomPart::Left(told) => left.push(ToTell { room, id, told, news }),
                RoomPart::Outside(row) => add_outside(&context, &wishes, apart, (room, id), row).await?,
            }
        }
        let is_news = !apart.is_empty() || !left.is_empty() || joined.iter().any(|room| room.told.whole);
        let (mut joined, left) = (joined.into_iter(), left.into_iter());
        let first = if is_news { None } else { first(&context, &mut joined).await? };
        Ok(Some(RoomsToTell { context, first, joined, left }))
    }

    async fn context(&self) -> Result<RequestContext, StoreFault> {
        let Parts { db, unread, .. } = &self.shared.parts;
        Ok(RequestContext {
            shared: Arc::clone(self.shared),
            actor: self.actor.clone(),
            user: self.user.to_owned(),
            filter: Arc::clone(self.filter),
            state_at: self.request.state_at,
            ignored: self.shared.ignored.of(self.user, &self.shared.changes).await?,
            sending: self.sending.clone(),
            notified: Some(unread.notified_user(&db.snapshot(), self.user).await?),
        })
    }
}

/// The first room that has something new. Those before it have nothing.
async fn first(
    context: &RequestContext,
    joined: &mut std::vec::IntoIter<ToTell<JoinedPart>>,
) -> Result<Option<(RoomNumber, OwnedRoomId, Found)>, StoreFault> {
    for (index, to_tell) in joined.by_ref().enumerate() {
        take_turns(index, ROOMS_AT_ONCE).await;
        if let Some(found) = rooms::joined(context, &to_tell).await? {
            return Ok(Some((to_tell.room, to_tell.id, found)));
        }
    }
    Ok(None)
}

/// A room that the user is invited to, or knocks at. Not if the invite is one that they do not want to see (client-server API, "Invite permission",
/// "Ignoring Users").
async fn add_outside(
    context: &RequestContext,
    wishes: &InviteWishes,
    apart: &mut Apart,
    (room, id): (RoomNumber, OwnedRoomId),
    row: UserRoom,
) -> Result<(), StoreFault> {
    let scene = context.scene(room).await?;
    let shown = outside::shown(&context.shared.parts.db, scene.as_ref(), context.user(), room, row).await?;
    if row.membership == Membership::Knock {
        apart.knocked.insert(id, shown);
        return Ok(());
    }
    let inviter = outside::inviter(&shown, context.user());
    if inviter.is_none_or(|inviter| outside::is_wanted(&inviter, &context.ignored, wishes)) {
        apart.invited.insert(id, shown);
    }
    Ok(())
}
