//! Small pictures of files.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use futures_util::TryStreamExt as _;
use http::header::{ACCEPT_RANGES, CONTENT_LENGTH};
use http::{HeaderMap, StatusCode};
use plop_media::schema::{Format, Method};
use plop_media::{Media, Wanted};
use ruma::{OwnedServerName, ServerName};
use serde::Deserialize;

use super::downloading::{DEFAULT_WAIT, check_open};
use super::headers::{Shown, file_headers};
use super::ranges::{Asked, asked};
use crate::api::Settings;
use crate::budgets::{Budgets, PAGE};
use crate::error::ApiError;
use crate::extract::{ClientAddress, OrGuest, Path, Query, Session};

/// What the query asks for.
#[derive(Deserialize)]
pub struct Parameters {
    width: u32,
    height: u32,
    #[serde(default)]
    method: Fitting,
    #[serde(default)]
    animated: bool,
    timeout_ms: Option<u64>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Fitting {
    Crop,
    #[default]
    Scale,
}

/// `GET /_matrix/client/v1/media/thumbnail/{serverName}/{mediaId}` (client-server API, "Content repository"). For users and guests.
pub async fn thumbnail(
    State(media): State<Media>,
    State(budgets): State<Budgets>,
    session: OrGuest<Session>,
    Path((server, id)): Path<(OwnedServerName, String)>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let user = session.user()?;
    let pay = || budgets.take(user, PAGE);
    answer(&media, (&server, &id), &parameters, &headers, pay).await
}

/// `GET /_matrix/media/v3/thumbnail/{serverName}/{mediaId}` (client-server API, "Content repository"; deprecated). For everyone.
pub async fn open_thumbnail(
    State(media): State<Media>,
    State(settings): State<Arc<Settings>>,
    State(budgets): State<Budgets>,
    from: ClientAddress,
    Path((server, id)): Path<(OwnedServerName, String)>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    check_open(&settings)?;
    let pay = || budgets.take_from(from.0);
    answer(&media, (&server, &id), &parameters, &headers, pay).await
}

/// The thumbnail. One that is made costs as little as a file; before one is made `pay` takes what a decoder costs.
async fn answer(
    media: &Media,
    (server, id): (&ServerName, &str),
    parameters: &Parameters,
    request: &HeaderMap,
    pay: impl FnOnce() -> Result<(), ApiError>,
) -> Result<Response, ApiError> {
    let wait = Duration::from_millis(parameters.timeout_ms.unwrap_or(DEFAULT_WAIT));
    let found = media.find(server, id, wait).await?;
    let method = match parameters.method {
        Fitting::Crop => Method::Crop,
        Fitting::Scale => Method::Scale,
    };
    let (width, height, animated) = (parameters.width, parameters.height, parameters.animated);
    let wanted = Wanted { width, height, method, animated };
    let thumbnail = media.thumbnail(&found, &wanted, pay).await?;
    // What it is, not what was said of the file.
    let format = thumbnail.row.format;
    let name = match format {
        Format::Png => "thumbnail.png",
        Format::Jpeg => "thumbnail.jpg",
        Format::Gif => "thumbnail.gif",
        Format::WebP => "thumbnail.webp",
    };
    let shown = Shown {
        version: &thumbnail.version,
        content_type: Some(format.content_type()),
        file_name: Some(name),
    };
    let mut headers = file_headers(&shown)?;
    headers.remove(ACCEPT_RANGES);
    if asked(request, &headers, thumbnail.row.size) == Asked::Nothing {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    headers.insert(CONTENT_LENGTH, thumbnail.row.size.into());
    let bytes = media.read_thumbnail(&thumbnail).await?;
    let bytes = bytes.inspect_err(|error| tracing::error!(%error, "a thumbnail was cut off"));
    Ok((headers, Body::from_stream(bytes)).into_response())
}
