//! `POST /v3/keys/upload`.

use std::collections::BTreeMap;

use axum::extract::State;
use plop_e2ee::keys::{Keys, Upload};
use plop_state::json::{Object, Value};
use ruma::api::error::ErrorKind;
use serde::Serialize;

use crate::error::ApiError;
use crate::extract::{Content, Json, Session};

/// The answer.
#[derive(Serialize)]
pub struct Uploaded {
    one_time_key_counts: BTreeMap<String, u64>,
}

/// `POST /_matrix/client/v3/keys/upload` (client-server API, "Uploading keys"). For users, from their devices.
pub async fn upload(
    State(keys): State<Keys>,
    session: Session,
    Content(mut body): Content,
) -> Result<Json<Uploaded>, ApiError> {
    let upload = Upload {
        device_keys: take_object(&mut body, "device_keys")?,
        one_time_keys: take_object(&mut body, "one_time_keys")?,
        fallback_keys: take_object(&mut body, "fallback_keys")?,
    };
    let one_time_key_counts = keys.upload(session.actor(), &upload).await?;
    Ok(Json(Uploaded { one_time_key_counts }))
}

/// A member that is an object, if it is there; some clients send `null` for what they have not.
fn take_object(body: &mut Object, member: &str) -> Result<Option<Object>, ApiError> {
    match body.remove(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(ApiError::bad_request(ErrorKind::BadJson, format!("`{member}` is no object."))),
    }
}
