//! Filters that clients keep.

use axum::extract::State;
use plop_accounts::Accounts;
use ruma::OwnedUserId;
use ruma::api::client::filter::{create_filter, get_filter};
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::extract::{Json, JsonText, Path, Ruma, Session};

/// `POST /_matrix/client/v3/user/{userId}/filter` (client-server API, "Filtering"). For the user.
pub async fn define(
    State(accounts): State<Accounts>,
    session: Session,
    Path(user): Path<OwnedUserId>,
    Json(filter): Json<Map<String, Value>>,
) -> Result<Ruma<create_filter::v3::Response>, ApiError> {
    let id = accounts.add_filter(session.actor(), &user, &filter).await?;
    Ok(Ruma(create_filter::v3::Response::new(id)))
}

/// `GET /_matrix/client/v3/user/{userId}/filter/{filterId}` (client-server API, "Filtering"). For the user.
pub async fn read(
    State(accounts): State<Accounts>,
    session: Session,
    Ruma(request): Ruma<get_filter::v3::Request>,
) -> Result<JsonText, ApiError> {
    let filter = accounts.filter(session.actor(), &request.user_id, &request.filter_id).await?;
    filter.map(JsonText).ok_or_else(|| ApiError::not_found("There is no such filter."))
}
