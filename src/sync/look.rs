//! One look at what is new: the frame first, then each provider.
//!
//! Owns: the order of reading, the token that the answer ends with. Does not own: waiting between looks.
//!
//! Invariants: positions are taken before anything is read, so that what comes in between is told by this answer or by the next one, never by
//! neither.

use std::collections::BTreeSet;
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
use crate::frame::{self, Frame, Part, RoomFrame, Span};
use crate::memberships::{Standing, UserRoomSet};
use crate::news::{self, News, RoomNews, Since};
use crate::request::{SyncError, SyncRequest};
use crate::response::{LeftRoom, SyncResponse};
use crate::scene::{Place, Scene};
use crate::token::{Holder, SyncToken};
use crate::{account_data, outside, presence, rooms, to_device, unread};

/// A request that looks.
pub struct Look<'a> {
    pub core: &'a Core,
    pub actor: &'a Actor,
    pub user: &'a UserId,
    pub filter: &'a SyncFilter,
    pub request: &'a SyncRequest,
}

/// What was found.
pub struct Looked {
    pub response: SyncResponse,
    pub next: SyncToken,
    /// Whether it is to be answered at once.
    pub is_news: bool,
}

/// An answer that is being put together.
struct Draft<'a> {
    asking: Asking<'a>,
    news: News,
    response: SyncResponse,
    /// Users whom the reader shares a room with from now on.
    met: BTreeSet<OwnedUserId>,
}

