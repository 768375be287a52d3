//! Rooms of the answer, put together from what their providers give.
//!
//! Owns: what of a room goes into the answer. Does not own: which rooms ([`crate::frame`]), each part by itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use plop_db::Position;
use plop_rooms::reader::client_event::Detail;
use plop_rooms::{RoomEvent, StoreFault};
use plop_state_store::RoomNumber;
use ruma::api::client::filter::LazyLoadOptions;
use ruma::{OwnedRoomId, OwnedUserId};

use crate::beside;
use crate::context::RequestContext;
use crate::frame::{JoinedPart, LeftPart, Part, Shown};
use crate::news::RoomNews;
use crate::presence;
use crate::response::{Events, JoinedRoom, LeftRoom, RoomState, RoomTimeline, Summary};
use crate::scene::{self, RoomRef, Scene, member};
use crate::state::{self, AboutMembers, Members};
use crate::tails::Tail;
use crate::timeline::{self, Reach, Stretch, Wanted};
use crate::unread;

/// A room that is to be told of.
pub struct ToTell<P> {
    pub room: RoomNumber,
    pub id: OwnedRoomId,
    pub told: P,
    pub news: RoomNews,
}

/// A room that the user is in, and whom one may see now because of it.
#[derive(Default)]
pub struct Found {
    pub room: JoinedRoom,
    pub met: BTreeSet<OwnedUserId>,
}

/// News of a room that the user is in; `None`: there are none that are wanted.
pub async fn joined(
    context: &RequestContext,
    to_tell: &ToTell<JoinedPart>,
) -> Result<Option<Found>, StoreFault> {
    let ToTell { room, id, told, news } = to_tell;
    let found = if told.open {
        // Without one it is still being joined, and here soon.
        let Some(mut scene) = context.scene(*room).await? else { return Ok(None) };
        opened(context, &mut scene, *told, news).await?
    } else {
        let room_ref = RoomRef { number: *room, id, snapshot: &context.shared.parts.db.snapshot() };
        Found { room: unopened(context, &room_ref, told.part, news).await?, ..Found::default() }
    };
    Ok(Some(found).filter(|found| told.whole || !found.room.is_empty()))
}

/// News of a room that the user is in: its events, and what is beside them.
async fn opened(
    context: &RequestContext,
    scene: &mut Scene<'_>,
    told: JoinedPart,
    news: &RoomNews,
) -> Result<Found, StoreFault> {
    let JoinedPart { part, whole, .. } = told;
    let stretch = context.stretch(scene, part, Reach::Open, context.filter.timeline_limit()).await?;
    let about = if part.since.is_none() {
        AboutMembers { concerns_summary: true, joined: present_members(context, scene).await }
    } else {
        state::about_members(scene, &stretch).await?
    };
    let with_summary = whole || about.concerns_summary;
    let ephemeral = beside::ephemeral(context, &scene.room_ref(), part, news).await?;
    let mut room = JoinedRoom {
        ephemeral: ephemeral.events,
        account_data: beside::account_data(context, &scene.room_ref(), part, news).await?,
        summary: with_summary.then(|| Summary::of(&scene.view, context.user())),
        ..JoinedRoom::default()
    };
    let heroes = room.summary.iter().flat_map(|summary| summary.heroes.iter().flatten());
    let members = context.members(&stretch, heroes.cloned(), whole);
    room.state = context.state(scene, &stretch, &members, whole).await?;
    room.timeline = context.timeline(scene, stretch).await?;
    // Of events that the filter leaves out the counts are not told either: they would end the wait for nothing that is wanted.
    if ephemeral.has_read || !room.is_empty() {
        room.unread = Some(unread::counts(context, &scene.snapshot, &scene.view, part.to).await?);
    }
    Ok(Found { room, met: about.joined })
}

/// News of a room that the user is in, of which there are no new events.
async fn unopened(
    context: &RequestContext,
    room_ref: &RoomRef<'_>,
    part: Part,
    news: &RoomNews,
) -> Result<JoinedRoom, StoreFault> {
    let ephemeral = beside::ephemeral(context, room_ref, part, news).await?;
    let mut room = JoinedRoom {
        ephemeral: ephemeral.events,
        account_data: beside::account_data(context, room_ref, part, news).await?,
        ..JoinedRoom::default()
    };
    if ephemeral.has_read
        && let Some(view) = scene::view(&context.shared.parts.rooms, room_ref.number).await?
    {
        room.unread = Some(unread::counts(context, room_ref.snapshot, &view, part.to).await?);
    }
    Ok(room)
}

/// News of a room that the user has left.
pub async fn left(context: &RequestContext, to_tell: &ToTell<LeftPart>) -> Result<LeftRoom, StoreFault> {
    let LeftPart { part, shown } = to_tell.told;
    let reach = match shown {
        Shown::Until { state, .. } => Reach::Until(state),
        Shown::Ending => Reach::Ending(context.user()),
        Shown::Nothing => return Ok(LeftRoom::default()),
    };
    // An invite that was rejected, to a room that never was here, has none.
    let Some(mut scene) = context.scene(to_tell.room).await? else { return Ok(LeftRoom::default()) };
    let stretch = context.stretch(&mut scene, part, reach, context.filter.timeline_limit()).await?;
    let mut room = LeftRoom {
        account_data: beside::account_data(context, &scene.room_ref(), part, &to_tell.news).await?,
        ..LeftRoom::default()
    };
    if let Shown::Until { whole, .. } = shown {
        let members = context.members(&stretch, [], whole);
        room.state = context.state(&mut scene, &stretch, &members, whole).await?;
    }
    room.timeline = context.timeline(&mut scene, stretch).await?;
    Ok(room)
}

