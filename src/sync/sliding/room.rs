//! One room of an answer, put together from what its providers give.
//!
//! Owns: what of a room goes into the answer. Does not own: which rooms and since when ([`super::frame`]), the text ([`super::write`]).
//!
//! Invariants: of a room that the user has left nothing is told that came after the departure; of one that they are invited to, no more than the invite
//! shows.

use plop_db::Position;
use plop_rooms::StoreFault;
use plop_rooms::reader::client_event::Detail;
use plop_rooms::schema::{MemberRow, Members, Membership};
use plop_state_store::tree::Root;
use plop_unread::Counts;

use super::connection::Connection;
use super::frame::RoomToTell;
use super::required::{AboutRoom, Hero, Question, RequiredEvents, texts};
use crate::context::RequestContext;
use crate::frame::{JoinedPart, LeftPart, Part, RoomPart, Shown};
use crate::outside;
use crate::response::Events;
use crate::scene::Scene;
use crate::summary;
use crate::timeline::{self, Reach, Stretch};
use crate::unread;

const NAME: &str = "m.room.name";
const AVATAR: &str = "m.room.avatar";

/// What a room tells of itself.
#[derive(Debug, Default)]
pub struct Composed {
    pub is_initial: bool,
    pub membership: Option<Membership>,
    /// `Some(None)`: it has none any more.
    pub name: Option<Option<String>>,
    pub avatar: Option<Option<String>>,
    pub heroes: Option<Vec<Hero>>,
    pub is_dm: Option<bool>,
    pub stripped: Option<Events>,
    pub timeline: Option<Timeline>,
    pub required: RequiredEvents,
    /// Members that have joined, and that are invited.
    pub counts: Option<(u64, u64)>,
    pub unread: Option<Counts>,
    pub bump_stamp: Option<u64>,
}

/// The end of a timeline.
#[derive(Debug, Default)]
pub struct Timeline {
    /// Oldest first.
    pub events: Events,
    pub limited: bool,
    pub prev_batch: Option<String>,
    /// How many of the last ones came since the client's position.
    pub live: usize,
    /// Whether there are some that the client was sent before.
    pub is_expanded: bool,
}

/// For whom and what rooms are put together.
pub struct Composing {
    pub context: RequestContext,
    pub connection: Connection,
    /// The position that the client has come to; `None` for a new connection.
    pub since: Option<Position>,
}

impl Composing {
    /// A room; `None`: it has nothing new.
    pub async fn room(&self, to_tell: &RoomToTell) -> Result<Option<Composed>, StoreFault> {
        let mut composed = match to_tell.told {
            RoomPart::Joined(told) => self.joined(to_tell, told).await?,
            RoomPart::Left(told) => Some(self.left(to_tell, told).await?),
            RoomPart::Outside(_) => Some(self.outside(to_tell).await?),
        };
        if let Some(composed) = &mut composed {
            composed.is_initial = to_tell.is_initial();
            composed.membership = Some(to_tell.membership());
            let was = to_tell.sent.as_ref().filter(|_| !composed.is_initial).map(|sent| sent.is_dm);
            let is_told = was.map_or(to_tell.is_dm, |was| was != to_tell.is_dm);
            composed.is_dm = is_told.then_some(to_tell.is_dm);
        }
        Ok(composed.filter(|composed| !composed.is_empty()))
    }

    async fn joined(&self, to_tell: &RoomToTell, told: JoinedPart) -> Result<Option<Composed>, StoreFault> {
        let context = &self.context;
        let Some(mut scene) = context.scene(to_tell.room).await? else { return Ok(None) };
        let part = told.part;
        let stretched = self.stretch(&mut scene, to_tell, part).await?;
        let since = match part.since {
            Some(since) if stretched.is_wider => {
                timeline::state_at(&scene, since).await?.unwrap_or(Root::EMPTY)
            }
            _ => stretched.stretch.states.since,
        };
        let mut composed = Composed::default();
        let end = stretched.stretch.states.end;
        let about = self.state(&scene, to_tell, (since, end), &stretched.stretch, &mut composed).await?;
        let members = &scene.view.members;
        composed.counts = about.members.then(|| (members.joined_count(), members.invited_count()));
        if (about.members || about.name)
            && to_tell.wanted.heroes
            && texts(&scene, end, &[(NAME, "name")]).await?.is_empty()
        {
            composed.heroes = Some(heroes(context, &scene).await?);
        }
        let has_events = !stretched.stretch.events.is_empty();
        composed.timeline = self.timeline(&mut scene, to_tell, stretched).await?;
        if has_events || to_tell.has_read || to_tell.is_initial() {
            let counts = unread::in_room(context, &scene.snapshot, &scene.view, part.to).await?;
            composed.unread = Some(counts);
        }
        if has_events || to_tell.is_initial() {
            let tail = context.tail(&scene, part.to).await?;
            let talk = context.shared.sliding.bumps.of(&scene, &tail, part.to).await?;
            composed.bump_stamp = Some(talk.ordinal());
        }
        Ok(Some(composed))
    }

