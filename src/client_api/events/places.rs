//! Tokens of requests about a room's past.
//!
//! Invariant: what a token stands for is looked up for those alone who may look at the room: also an error would tell a stranger something.

use plop_rooms::Rooms;
use plop_rooms::reader::access::RoomReader;
use plop_rooms::reader::token::HistoryToken;
use plop_sync::PageToken;

use crate::error::ApiError;

/// The place that a token stands for: one of a history page or of `/sync`.
pub async fn place(
    rooms: &Rooms,
    reader: &RoomReader<'_>,
    token: Option<&str>,
) -> Result<Option<HistoryToken>, ApiError> {
    // Older clients send an empty one where they have none.
    let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(None) };
    reader.admitted()?;
    let token: PageToken = token.parse().map_err(|_| ApiError::invalid_param("There is no such token."))?;
    Ok(Some(token.place(reader, rooms.db().identity()).await?))
}
