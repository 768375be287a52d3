//! Files go out.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use futures_util::TryStreamExt as _;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};
use plop_media::{Found, Media, OpenError};
use ruma::OwnedServerName;
use serde::Deserialize;

use super::headers::{Shown, file_headers};
use super::ranges::{Asked, asked};
use crate::api::Settings;
use crate::error::ApiError;
use crate::extract::{OrGuest, Path, Query, Session};

/// How long a file that is announced is waited for, where the client says nothing, in milliseconds (`timeout_ms`).
pub const DEFAULT_WAIT: u64 = 20_000;

/// What the query says. That files of other servers should not be fetched (`allow_remote`) is what happens anyway.
#[derive(Deserialize)]
pub struct Waiting {
    timeout_ms: Option<u64>,
}

impl Waiting {
    fn limit(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.unwrap_or(DEFAULT_WAIT))
    }
}

/// `GET /_matrix/client/v1/media/download/{serverName}/{mediaId}` (client-server API, "Content repository"). For users and guests.
pub async fn download(
    State(media): State<Media>,
    _: OrGuest<Session>,
    Path((server, id)): Path<(OwnedServerName, String)>,
    Query(waiting): Query<Waiting>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let found = media.find(&server, &id, waiting.limit()).await?;
    let name = found.row.file_name.clone();
    answer(&media, &found, &id, name.as_deref(), &headers).await
}

/// `GET /_matrix/client/v1/media/download/{serverName}/{mediaId}/{fileName}` (client-server API, "Content repository"). For users and guests.
pub async fn download_as(
    State(media): State<Media>,
    _: OrGuest<Session>,
    Path((server, id, name)): Path<(OwnedServerName, String, String)>,
    Query(waiting): Query<Waiting>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let found = media.find(&server, &id, waiting.limit()).await?;
    answer(&media, &found, &id, Some(&name), &headers).await
}

/// `GET /_matrix/media/v3/download/{serverName}/{mediaId}` (client-server API, "Content repository"; deprecated). For everyone.
pub async fn open_download(
    State(media): State<Media>,
    State(settings): State<Arc<Settings>>,
    Path((server, id)): Path<(OwnedServerName, String)>,
    Query(waiting): Query<Waiting>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    check_open(&settings)?;
    let found = media.find(&server, &id, waiting.limit()).await?;
    let name = found.row.file_name.clone();
    answer(&media, &found, &id, name.as_deref(), &headers).await
}

/// `GET /_matrix/media/v3/download/{serverName}/{mediaId}/{fileName}` (client-server API, "Content repository"; deprecated). For everyone.
pub async fn open_download_as(
    State(media): State<Media>,
    State(settings): State<Arc<Settings>>,
    Path((server, id, name)): Path<(OwnedServerName, String, String)>,
    Query(waiting): Query<Waiting>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    check_open(&settings)?;
    let found = media.find(&server, &id, waiting.limit()).await?;
    answer(&media, &found, &id, Some(&name), &headers).await
}

/// Refuses what the freeze refuses: everything here is newer than it.
pub fn check_open(settings: &Settings) -> Result<(), ApiError> {
    if settings.freeze_media { Err(OpenError::NotFound.into()) } else { Ok(()) }
}

/// The file, the part of it that is asked for, or that the client has it.
async fn answer(
    media: &Media,
    found: &Found,
    id: &str,
    name: Option<&str>,
    request: &HeaderMap,
) -> Result<Response, ApiError> {
    let (size, content_type) = (found.row.size, found.row.content_type.as_deref());
    let shown = Shown { version: id, content_type, file_name: name };
    let mut headers = file_headers(&shown)?;
    let (status, range) = match asked(request, &headers, size) {
        Asked::Nothing => return Ok((StatusCode::NOT_MODIFIED, headers).into_response()),
        Asked::Impossible => {
            headers = ranges_refused(size)?;
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response());
        }
        Asked::All => (StatusCode::OK, None),
        Asked::Part(range) => {
            let text = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            headers.insert(http::header::CONTENT_RANGE, text.parse().map_err(ApiError::internal)?);
            (StatusCode::PARTIAL_CONTENT, Some(range))
        }
    };
    let length = range.as_ref().map_or(size, |range| range.end - range.start);
    headers.insert(CONTENT_LENGTH, length.into());
    let bytes = media.read(found, range).await?;
    let bytes = bytes.inspect_err(|error| tracing::error!(%error, "a file was cut off"));
    Ok((status, headers, Body::from_stream(bytes)).into_response())
}

fn ranges_refused(size: u64) -> Result<HeaderMap, ApiError> {
    let text = format!("bytes */{size}").parse().map_err(ApiError::internal)?;
    Ok(HeaderMap::from_iter([(http::header::CONTENT_RANGE, text)]))
}
