//! Answers that hold events.
//!
//! Owns: [`JsonAnswer`], an object put together from texts, and [`RoomList`], a list that is written while it is read. Does not own: how an event
//! looks ([`plop_rooms::reader::client_event`]).
//!
//! Invariants: the text of an event is copied, never parsed again. A list of a room is never held whole: each page is read from a snapshot of its own
//! and is gone once the client has it. A fault after the first page ends the connection, so that half a list is no list.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use http::header::CONTENT_TYPE;
use plop_base::Actor;
use plop_rooms::operation::StoreFault;
use plop_rooms::reader::access::RoomReader;
use plop_rooms::reader::client_event::Detail;
use plop_rooms::reader::filter::EventFilter;
use plop_rooms::reader::members::{JoinedMember, JoinedPages, MemberPages};
use plop_rooms::reader::state::StatePages;
use plop_rooms::rooms::Rooms;
use plop_rooms::view::RoomView;
use plop_state::json::write_string;
use plop_state::pdu::ClientFormat;
use tracing::{Instrument as _, Span};

use crate::error::ApiError;
use crate::extract::JsonText;

const JSON: &str = "application/json";

/// An object whose members are texts already.
pub struct JsonAnswer(String);

impl JsonAnswer {
    /// Without members.
    pub fn new() -> Self {
        Self("{".to_owned())
    }

    /// With a string.
    #[must_use]
    pub fn string(mut self, name: &str, value: &str) -> Self {
        self.name(name);
        write_string(&mut self.0, value);
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
        self.name(name);
        self.0.push_str(text);
        self
    }

    /// With a list of JSON texts.
    #[must_use]
    pub fn list(mut self, name: &str, texts: &[String]) -> Self {
        self.name(name);
        self.0.push('[');
        self.0.push_str(&texts.join(","));
        self.0.push(']');
        self
    }

    /// The text up to a list that comes last.
    fn up_to_list(mut self, name: &str) -> String {
        self.name(name);
        self.0.push('[');
        self.0
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        write_string(&mut self.0, name);
        self.0.push(':');
    }
}

impl IntoResponse for JsonAnswer {
    fn into_response(mut self) -> Response {
        self.0.push('}');
        JsonText(self.0).into_response()
    }
}

/// What a list is of.
pub enum Pages {
    State(StatePages),
    /// What a filter keeps of a state.
    Filtered(StatePages, Box<EventFilter>),
    Members(MemberPages),
    Joined(JoinedPages),
}

impl Pages {
    /// The text around the entries.
    fn frame(&self) -> (&'static str, &'static str) {
        match self {
            Self::State(_) | Self::Filtered(..) => ("[", "]"),
            Self::Members(_) => ("{\"chunk\":[", "]}"),
            Self::Joined(_) => ("{\"joined\":{", "}}"),
        }
    }

    async fn next(&mut self, reader: &mut RoomReader<'_>) -> Result<Option<Vec<String>>, StoreFault> {
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
                return Ok(members.map(|members| members.iter().map(joined).collect()));
            }
        };
        match events {
            Some(events) => Ok(Some(reader.client_events(&events, ClientFormat::Full, Detail::State).await?)),
            None => Ok(None),
        }
    }
}

/// A member of the answer of `/joined_members`. Who has no name or avatar has `null` there, as clients know it.
fn joined(member: &JoinedMember) -> String {
    let mut text = String::new();
    write_string(&mut text, member.user.as_str());
    text.push_str(":{\"display_name\":");
    string_or_null(&mut text, member.displayname.as_deref());
    text.push_str(",\"avatar_url\":");
    string_or_null(&mut text, member.avatar_url.as_deref());
    text.push('}');
    text
}

fn string_or_null(out: &mut String, value: Option<&str>) {
    match value {
        Some(value) => write_string(out, value),
        None => out.push_str("null"),
    }
}

/// A list of a room, for one reader.
pub struct RoomList {
    rooms: Rooms,
    actor: Actor,
    view: Arc<RoomView>,
    pages: Pages,
    /// The text around the entries.
    begin: String,
    end: &'static str,
    /// Entries that come first.
    ahead: Vec<String>,
    is_empty: bool,
    is_ended: bool,
}

impl RoomList {
    /// The list that `pages` walk over, in the room as `reader` sees it.
    pub fn of(rooms: &Rooms, reader: &RoomReader<'_>, actor: &Actor, pages: Pages) -> Self {
        let (begin, end) = pages.frame();
        Self {
            rooms: rooms.clone(),
            actor: actor.clone(),
            view: Arc::clone(reader.view()),
            pages,
            begin: begin.to_owned(),
            end,
            ahead: Vec::new(),
            is_empty: true,
            is_ended: false,
        }
    }

    /// The same list as the last member of an object, behind some entries that are there already.
    pub fn within(self, answer: JsonAnswer, name: &str, ahead: Vec<String>) -> Self {
        Self { begin: answer.up_to_list(name), end: "]}", ahead, ..self }
    }

    /// The answer. Its first part is read before it begins, so that a fault is still told as one.
    pub async fn answer(mut self) -> Result<Response, ApiError> {
        let first = stream::iter(self.part().await?.map(Ok));
        // The rest is read while it is sent, when nobody is in the request's span any more.
        let span = Span::current();
        let later = stream::try_unfold(self, move |list| list.later().instrument(span.clone()));
        Ok(([(CONTENT_TYPE, JSON)], Body::from_stream(first.chain(later))).into_response())
    }

    /// The next part, and the list without it.
    async fn later(mut self) -> Result<Option<(Bytes, Self)>, StoreFault> {
        let part = self.part().await.inspect_err(|fault| tracing::error!(%fault, "a list was cut off"))?;
        Ok(part.map(|part| (part, self)))
    }

    /// The next part of the text; `None` once the end is written.
    async fn part(&mut self) -> Result<Option<Bytes>, StoreFault> {
        let mut text = String::new();
        while text.is_empty() && !self.is_ended {
            let Some(entries) = self.entries().await? else {
                text.push_str(if self.is_empty { &self.begin } else { "" });
                text.push_str(self.end);
                self.is_ended = true;
                break;
            };
            for entry in entries {
                text.push_str(if self.is_empty { &self.begin } else { "," });
                text.push_str(&entry);
                self.is_empty = false;
            }
        }
        Ok(Some(text).filter(|text| !text.is_empty()).map(Bytes::from))
    }

    /// The next entries, from a snapshot of their own.
    async fn entries(&mut self) -> Result<Option<Vec<String>>, StoreFault> {
        if !self.ahead.is_empty() {
            return Ok(Some(std::mem::take(&mut self.ahead)));
        }
        // Lists are read for users: `Rooms::reader` gives them to nobody else.
        let Some(user) = self.actor.user_id() else { return Ok(None) };
        let (core, device) = (self.rooms.core(), self.actor.device_id());
        let snapshot = core.db.snapshot();
        let mut reader = RoomReader::new(core, Arc::clone(&self.view), snapshot, user, device).await?;
        self.pages.next(&mut reader).await
    }
}
