//! Answers that hold events.
//!
//! Owns: [`JsonAnswer`], an object put together from texts, and [`RoomList`], a list that is written while it is read. Does not own: how an event
//! looks ([`plop_rooms::reader::client_event`]).
//!
//! Invariants: the text of an event is copied, never parsed again. A list of a room is never held whole: each page is read from a snapshot of its own
//! and is gone once the client has it ([`crate::parts`]).

use std::collections::VecDeque;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use plop_base::Actor;
use plop_rooms::reader::access::RoomReader;
use plop_rooms::reader::client_event::Detail;
use plop_rooms::reader::filter::EventFilter;
use plop_rooms::reader::members::{JoinedMember, JoinedPages, MemberPages};
use plop_rooms::reader::state::StatePages;
use plop_rooms::{RoomView, Rooms, StoreFault};
use plop_state::json::TextWriter;
use plop_state::pdu::ClientFormat;

use crate::error::ApiError;
use crate::extract::JsonText;
use crate::parts::{self, Parts};

/// An object whose members are texts already.
pub struct JsonAnswer(TextWriter);

impl JsonAnswer {
    /// Without members.
    pub fn new() -> Self {
        let mut out = TextWriter::new();
        out.object();
        Self(out)
    }

    /// An object within others, as the value of the last of these names.
    pub fn within(names: &[&str]) -> Self {
        let Self(mut out) = Self::new();
        for name in names {
            out.key(name);
            out.object();
        }
        Self(out)
    }

    /// With a string.
    #[must_use]
    pub fn string(mut self, name: &str, value: &str) -> Self {
        self.0.key(name);
        self.0.string(value);
        self
    }

    /// With a string, if there is one.
    #[must_use]
    pub fn maybe_string(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.string(name, value),
            None => self,
        }
    }

    /// With something that is JSON text: an event.
    #[must_use]
    pub fn text(mut self, name: &str, text: &str) -> Self {
        self.0.key(name);
        self.0.text(text);
        self
    }

    /// With a list of JSON texts.
    #[must_use]
    pub fn list(mut self, name: &str, texts: &[String]) -> Self {
        self.0.key(name);
        self.0.texts(texts);
        self
    }
}

impl IntoResponse for JsonAnswer {
    fn into_response(self) -> Response {
        JsonText(self.0.finish()).into_response()
    }
}

/// What a list is of.
pub enum Listed {
    State(StatePages),
    /// What a filter keeps of a state.
    Filtered(StatePages, Box<EventFilter>),
    Members(MemberPages),
    Joined(JoinedPages),
}

impl Listed {
    /// What stands before the entries.
    fn begin(&self) -> TextWriter {
        let mut out = TextWriter::new();
        match self {
            Self::State(_) | Self::Filtered(..) => out.list(),
            Self::Members(_) => {
                out.object();
                out.key("chunk");
                out.list();
            }
            Self::Joined(_) => {
                out.object();
                out.key("joined");
                out.object();
            }
        }
        out
    }

    /// Writes the next page; whether there was one.
    async fn next(&mut self, reader: &mut RoomReader<'_>, out: &mut TextWriter) -> Result<bool, StoreFault> {
        let events = match self {
            Self::State(pages) => pages.next(reader).await?,
            Self::Filtered(pages, filter) => {
                let mut events = pages.next(reader).await?;
                events.iter_mut().for_each(|events| events.retain(|event| filter.keeps(&event.pdu)));
                events
            }
            Self::Members(pages) => pages.next(reader).await?,
            Self::Joined(pages) => {
                let members = pages.next(reader).await?;
                members.iter().flatten().for_each(|member| joined(out, member));
                return Ok(members.is_some());
            }
        };
        let Some(events) = events else { return Ok(false) };
        for event in reader.client_events(&events, ClientFormat::Full, Detail::State).await? {
            out.text(&event);
        }
        Ok(true)
    }
}

/// A member of the answer of `/joined_members`. Who has no name or avatar has `null` there, as clients know it.
fn joined(out: &mut TextWriter, member: &JoinedMember) {
    out.key(member.user.as_str());
    out.object();
    out.key("display_name");
    out.string_or_null(member.displayname.as_deref());
    out.key("avatar_url");
    out.string_or_null(member.avatar_url.as_deref());
    out.close();
}

/// A list of a room, for one reader.
pub struct RoomList {
    rooms: Rooms,
    actor: Actor,
    view: Arc<RoomView>,
    pages: Listed,
    /// Lists of other rooms, which come after this one.
    others: VecDeque<(Arc<RoomView>, Listed)>,
    /// What has been written and not sent; `None` once the end is.
    out: Option<TextWriter>,
}

impl RoomList {
    /// The list that `pages` walk over, in the room as `reader` sees it.
    pub fn of(rooms: &Rooms, reader: &RoomReader<'_>, actor: &Actor, pages: Listed) -> Self {
        Self {
            rooms: rooms.clone(),
            actor: actor.clone(),
            view: Arc::clone(reader.view()),
            out: Some(pages.begin()),
            pages,
            others: VecDeque::new(),
        }
    }

    /// Lists of several rooms as the last member of an object, each under the id of its room.
    pub async fn by_room(
        rooms: &Rooms,
        actor: &Actor,
        answer: JsonAnswer,
        name: &str,
        mut lists: VecDeque<(Arc<RoomView>, Listed)>,
    ) -> Result<Response, ApiError> {
        let JsonAnswer(mut out) = answer;
        out.key(name);
        out.object();
        let Some((view, pages)) = lists.pop_front() else { return Ok(JsonAnswer(out).into_response()) };
        out.key(view.id.as_str());
        out.list();
        let (rooms, actor, others) = (rooms.clone(), actor.clone(), lists);
        Self { rooms, actor, view, pages, others, out: Some(out) }.answer().await
    }

    /// The same list as the last member of an object, behind some entries that are there already.
    pub fn within(self, answer: JsonAnswer, name: &str, ahead: &[String]) -> Self {
        let JsonAnswer(mut out) = answer;
        out.key(name);
        out.list();
        for entry in ahead {
            out.text(entry);
        }
        Self { out: Some(out), ..self }
    }

    /// The answer.
    pub async fn answer(self) -> Result<Response, ApiError> {
        parts::answer(self).await
    }

    /// Writes the next page, from a snapshot of its own; whether there was one.
    async fn page(&mut self, out: &mut TextWriter) -> Result<bool, StoreFault> {
        // Lists are read for users: `Rooms::reader` gives them to nobody else.
        let Some(user) = self.actor.user_id() else { return Ok(false) };
        let device = self.actor.device_id();
        let snapshot = self.rooms.db().snapshot();
        let mut reader = RoomReader::new(&self.rooms, Arc::clone(&self.view), snapshot, user, device).await?;
        self.pages.next(&mut reader, out).await
    }
}

impl Parts for RoomList {
    type Fault = StoreFault;

    /// A page, or the end.
    async fn part(&mut self) -> Result<Option<Bytes>, StoreFault> {
        let Some(mut out) = self.out.take() else { return Ok(None) };
        loop {
            if !self.page(&mut out).await? {
                let Some((view, pages)) = self.others.pop_front() else {
                    return Ok(Some(out.finish().into()));
                };
                out.close();
                out.key(view.id.as_str());
                out.list();
                (self.view, self.pages) = (view, pages);
                continue;
            }
            let text = out.take();
            if !text.is_empty() {
                self.out = Some(out);
                return Ok(Some(text.into()));
            }
        }
    }
}