    async fn left(&self, to_tell: &RoomToTell, told: LeftPart) -> Result<Composed, StoreFault> {
        let LeftPart { part, shown } = told;
        let mut composed = Composed { bump_stamp: Some(part.to.ordinal()), ..Composed::default() };
        let reach = match shown {
            Shown::Until { state, .. } => Reach::Until(state),
            Shown::Ending => Reach::Ending(self.context.user()),
            Shown::Nothing => return Ok(composed),
        };
        let Some(mut scene) = self.context.scene(to_tell.room).await? else { return Ok(composed) };
        let limit = limit_of(to_tell).max(1);
        let stretch = self.context.stretch(&mut scene, part, reach, limit).await?;
        if let Shown::Until { state, whole } = shown {
            let since = if whole { Root::EMPTY } else { stretch.states.since };
            self.state(&scene, to_tell, (since, state), &stretch, &mut composed).await?;
        } else {
            composed.required = RequiredEvents::listed(stretch.events.iter().map(|event| event.number));
        }
        let live = stretch.events.len();
        let stretched = Stretched { stretch, live, is_wider: false };
        composed.timeline = self.timeline(&mut scene, to_tell, stretched).await?;
        Ok(composed)
    }

    async fn outside(&self, to_tell: &RoomToTell) -> Result<Composed, StoreFault> {
        let (context, row) = (&self.context, to_tell.row);
        let scene = context.scene(to_tell.room).await?;
        let db = &context.shared.parts.db;
        let shown = outside::shown(db, scene.as_ref(), context.user(), to_tell.room, row).await?;
        let bump_stamp = Some(row.position.ordinal());
        Ok(Composed { stripped: Some(shown), bump_stamp, ..Composed::default() })
    }

    /// The timeline: what is new, or all of its length where more of it is wanted than before.
    async fn stretch(
        &self,
        scene: &mut Scene<'_>,
        to_tell: &RoomToTell,
        part: Part,
    ) -> Result<Stretched, StoreFault> {
        let limit = to_tell.wanted.timeline_limit;
        let before = to_tell.sent.as_ref().filter(|_| part.since.is_some());
        let is_wider = before.is_some_and(|sent| limit > sent.timeline_limit);
        let reach = if is_wider { Part { since: None, ..part } } else { part };
        let stretch = self.context.stretch(scene, reach, Reach::Open, limit_of(to_tell)).await?;
        let since = part.since.or(self.since);
        let is_live = |position: &&Position| since.is_some_and(|since| **position > since);
        let live = stretch.positions.iter().filter(is_live).count();
        Ok(Stretched { stretch, live, is_wider })
    }

    async fn state(
        &self,
        scene: &Scene<'_>,
        to_tell: &RoomToTell,
        (since, end): (Root, Root),
        stretch: &Stretch,
        composed: &mut Composed,
    ) -> Result<AboutRoom, StoreFault> {
        let sent = to_tell.sent.as_ref();
        let question = Question {
            since,
            end,
            wanted: &to_tell.wanted.state.wishes,
            had: sent.and_then(|sent| self.connection.wishes.get(&sent.wishes)),
            sending: self.context.sending.as_ref(),
        };
        let (required, about) = question.answer(scene, stretch).await?;
        composed.required = required;
        if about.name || about.avatar {
            let mut texts = texts(scene, end, &[(NAME, "name"), (AVATAR, "url")]).await?;
            composed.name = about.name.then(|| texts.remove(NAME));
            composed.avatar = about.avatar.then(|| texts.remove(AVATAR));
        }
        Ok(about)
    }

    async fn timeline(
        &self,
        scene: &mut Scene<'_>,
        to_tell: &RoomToTell,
        stretched: Stretched,
    ) -> Result<Option<Timeline>, StoreFault> {
        let Stretched { stretch, live, is_wider } = stretched;
        if stretch.events.is_empty() && !stretch.limited && !to_tell.is_initial() {
            return Ok(None);
        }
        self.context.note_sent(scene, &stretch.events);
        let events = self.context.texts(scene, &stretch.events, Detail::Timeline).await?;
        Ok(Some(Timeline {
            is_expanded: is_wider && live < events.len(),
            events,
            limited: stretch.limited,
            prev_batch: Some(stretch.prev_batch.to_string()),
            live,
        }))
    }
}

impl Composed {
    /// Whether it says nothing that is new.
    fn is_empty(&self) -> bool {
        !self.is_initial
            && self.name.is_none()
            && self.avatar.is_none()
            && self.heroes.is_none()
            && self.is_dm.is_none()
            && self.stripped.is_none()
            && self.timeline.is_none()
            && self.required.is_empty()
            && self.counts.is_none()
            && self.unread.is_none()
            && self.bump_stamp.is_none()
    }
}

/// A timeline, and how much of it is new.
struct Stretched {
    stretch: Stretch,
    live: usize,
    /// It begins before what is new.
    is_wider: bool,
}

fn limit_of(to_tell: &RoomToTell) -> usize {
    usize::try_from(to_tell.wanted.timeline_limit).unwrap_or(usize::MAX)
}

/// Users that a room without a name is called by, with their profiles in the room.
async fn heroes(context: &RequestContext, scene: &Scene<'_>) -> Result<Vec<Hero>, StoreFault> {
    let users = summary::heroes(&scene.view.members, context.user());
    let keys: Vec<_> = users.iter().map(|user| (scene.number(), user.clone())).collect();
    let rows = scene.snapshot.get_many::<Members>(&keys).await?;
    let hero = |(user, row): (_, Option<MemberRow>)| {
        let (displayname, avatar_url) = row.map_or((None, None), |row| (row.displayname, row.avatar_url));
        Hero { user, displayname, avatar_url }
    };
    Ok(users.into_iter().zip(rows).map(hero).collect())
}