/// Members of this server who are there, if that is wanted.
async fn present_members(context: &RequestContext, scene: &Scene<'_>) -> BTreeSet<OwnedUserId> {
    if !presence::is_wanted(&context.filter.presence) {
        return BTreeSet::new();
    }
    presence::present_in(&context.shared.parts.presence, &scene.view.members).await
}

impl RequestContext {
    /// The end of a room's live stream.
    pub async fn tail(&self, scene: &Scene<'_>, to: Position) -> Result<Arc<Tail>, StoreFault> {
        let (shared, room) = (&self.shared, scene.number());
        let changed_after = |after| shared.changes.now().0.logs.events.may_have_changed(&room, after);
        Ok(shared.tails.of(&scene.snapshot, room, to, changed_after).await?)
    }

    /// The timeline of a room.
    pub async fn stretch(
        &self,
        scene: &mut Scene<'_>,
        part: Part,
        reach: Reach<'_>,
        limit: usize,
    ) -> Result<Stretch, StoreFault> {
        let tail = self.tail(scene, part.to).await?;
        let filter = &self.filter.timeline;
        let wanted = Wanted {
            reach,
            after: part.since,
            to: part.to,
            limit,
            filter: filter.keeps_room(&scene.view.id).then_some(filter),
            ignored: &self.ignored,
        };
        timeline::stretch(scene, &tail, &wanted).await
    }

    /// Whose member events are wanted.
    fn members(
        &self,
        stretch: &Stretch,
        heroes: impl IntoIterator<Item = OwnedUserId>,
        whole: bool,
    ) -> Members<'_> {
        let LazyLoadOptions::Enabled { include_redundant_members } = self.filter.state.lazy_load else {
            return Members::All;
        };
        let mut users: BTreeSet<OwnedUserId> =
            stretch.events.iter().map(|event| event.pdu.sender().to_owned()).collect();
        users.extend(heroes);
        if whole {
            users.insert(self.user.clone());
        }
        let sent = self.sending.as_ref().filter(|_| !whole && !include_redundant_members);
        Members::Of { users, sent }
    }

    /// The state; more than a page of it, or all of it, is read while it is written.
    async fn state(
        &self,
        scene: &mut Scene<'_>,
        stretch: &Stretch,
        members: &Members<'_>,
        whole: bool,
    ) -> Result<RoomState, StoreFault> {
        if !self.filter.state.keeps_room(&scene.view.id) {
            return Ok(RoomState::default());
        }
        self.note_sent(scene, &stretch.events);
        if whole {
            let all = state::full(scene, stretch, self.state_at, members).await?;
            return Ok(RoomState { rest: Some(all), ..RoomState::default() });
        }
        let mut changes = state::changes(scene, stretch, self.state_at, members).await?;
        if !changes.is_short() {
            return Ok(RoomState { rest: Some(changes), ..RoomState::default() });
        }
        let events = changes.next(scene).await?.unwrap_or_default();
        Ok(RoomState { events: self.state_texts(scene, events).await?, rest: None })
    }

    /// State events as the client gets them.
    pub async fn state_texts(
        &self,
        scene: &mut Scene<'_>,
        mut events: Vec<Arc<RoomEvent>>,
    ) -> Result<Events, StoreFault> {
        events.retain(|event| self.filter.state.keeps(&event.pdu));
        self.note_sent(scene, &events);
        self.texts(scene, &events, Detail::State).await
    }

    /// Where members are loaded lazily: the device has the member events among these, once it comes back with the answer's token.
    pub fn note_sent(&self, scene: &Scene<'_>, events: &[Arc<RoomEvent>]) {
        if let Some(sending) = &self.sending {
            let members = events.iter().filter(|event| member(event).is_some());
            sending.add(scene.number(), members.map(|event| event.number));
        }
    }

    async fn timeline(&self, scene: &mut Scene<'_>, stretch: Stretch) -> Result<RoomTimeline, StoreFault> {
        // "When the relevant section has a `limited` value of `true`": else the client gets the children one by one.
        let detail = if stretch.limited { Detail::Timeline } else { Detail::Arrival };
        let events = self.texts(scene, &stretch.events, detail).await?;
        Ok(RoomTimeline {
            events,
            limited: stretch.limited,
            prev_batch: Some(stretch.prev_batch.to_string()),
        })
    }

    /// Events as the client gets them.
    pub async fn texts(
        &self,
        scene: &mut Scene<'_>,
        events: &[Arc<RoomEvent>],
        detail: Detail,
    ) -> Result<Events, StoreFault> {
        let mut texts = scene.reader.client_events(events, self.filter.format(), detail).await?;
        if let Some(fields) = &self.filter.fields {
            texts.iter_mut().for_each(|text| *text = fields.of(text));
        }
        Ok(texts)
    }
}
