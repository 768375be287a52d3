//! One look at what is new: the frame first, then each provider.
//!
//! Owns: the order of reading, the token that the answer ends with. Does not own: waiting between looks.
//!
//! Invariants: positions are taken before anything is read, so that what comes in between is told by this answer or by the next one, never by
//! neither.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plop_accounts::ignored_users;
use plop_base::Actor;
use plop_db::Position;
use plop_rooms::operation::StoreFault;
use plop_rooms::schema::Membership;
use plop_state_store::RoomNumber;
use ruma::{OwnedRoomId, OwnedUserId, UserId};

use crate::asking::Asking;
use crate::core::{Core, Parts};
use crate::filter::SyncFilter;
use crate::frame::{Frame, JoinedPart, LeftPart, Past, Span, Told};
use crate::memberships::{UserRoom, UserRoomSet};
use crate::news::{self, News, RoomNews, Since};
use crate::request::{SyncError, SyncRequest};
use crate::response::{Events, LeftRoom, SyncResponse};
use crate::scene::{Place, Scene};
use crate::sent_members::{AnswerNumber, Sending};
use crate::token::{Holder, SyncToken};
use crate::turns::take_turns;
use crate::{account_data, outside, presence, rooms, to_device};

/// Rooms that are put together before others get a turn.
const ROOMS_AT_ONCE: usize = 16;

/// A request that looks.
pub struct Look<'a> {
    pub core: &'a Core,
    pub actor: &'a Actor,
    pub user: &'a UserId,
    pub filter: &'a SyncFilter,
    pub request: &'a SyncRequest,
    /// Where member events are loaded lazily: what the device has of them.
    pub sending: Option<Sending>,
}

/// What was found.
pub struct Looked {
    pub response: SyncResponse,
    pub next: SyncToken,
    /// Whether it is to be answered at once.
    pub is_news: bool,
}

/// What the rooms of an answer come to.
struct Draft<'a> {
    asking: Asking<'a>,
    response: SyncResponse,
    /// Users whom the reader shares a room with from now on.
    met: BTreeSet<OwnedUserId>,
}

