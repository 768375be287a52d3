//! What an address is about.

use axum::extract::State;
use plop_media::Media;
use serde::Deserialize;

use crate::error::ApiError;
use crate::extract::{JsonText, Query, Session};

/// What the query asks for. The preview of another time (`ts`) is the newest, as the specification allows.
#[derive(Deserialize)]
pub struct Parameters {
    url: String,
}

/// `GET /_matrix/client/v1/media/preview_url` (client-server API, "Content repository"), and its older path. For users.
pub async fn preview(
    State(media): State<Media>,
    session: Session,
    Query(parameters): Query<Parameters>,
) -> Result<JsonText, ApiError> {
    Ok(JsonText(media.preview(session.actor(), &parameters.url).await?))
}
