//! `GET /_matrix/client/v3/rooms/{roomId}/messages`.

use axum::extract::State;
use plop_db::Direction;
use plop_rooms::Rooms;
use plop_rooms::reader::client_event::Detail;
use plop_rooms::reader::filter::EventFilter;
use plop_rooms::reader::history::PageRequest;
use plop_state::pdu::ClientFormat;
use ruma::api::client::filter::{LazyLoadOptions, RoomEventFilter};
use ruma::{OwnedRoomId, UInt, api};
use serde::Deserialize;

use super::places::place;
use super::senders::members_of_senders;
use crate::answer::JsonAnswer;
use crate::error::ApiError;
use crate::extract::{OrGuest, Path, Query, Session};

/// Events without a limit in the request.
const DEFAULT_LIMIT: u64 = 10;

/// The query. Unlike ruma's it knows a default of the direction: some clients rely on that of other servers.
#[derive(Deserialize)]
pub struct Page {
    from: Option<String>,
    to: Option<String>,
    #[serde(default)]
    dir: api::Direction,
    limit: Option<UInt>,
    #[serde(default, with = "ruma::serde::json_string")]
    filter: Filter,
}

/// The filter, with what ruma's does not know.
#[derive(Default, Deserialize)]
struct Filter {
    #[serde(flatten)]
    events: RoomEventFilter,
    #[serde(rename = "org.matrix.msc3874.rel_types")]
    rel_types: Option<Vec<String>>,
    #[serde(default, rename = "org.matrix.msc3874.not_rel_types")]
    not_rel_types: Vec<String>,
}

/// `GET /_matrix/client/v3/rooms/{roomId}/messages` (client-server API, "Getting events for a room"). Access token, a guest's, too.
pub async fn messages(
    State(rooms): State<Rooms>,
    session: OrGuest<Session>,
    Path(room): Path<OwnedRoomId>,
    Query(page): Query<Page>,
) -> Result<JsonAnswer, ApiError> {
    let Filter { events, rel_types, not_rel_types } = page.filter;
    let filter = EventFilter::of_room_events(&events)?.of_relations(rel_types, not_rel_types);
    let mut reader = rooms.reader(session.actor(), &room).await?;
    let limit = page.limit.map_or(DEFAULT_LIMIT, u64::from).min(filter.limit.unwrap_or(u64::MAX));
    let request = PageRequest {
        from: place(&rooms, &reader, page.from.as_deref()).await?,
        to: place(&rooms, &reader, page.to.as_deref()).await?,
        direction: match page.dir {
            api::Direction::Backward => Direction::Backward,
            api::Direction::Forward => Direction::Forward,
        },
        limit,
    };
    let is_wanted = filter.keeps_room(&room);
    let found = reader.history(request, |event| is_wanted && filter.keeps(&event.pdu)).await?;
    let chunk = reader.client_events(&found.events, ClientFormat::Full, Detail::Timeline).await?;
    let start = page.from.filter(|from| !from.is_empty()).unwrap_or_else(|| found.start.to_string());
    let end = found.end().map(|end| end.to_string());
    let answer = JsonAnswer::new().string("start", &start).maybe_string("end", end.as_deref());
    let answer = answer.list("chunk", &chunk);
    match filter.lazy_load {
        LazyLoadOptions::Disabled => Ok(answer),
        LazyLoadOptions::Enabled { .. } => {
            // Clients go on from the first of these events, so they want to know who was who then.
            let state = found.events.first().and_then(|event| event.state_after());
            let members = members_of_senders(&mut reader, state, &found.events).await?;
            Ok(answer.list("state", &members))
        }
    }
}
