//! `POST /_synapse/admin/v1/send_server_notice` and `PUT /_synapse/admin/v1/send_server_notice/{txnId}`: how administrators tell users something on
//! other homeservers, too. Without a configured user who sends notices there are no such endpoints.

use axum::extract::State;
use plop_moderation::notices::{Notice, Notices};
use plop_state::json::{Object, Value};
use ruma::UserId;
use ruma::api::error::ErrorKind;
use serde_json::json;

use crate::error::ApiError;
use crate::extract::{AdminSession, Content, Json, Path};

/// `POST /_synapse/admin/v1/send_server_notice` (as Synapse documents it). For administrators.
pub async fn send(
    State(notices): State<Notices>,
    session: AdminSession,
    Content(body): Content,
) -> Result<Json<serde_json::Value>, ApiError> {
    tell(&notices, &session, body, None).await
}

/// `PUT /_synapse/admin/v1/send_server_notice/{txnId}` (as Synapse documents it). For administrators. Repeated, it sends nothing.
pub async fn send_once(
    State(notices): State<Notices>,
    session: AdminSession,
    Path(transaction): Path<String>,
    Content(body): Content,
) -> Result<Json<serde_json::Value>, ApiError> {
    tell(&notices, &session, body, Some(transaction)).await
}

async fn tell(
    notices: &Notices,
    session: &AdminSession,
    mut body: Object,
    transaction: Option<String>,
) -> Result<Json<serde_json::Value>, ApiError> {
    let user = text(&mut body, "user_id")?.ok_or_else(|| missing("user_id"))?;
    let user = UserId::parse(&user).map_err(ApiError::invalid_param)?;
    let kind = text(&mut body, "type")?.unwrap_or_else(|| "m.room.message".to_owned());
    let state_key = text(&mut body, "state_key")?;
    let content = match body.remove("content") {
        Some(Value::Object(content)) => content,
        Some(_) => return Err(ApiError::bad_request(ErrorKind::BadJson, "`content` is no object.")),
        None => return Err(missing("content")),
    };
    let notice = Notice { kind, state_key, content, transaction };
    let event = notices.send(&session.about(&user)?, notice).await?;
    Ok(Json(json!({ "event_id": event })))
}

fn text(body: &mut Object, member: &str) -> Result<Option<String>, ApiError> {
    match body.remove(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ApiError::bad_request(ErrorKind::BadJson, format!("`{member}` is no string."))),
    }
}

fn missing(member: &str) -> ApiError {
    ApiError::missing_param(format!("There is no `{member}`."))
}
