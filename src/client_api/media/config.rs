//! `GET /_matrix/client/v1/media/config`, and its older path.

use axum::extract::State;
use plop_media::Media;
use serde_json::{Value, json};

use crate::extract::{Json, Session};

/// `GET /_matrix/client/v1/media/config` (client-server API, "Content repository"). For users.
pub async fn config(State(media): State<Media>, _: Session) -> Json<Value> {
    Json(json!({ "m.upload.size": media.max_upload() }))
}
