//! Files come in.

use axum::body::Body;
use axum::extract::State;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use plop_media::{Media, Upload, UploadError};
use ruma::api::error::ErrorKind;
use ruma::{MilliSecondsSinceUnixEpoch, OwnedServerName, ServerName};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::extract::{ActiveSession, Json, Path, Query};

/// What the query says of a file.
#[derive(Deserialize)]
pub struct Named {
    filename: Option<String>,
}

/// `POST /_matrix/media/v3/upload` (client-server API, "Content repository"). Access token of an account that is not suspended.
pub async fn upload(
    State(media): State<Media>,
    session: ActiveSession,
    Query(named): Query<Named>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let upload = described(&headers, named)?;
    let id = media.upload(session.actor(), upload, body.into_data_stream()).await?;
    Ok(Json(json!({ "content_uri": address(media.server(), &id) })))
}

/// `POST /_matrix/media/v1/create` (client-server API, "Content repository"). Access token of an account that is not suspended.
pub async fn create(State(media): State<Media>, session: ActiveSession) -> Result<Json<Value>, ApiError> {
    let created = media.create(session.actor()).await?;
    let expires = MilliSecondsSinceUnixEpoch::from(created.expires);
    Ok(Json(json!({ "content_uri": address(media.server(), &created.id), "unused_expires_at": expires })))
}

/// `PUT /_matrix/media/v3/upload/{serverName}/{mediaId}` (client-server API, "Content repository"). Access token of an account that is not suspended.
pub async fn upload_to(
    State(media): State<Media>,
    session: ActiveSession,
    Path((server, id)): Path<(OwnedServerName, String)>,
    Query(named): Query<Named>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    if server != *media.server() {
        return Err(UploadError::NotPending.into());
    }
    let upload = described(&headers, named)?;
    media.upload_to(session.actor(), &id, upload, body.into_data_stream()).await?;
    Ok(Json(json!({})))
}

fn address(server: &ServerName, id: &str) -> String {
    format!("mxc://{server}/{id}")
}

/// What is said of a file. One that is sent packed would be served packed, to clients that do not ask for that.
fn described(headers: &HeaderMap, named: Named) -> Result<Upload, ApiError> {
    if headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        let message = "Files are taken as they are, not inflated.";
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorKind::Unknown, message));
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    Ok(Upload {
        content_type: text(CONTENT_TYPE).map(str::to_owned),
        file_name: named.filename,
        announced: text(CONTENT_LENGTH).and_then(|length| length.parse().ok()),
    })
}
