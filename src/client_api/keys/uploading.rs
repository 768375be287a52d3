//! `POST /v3/keys/upload`.

use std::collections::BTreeMap;

use axum::extract::State;
use plop_e2ee::keys::{Keys, Upload};
use plop_state::json::{Object, Value};
use ruma::api::error::ErrorKind;
use serde::Serialize;

use crate::error::ApiError;
use crate::extract::{Content, Json, OrGuest, Session};

/// The answer.
#[derive(Serialize)]
pub struct Uploaded {
    one_time_key_counts: BTreeMap<String, u64>,
}

/// `POST /_matrix/client/v3/keys/upload` (client-server API, "Uploading keys"). For users and guests, from their devices.
pub async fn upload(
    State(keys): State<Keys>,
    session: OrGuest<Session>,
    Content(mut body): Content,
) -> Result<Json<Uploaded>, ApiError> {
    let upload = take_upload(&mut body)?;
    let one_time_key_counts = keys.upload(session.actor(), &upload).await?;
    Ok(Json(Uploaded { one_time_key_counts }))
}

/// The keys of a device in a body.
pub fn take_upload(body: &mut Object) -> Result<Upload, ApiError> {
    Ok(Upload {
        device_keys: take_object(body, "device_keys")?,
        one_time_keys: take_object(body, "one_time_keys")?,
        fallback_keys: take_object(body, "fallback_keys")?,
    })
}

/// A member that is an object, if it is there; some clients send `null` for what they have not.
pub fn take_object(body: &mut Object, member: &str) -> Result<Option<Object>, ApiError> {
    match body.remove(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(ApiError::bad_request(ErrorKind::BadJson, format!("`{member}` is no object."))),
    }
}
