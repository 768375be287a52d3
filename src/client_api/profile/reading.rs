//! Reading a profile.

use std::collections::BTreeMap;

use axum::extract::State;
use plop_accounts::Accounts;
use ruma::api::client::profile::{get_profile, get_profile_field};
use serde_json::Value;

use crate::error::ApiError;
use crate::extract::{Json, Ruma};

/// `GET /_matrix/client/v3/profile/{userId}` (client-server API, "Profiles"). For everyone.
pub async fn whole(
    State(accounts): State<Accounts>,
    Ruma(request): Ruma<get_profile::v3::Request>,
) -> Result<Json<BTreeMap<String, Value>>, ApiError> {
    let fields = accounts.profile(&request.user_id).await?.ok_or_else(not_found)?;
    let fields = fields.into_iter().map(|(name, text)| Ok((name, value(&text)?)));
    Ok(Json(fields.collect::<Result<_, ApiError>>()?))
}

/// `GET /_matrix/client/v3/profile/{userId}/{keyName}` (client-server API, "Profiles"). For everyone.
pub async fn field(
    State(accounts): State<Accounts>,
    Ruma(request): Ruma<get_profile_field::v3::Request>,
) -> Result<Json<BTreeMap<String, Value>>, ApiError> {
    let name = request.field.as_str();
    let text = accounts.profile_field(&request.user_id, name).await?.ok_or_else(not_found)?;
    Ok(Json(BTreeMap::from([(name.to_owned(), value(&text)?)])))
}

/// A stored field.
fn value(text: &str) -> Result<Value, ApiError> {
    serde_json::from_str(text).map_err(ApiError::internal)
}

fn not_found() -> ApiError {
    ApiError::not_found("There is nothing of this kind in the profile, or no such user.")
}
