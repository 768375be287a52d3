//! `GET /pushers`.

use axum::extract::State;
use plop_accounts::{Accounts, pushers};
use ruma::OwnedDeviceId;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::ApiError;
use crate::extract::{Json, Session};

/// The answer.
#[derive(Serialize)]
pub struct Answer {
    pushers: Vec<Pusher>,
}

/// A pusher. ruma's type does not know MSC3881.
#[derive(Serialize)]
struct Pusher {
    app_id: String,
    pushkey: String,
    kind: &'static str,
    app_display_name: String,
    device_display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile_tag: Option<String>,
    lang: String,
    data: Box<RawValue>,
    #[serde(rename = "org.matrix.msc3881.enabled")]
    enabled: bool,
    #[serde(rename = "org.matrix.msc3881.device_id", skip_serializing_if = "Option::is_none")]
    device: Option<OwnedDeviceId>,
}

/// `GET /_matrix/client/v3/pushers` (client-server API, "Push Notifications"; MSC3881). For users.
pub async fn list(State(accounts): State<Accounts>, session: Session) -> Result<Json<Answer>, ApiError> {
    let pushers = accounts.pushers(session.actor()).await?;
    let pushers = pushers.into_iter().map(Pusher::try_from).collect::<Result<_, _>>();
    Ok(Json(Answer { pushers: pushers.map_err(ApiError::internal)? }))
}

impl TryFrom<pushers::Pusher> for Pusher {
    type Error = serde_json::Error;

    fn try_from(pushers::Pusher { id, row }: pushers::Pusher) -> Result<Self, serde_json::Error> {
        Ok(Self {
            app_id: id.app,
            pushkey: id.push_key,
            kind: "http",
            app_display_name: row.app_display_name,
            device_display_name: row.device_display_name,
            profile_tag: row.profile_tag,
            lang: row.lang,
            data: RawValue::from_string(row.data.0)?,
            enabled: row.enabled,
            device: row.device,
        })
    }
}
