//! Backups themselves.

use axum::extract::State;
use plop_e2ee::backup::{Backup, KeyBackups};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::answer::JsonAnswer;
use crate::error::ApiError;
use crate::extract::{Json, Path, Session};

/// The body of a new backup and of a changed one.
#[derive(Deserialize)]
pub struct Request {
    algorithm: String,
    auth_data: Map<String, Value>,
    version: Option<String>,
}

/// `POST /_matrix/client/v3/room_keys/version` (client-server API, "Server-side key backups"). For users.
pub async fn create(
    State(backups): State<KeyBackups>,
    session: Session,
    Json(request): Json<Request>,
) -> Result<Json<Value>, ApiError> {
    let version = backups.create(session.actor(), &request.algorithm, &request.auth_data).await?;
    Ok(Json(json!({ "version": version.to_string() })))
}

/// `GET /_matrix/client/v3/room_keys/version` (client-server API, "Server-side key backups"). For users.
pub async fn current(State(backups): State<KeyBackups>, session: Session) -> Result<JsonAnswer, ApiError> {
    Ok(told(&backups.current(session.actor()).await?))
}

/// `GET /_matrix/client/v3/room_keys/version/{version}` (client-server API, "Server-side key backups"). For users.
pub async fn read(
    State(backups): State<KeyBackups>,
    session: Session,
    Path(version): Path<String>,
) -> Result<JsonAnswer, ApiError> {
    Ok(told(&backups.backup(session.actor(), &version).await?))
}

/// `PUT /_matrix/client/v3/room_keys/version/{version}` (client-server API, "Server-side key backups"). For users.
pub async fn update(
    State(backups): State<KeyBackups>,
    session: Session,
    Path(version): Path<String>,
    Json(request): Json<Request>,
) -> Result<Json<Value>, ApiError> {
    if request.version.is_some_and(|named| named != version) {
        return Err(ApiError::invalid_param("The version of the body is not that of the path."));
    }
    backups.update(session.actor(), &version, &request.algorithm, &request.auth_data).await?;
    Ok(Json(json!({})))
}

/// `DELETE /_matrix/client/v3/room_keys/version/{version}` (client-server API, "Server-side key backups"). For users.
pub async fn delete(
    State(backups): State<KeyBackups>,
    session: Session,
    Path(version): Path<String>,
) -> Result<Json<Value>, ApiError> {
    backups.delete(session.actor(), &version).await?;
    Ok(Json(json!({})))
}

fn told(backup: &Backup) -> JsonAnswer {
    JsonAnswer::new()
        .string("algorithm", &backup.row.algorithm)
        .text("auth_data", &backup.row.auth_data.0)
        .text("count", &backup.totals.keys.to_string())
        .string("etag", &backup.totals.changes.to_string())
        .string("version", &backup.version.to_string())
}
