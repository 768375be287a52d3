//! What has come for a dehydrated device, page by page. There are two forms of the endpoint: `POST` is the one that clients have, and has them ask until nothing
//! comes; `GET` is the proposal's later one. Neither takes anything away.

use axum::extract::State;
use plop_db::Position;
use plop_e2ee::to_device::{MAX_PAGE_MESSAGES, ToDevice, ToDevicePage};
use plop_state::json::TextWriter;
use ruma::{OwnedDeviceId, UInt};
use serde::Deserialize;

use crate::error::ApiError;
use crate::extract::{Json, JsonText, Path, Query, Session};

/// Where the messages are.
pub const PATH: &str = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{deviceId}/events";

/// What comes before every token's text.
const PREFIX: &str = "dd1_";

/// The query of `GET`; `POST` knows the limit of it.
#[derive(Deserialize)]
pub struct Page {
    from: Option<String>,
    limit: Option<UInt>,
}

/// The body of `POST`.
#[derive(Deserialize)]
pub struct Request {
    next_batch: Option<String>,
}

/// `GET /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{deviceId}/events` (MSC3814). For users. `next_batch` is there if there is more.
pub async fn page(
    State(to_device): State<ToDevice>,
    session: Session,
    Path(device): Path<OwnedDeviceId>,
    Query(page): Query<Page>,
) -> Result<JsonText, ApiError> {
    let found = read(&to_device, &session, &device, page.from.as_deref(), page.limit).await?;
    let next = found.more.then_some(found.end);
    Ok(shown(&found, next))
}

/// `POST /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{deviceId}/events` (MSC3814). For users. `next_batch` is always there.
pub async fn batch(
    State(to_device): State<ToDevice>,
    session: Session,
    Path(device): Path<OwnedDeviceId>,
    Query(page): Query<Page>,
    Json(request): Json<Request>,
) -> Result<JsonText, ApiError> {
    let found = read(&to_device, &session, &device, request.next_batch.as_deref(), page.limit).await?;
    Ok(shown(&found, Some(found.end)))
}

async fn read(
    to_device: &ToDevice,
    session: &Session,
    device: &OwnedDeviceId,
    after: Option<&str>,
    limit: Option<UInt>,
) -> Result<ToDevicePage, ApiError> {
    let after = after.map(token).transpose()?.unwrap_or(Position::START);
    let limit = limit.map_or(MAX_PAGE_MESSAGES, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    if limit == 0 {
        return Err(ApiError::invalid_param("`limit` is 0."));
    }
    let found = to_device.for_dehydrated(session.actor(), device, after, limit).await?;
    found.ok_or_else(|| ApiError::forbidden("This is not your dehydrated device."))
}

fn token(text: &str) -> Result<Position, ApiError> {
    let position = text.strip_prefix(PREFIX).and_then(Position::from_hex);
    position.ok_or_else(|| ApiError::invalid_param("There is no such token."))
}

fn shown(page: &ToDevicePage, next: Option<Position>) -> JsonText {
    let mut out = TextWriter::new();
    out.object();
    out.key("events");
    out.texts(&page.messages);
    if let Some(next) = next {
        out.key("next_batch");
        out.string(&format!("{PREFIX}{}", next.to_hex()));
    }
    JsonText(out.finish())
}
