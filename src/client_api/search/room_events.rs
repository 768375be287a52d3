//! `POST /_matrix/client/v3/search`.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use plop_rooms::Rooms;
use plop_search::Search;

use super::answer::{Shown, groups, highlights};
use super::request::{Body, Page};
use crate::answer::{JsonAnswer, RoomList};
use crate::error::ApiError;
use crate::extract::{Json, Query, Session};

/// When the results take so many bytes, those that follow come without what stands around them.
const MAX_BYTES_WITH_CONTEXT: usize = 4 << 20;

/// `POST /_matrix/client/v3/search` (client-server API, "Server Side Search"). Access token.
pub async fn search(
    State(rooms): State<Rooms>,
    State(search): State<Search>,
    session: Session,
    Query(page): Query<Page>,
    Json(body): Json<Body>,
) -> Result<Response, ApiError> {
    let Some(criteria) = body.search_categories.room_events else {
        return Ok(JsonAnswer::within(&["search_categories"]).into_response());
    };
    let ask = criteria.ask(page.next_batch.as_deref())?;
    let found = search.find(session.actor(), &ask).await?;

    let mut shown = Shown::new(&rooms, session.actor());
    let mut results = Vec::with_capacity(found.hits.len());
    let mut bytes = 0;
    for hit in &found.hits {
        let around = criteria.event_context.as_ref().filter(|_| bytes < MAX_BYTES_WITH_CONTEXT);
        let result = shown.result(hit, around).await?;
        bytes += result.len();
        results.push(result);
    }
    let next = found.next.as_ref().map(ToString::to_string);
    let answer = JsonAnswer::within(&["search_categories", "room_events"])
        .text("count", &found.count.to_string())
        .text("highlights", &highlights(&found))
        .list("results", &results)
        .text("groups", &groups(&found, criteria.groupings.keys()))
        .maybe_string("next_batch", next.as_deref());
    if !criteria.include_state {
        return Ok(answer.into_response());
    }
    let states = shown.states()?;
    RoomList::by_room(&rooms, session.actor(), answer, "state", states).await
}