impl Look<'_> {
    /// What is new now.
    pub async fn once(&self, since: Option<SyncToken>) -> Result<Looked, SyncError> {
        let core = self.core;
        let mut next = self.next_token();
        let since = since.filter(|since| since.is_known_to(next.database, next.position));
        let messages = self.to_device(since, &mut next).await?;
        let user_rooms = match since {
            Some(_) => core.memberships.of(self.user, &core.changes).await?,
            None => core.memberships.read(self.user).await?,
        };
        let with_presence = presence::is_wanted(&self.filter.presence);
        let mut news = match since {
            Some(token) => {
                let span = Since { user: self.user, token, to: next.position, with_presence };
                news::since(core, span, &user_rooms).await?
            }
            None => News {
                account_data: account_data::full(&core.parts.db.snapshot(), self.user).await?,
                ..News::default()
            },
        };
        let (db, account_data) = (&core.parts.db, &mut news.account_data);
        account_data::put_push_rules(db, self.user, account_data, since.is_none()).await?;
        let mut draft = self.draft(since.map(|since| since.position), next, news).await?;
        let span = Span {
            since: since.map(|since| since.position),
            to: next.position,
            include_left: self.filter.include_leave,
        };
        self.add_rooms(&mut draft, span, &user_rooms).await?;
        draft.response.account_data =
            account_data::events(&draft.news.account_data.global, &self.filter.account_data);
        if with_presence {
            self.add_presence(&mut draft).await?;
        }
        let mut response = draft.response;
        response.to_device = messages;
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

    async fn draft(
        &self,
        since: Option<Position>,
        next: SyncToken,
        news: News,
    ) -> Result<Draft<'_>, SyncError> {
        let sent_members = self.core.sent_members.of(self.user, self.actor.device_id());
        sent_members.come_from(since);
        let asking = Asking {
            user: self.user,
            filter: self.filter,
            state_at: self.request.state_at,
            full_state: self.request.full_state,
            ignored: self.core.ignored.of(self.user, &self.core.changes).await?,
            sent_members,
            notified: None,
            core: self.core,
        };
        let response = SyncResponse {
            next_batch: next.to_string(),
            state_at: self.request.state_at,
            ..SyncResponse::default()
        };
        Ok(Draft { asking, news, response, met: BTreeSet::new() })
    }

    async fn add_rooms(
        &self,
        draft: &mut Draft<'_>,
        span: Span,
        user_rooms: &UserRoomSet,
    ) -> Result<(), StoreFault> {
        let changed: BTreeSet<RoomNumber> = if self.request.full_state {
            user_rooms.joined.keys().copied().collect()
        } else {
            draft.news.rooms.keys().copied().collect()
        };
        let mut frame = Frame::new(span, user_rooms, &changed);
        let mut ignore_list = draft.news.account_data.global.iter();
        if span.since.is_some() && ignore_list.any(|item| item.kind == ignored_users::KIND) {
            // Invites of somebody who is not ignored any more are shown.
            frame.add_invites(span, user_rooms);
        }
        if !frame.is_empty() {
            let Parts { db, unread, .. } = &self.core.parts;
            let reader = unread.reader(&db.snapshot(), self.user).await;
            draft.asking.notified = Some(reader.map_err(unread::fault)?);
        }
        for (index, (room, standing)) in frame.unclear.into_iter().enumerate() {
            take_turns(index).await;
            let Some(mut scene) = self.scene(room).await? else { continue };
            if let Some(part) = frame::clear_up(&mut scene, self.user, standing, span).await? {
                self.add_room(draft, room, part).await?;
            }
        }
        for (index, (room, part)) in frame.rooms.into_iter().enumerate() {
            take_turns(index).await;
            self.add_room(draft, room, part).await?;
        }
        Ok(())
    }

    async fn scene(&self, room: RoomNumber) -> Result<Option<Scene<'_>>, StoreFault> {
        Scene::open(&self.core.parts.rooms, self.actor, self.user, room).await
    }

    async fn add_room(
        &self,
        draft: &mut Draft<'_>,
        room: RoomNumber,
        part: RoomFrame,
    ) -> Result<(), StoreFault> {
        let Some(id) = self.core.ids.of(room).await?.filter(|id| self.filter.keeps_room(id)) else {
            return Ok(());
        };
        let mut news = draft.news.rooms.remove(&room).unwrap_or_default();
        match part {
            RoomFrame::Joined(part) => self.add_joined(draft, (room, id), part, &news).await,
            RoomFrame::Left(part) => {
                news.account_data.extend(draft.news.account_data.rooms.remove(&id).unwrap_or_default());
                let left = match self.scene(room).await? {
                    Some(mut scene) => rooms::left(&draft.asking, &mut scene, part, &news).await?,
                    // An invite that was rejected, to a room that never was here.
                    None => LeftRoom::default(),
                };
                draft.response.left.insert(id, left);
                Ok(())
            }
            RoomFrame::Outside(standing) => self.add_outside(draft, (room, id), standing).await,
        }
    }

    async fn add_joined(
        &self,
        draft: &mut Draft<'_>,
        (room, id): (RoomNumber, OwnedRoomId),
        part: Part,
        news: &RoomNews,
    ) -> Result<(), StoreFault> {
        let joined = if part.since.is_some() && !news.events && !self.request.full_state {
            let place = Place { room, id: &id, snapshot: &self.core.parts.db.snapshot() };
            rooms::beside(&draft.asking, &place, part, news).await?
        } else {
            // Without one it is still being joined, and here soon.
            let Some(mut scene) = self.scene(room).await? else { return Ok(()) };
            let told = rooms::joined(&draft.asking, &mut scene, part, news).await?;
            draft.met.extend(told.met);
            told.room
        };
        if part.since.is_none() || self.request.full_state || !joined.is_empty() {
            draft.response.joined.insert(id, joined);
        }
        Ok(())
    }

    /// A room that the user is invited to, or knocks at.
    async fn add_outside(
        &self,
        draft: &mut Draft<'_>,
        (room, id): (RoomNumber, OwnedRoomId),
        standing: Standing,
    ) -> Result<(), StoreFault> {
        let (db, scene) = (&self.core.parts.db, self.scene(room).await?);
        let shown = outside::shown(db, scene.as_ref(), self.user, room, standing).await?;
        if standing.membership == Membership::Knock {
            draft.response.knocked.insert(id, shown);
        } else if !outside::is_by(&shown, self.user, &draft.asking.ignored) {
            draft.response.invited.insert(id, shown);
        }
        Ok(())
    }

    async fn add_presence(&self, draft: &mut Draft<'_>) -> Result<(), SyncError> {
        let Parts { presence, clock, .. } = &self.core.parts;
        draft.met.remove(self.user);
        let filter = &self.filter.presence;
        draft.response.presence =
            presence::events(presence, &draft.news.presence, &draft.met, filter, clock.now()).await?;
        Ok(())
    }
}

/// Lets others run now and then: an answer of many rooms whose rows are all in memory never waits for anything.
async fn take_turns(index: usize) {
    const ROOMS_AT_ONCE: usize = 16;
    if index % ROOMS_AT_ONCE == ROOMS_AT_ONCE - 1 {
        tokio::task::yield_now().await;
    }
}
