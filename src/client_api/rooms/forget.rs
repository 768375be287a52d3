//! `POST /_matrix/client/v3/rooms/{roomId}/forget`.

use axum::extract::State;
use plop_rooms::Rooms;
use ruma::api::client::membership::forget_room::v3::{Request, Response};

use crate::error::ApiError;
use crate::extract::{Ruma, Session};

/// `POST /_matrix/client/v3/rooms/{roomId}/forget` (client-server API, "Leaving rooms"). Access token.
pub async fn forget(
    State(rooms): State<Rooms>,
    session: Session,
    Ruma(request): Ruma<Request>,
) -> Result<Ruma<Response>, ApiError> {
    rooms.forget(session.actor(), &request.room_id).await?;
    Ok(Ruma(Response::new()))
}
