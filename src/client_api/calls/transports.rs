//! `GET /rtc/transports`.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;

use crate::extract::{Json, Session};

/// Where the calls of rooms may take place, the preferred one first; also in `/.well-known/matrix/client`.
#[derive(Clone, Debug, Default)]
pub struct Transports(pub Arc<[Transport]>);

/// One of them.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Transport {
    /// A LiveKit server, by the service that lets users into it.
    LiveKit { livekit_service_url: String },
}

/// The answer.
#[derive(Serialize)]
pub struct Answer {
    rtc_transports: Arc<[Transport]>,
}

/// `GET /_matrix/client/unstable/org.matrix.msc4143/rtc/transports` (MSC4143, "Discovery of RTC transports"). For users.
pub async fn list(State(Transports(rtc_transports)): State<Transports>, _: Session) -> Json<Answer> {
    Json(Answer { rtc_transports })
}