impl Look<'_> {
    /// What is new now.
    pub async fn once(&self, since: Option<SyncToken>) -> Result<Looked, SyncError> {
        let core = self.core;
        let mut next = self.next_token();
        let to_device = self.to_device(since, &mut next).await?;
        let user_rooms = match since {
            Some(_) => core.memberships.of(self.user, &core.changes).await?,
            None => core.memberships.read(self.user).await?,
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
        let (mut response, met) = self.rooms(frame, rooms).await?;
        response.next_batch = next.to_string();
        response.state_at = self.request.state_at;
        response.to_device = to_device;
        response.account_data = account_data::events(&account_data, &self.filter.account_data);
        if presence::is_wanted(&self.filter.presence) {
            response.presence = self.presence(&presence, met).await?;
        }
        let is_news = since.is_none() || self.request.full_state || !response.is_empty();
        Ok(Looked { response, next, is_news })
    }

    fn next_token(&self) -> SyncToken {
        let Parts { db, typing, presence, .. } = &self.core.parts;
        let position = self.core.changes.now().1;
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
        let page = to_device::page(self.core, self.actor, from, next.position).await?;
        next.to_device = page.end;
        Ok(page.messages)
    }

    async fn news(
        &self,
        since: Option<SyncToken>,
        to: Position,
        user_rooms: &UserRoomSet,
    ) -> Result<News, SyncError> {
        let (core, user) = (self.core, self.user);
        let db = &core.parts.db;
        let mut news = match since {
            Some(token) => {
                let with_presence = presence::is_wanted(&self.filter.presence);
                news::since(core, Since { user, token, to, with_presence }, user_rooms).await?
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
    ) -> Result<BTreeMap<RoomNumber, Told>, StoreFault> {
        let mut frame = Frame::new(span, user_rooms, &news.rooms);
        if span.since.is_some() && news.account_data.iter().any(|item| item.kind == ignored_users::KIND) {
            // Invites of somebody who is not ignored any more are shown.
            frame.add_invites(span, user_rooms);
        }
        for (index, (room, row)) in frame.unclear.into_iter().enumerate() {
            take_turns(index, ROOMS_AT_ONCE).await;
            let past = match self.scene(room).await? {
                Some(scene) => Past::read(&scene, self.user, &row, span).await?,
                None => Past::elsewhere(&row),
            };
            if let Some(told) = Told::by_past(&row, span, &past) {
                frame.rooms.insert(room, told);
            }
        }
        Ok(frame.rooms)
    }

    /// The rooms of the answer, and whom the user may see now because of them.
    async fn rooms(
        &self,
        frame: BTreeMap<RoomNumber, Told>,
        mut news: BTreeMap<RoomNumber, RoomNews>,
    ) -> Result<(SyncResponse, BTreeSet<OwnedUserId>), StoreFault> {
        if frame.is_empty() {
            return Ok((SyncResponse::default(), BTreeSet::new()));
        }
        let asking = self.asking().await?;
        let mut draft = Draft { asking, response: SyncResponse::default(), met: BTreeSet::new() };
        for (index, (room, told)) in frame.into_iter().enumerate() {
            take_turns(index, ROOMS_AT_ONCE).await;
            let Some(id) = self.core.ids.of(room).await?.filter(|id| self.filter.keeps_room(id)) else {
                continue;
            };
            let news = news.remove(&room).unwrap_or_default();
            match told {
                Told::Joined(told) => self.add_joined(&mut draft, (room, id), told, &news).await?,
                Told::Left(told) => self.add_left(&mut draft, (room, id), told, &news).await?,
                Told::Outside(row) => self.add_outside(&mut draft, (room, id), row).await?,
            }
        }
        Ok((draft.response, draft.met))
    }

    async fn asking(&self) -> Result<Asking<'_>, StoreFault> {
        let Parts { db, unread, .. } = &self.core.parts;
        Ok(Asking {
            user: self.user,
            filter: self.filter,
            state_at: self.request.state_at,
            full_state: self.request.full_state,
            ignored: self.core.ignored.of(self.user, &self.core.changes).await?,
            sending: self.sending.clone(),
            notified: unread.reader(&db.snapshot(), self.user).await?,
            core: self.core,
        })
    }

    async fn scene(&self, room: RoomNumber) -> Result<Option<Scene<'_>>, StoreFault> {
        Scene::open(&self.core.parts.rooms, self.actor, self.user, room).await
    }

    async fn add_joined(
        &self,
        draft: &mut Draft<'_>,
        (room, id): (RoomNumber, OwnedRoomId),
        told: JoinedPart,
        news: &RoomNews,
    ) -> Result<(), StoreFault> {
        let joined = if told.open {
            // Without one it is still being joined, and here soon.
            let Some(mut scene) = self.scene(room).await? else { return Ok(()) };
            let found = rooms::joined(&draft.asking, &mut scene, told, news).await?;
            draft.met.extend(found.met);
            found.room
        } else {
            let place = Place { room, id: &id, snapshot: &self.core.parts.db.snapshot() };
            rooms::beside(&draft.asking, &place, told.part, news).await?
        };
        if told.whole || !joined.is_empty() {
            draft.response.joined.insert(id, joined);
        }
        Ok(())
    }

    async fn add_left(
        &self,
        draft: &mut Draft<'_>,
        (room, id): (RoomNumber, OwnedRoomId),
        told: LeftPart,
        news: &RoomNews,
    ) -> Result<(), StoreFault> {
        let left = match self.scene(room).await? {
            Some(mut scene) => rooms::left(&draft.asking, &mut scene, told, news).await?,
            // An invite that was rejected, to a room that never was here.
            None => LeftRoom::default(),
        };
        draft.response.left.insert(id, left);
        Ok(())
    }

    /// A room that the user is invited to, or knocks at.
    async fn add_outside(
        &self,
        draft: &mut Draft<'_>,
        (room, id): (RoomNumber, OwnedRoomId),
        row: UserRoom,
    ) -> Result<(), StoreFault> {
        let (db, scene) = (&self.core.parts.db, self.scene(room).await?);
        let shown = outside::shown(db, scene.as_ref(), self.user, room, row).await?;
        if row.membership == Membership::Knock {
            draft.response.knocked.insert(id, shown);
        } else if !outside::is_by(&shown, self.user, &draft.asking.ignored) {
            draft.response.invited.insert(id, shown);
        }
        Ok(())
    }

    async fn presence(
        &self,
        changed: &BTreeSet<OwnedUserId>,
        mut met: BTreeSet<OwnedUserId>,
    ) -> Result<Events, SyncError> {
        let Parts { presence, clock, .. } = &self.core.parts;
        met.remove(self.user);
        Ok(presence::events(presence, changed, &met, &self.filter.presence, clock.now()).await?)
    }
}
