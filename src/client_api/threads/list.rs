//! `GET /_matrix/client/v1/rooms/{roomId}/threads`.

use axum::extract::State;
use plop_rooms::Rooms;
use plop_rooms::reader::threads::IncludeThreads;
use plop_rooms::reader::token::HistoryToken;
use ruma::api::client::threads::get_threads::v1::{self, Request};

use crate::answer::JsonAnswer;
use crate::error::ApiError;
use crate::extract::{Ruma, Session};

/// Threads without a limit in the request.
const DEFAULT_LIMIT: u64 = 20;

/// `GET /_matrix/client/v1/rooms/{roomId}/threads` (client-server API, "Querying threads in a room"). Access token.
pub async fn list(
    State(rooms): State<Rooms>,
    session: Session,
    Ruma(request): Ruma<Request>,
) -> Result<JsonAnswer, ApiError> {
    let include = match &request.include {
        v1::IncludeThreads::All => IncludeThreads::All,
        v1::IncludeThreads::Participated => IncludeThreads::Participated,
        other => return Err(ApiError::invalid_param(format_args!("There are no threads `{other}`."))),
    };
    let mut reader = rooms.reader(session.actor(), &request.room_id).await?;
    reader.admitted()?;
    let from: Option<HistoryToken> = match request.from.as_deref().map(str::parse) {
        Some(token) => Some(token.map_err(|_| ApiError::invalid_param("There is no such token."))?),
        None => None,
    };
    let limit = request.limit.map_or(DEFAULT_LIMIT, u64::from);
    if limit == 0 {
        return Err(ApiError::invalid_param("`limit` is 0."));
    }
    let page = reader.threads(include, from, limit).await?;
    let next = page.next.map(|next| next.to_string());
    Ok(JsonAnswer::new().list("chunk", &page.roots).maybe_string("next_batch", next.as_deref()))
}
