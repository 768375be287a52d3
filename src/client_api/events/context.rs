//! `GET /_matrix/client/v3/rooms/{roomId}/context/{eventId}`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use plop_rooms::reader::client_event::Detail;
use plop_rooms::reader::filter::EventFilter;
use plop_rooms::reader::state::StatePages;
use plop_rooms::{RoomEvent, Rooms};
use plop_state::pdu::ClientFormat;
use ruma::api::client::context::get_context::v3::Request;

use super::senders::members_of_senders;
use crate::answer::{JsonAnswer, Listed, RoomList};
use crate::error::ApiError;
use crate::extract::{OrGuest, Ruma, Session};

/// `GET /_matrix/client/v3/rooms/{roomId}/context/{eventId}` (client-server API, "Event context"). Access token, a guest's, too.
pub async fn context(
    State(rooms): State<Rooms>,
    session: OrGuest<Session>,
    Ruma(request): Ruma<Request>,
) -> Result<Response, ApiError> {
    let filter = EventFilter::of_room_events(&request.filter)?;
    let actor = session.actor();
    let (mut reader, event) = rooms.reader_of_event(actor, &request.room_id, &request.event_id).await?;
    let limit = u64::from(request.limit).min(filter.limit.unwrap_or(u64::MAX));
    let is_wanted = filter.keeps_room(&request.room_id);
    let found = reader.context(event, limit, |event| is_wanted && filter.keeps(&event.pdu)).await?;

    let mut texts = async |events: &[Arc<RoomEvent>]| {
        reader.client_events(events, ClientFormat::Full, Detail::Timeline).await
    };
    let event = texts(std::slice::from_ref(&found.event)).await?;
    let answer = JsonAnswer::new()
        .string("start", &found.before.reached.to_string())
        .string("end", &found.after.reached.to_string())
        .text("event", &event.concat())
        .list("events_before", &texts(&found.before.events).await?)
        .list("events_after", &texts(&found.after.events).await?);

    let mut events = found.before.events;
    events.extend(found.after.events);
    events.push(found.event);
    let (pages, members) = if filter.lazy_load.is_disabled() {
        (StatePages::of(found.state), Vec::new())
    } else {
        let members = members_of_senders(&mut reader, Some(found.state), &events).await?;
        (StatePages::listed(reader.without_members(found.state).await?), members)
    };
    let state = RoomList::of(&rooms, &reader, actor, Listed::Filtered(pages, Box::new(filter)));
    state.within(answer, "state", &members).answer().await
}
