//! `GET /_matrix/client/v3/sync`.

use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use http::request::Parts;
use plop_ephemeral::PresenceState;
use plop_sync::{StateAt, SyncRequest, Syncing};
use serde::Deserialize;

use super::sending;
use crate::api::Api;
use crate::budgets::{Budgets, Cost};
use crate::error::ApiError;
use crate::extract::{OrGuest, Session};

/// The parameters.
#[derive(Deserialize)]
pub struct Parameters {
    since: Option<String>,
    filter: Option<String>,
    #[serde(default)]
    full_state: bool,
    #[serde(default)]
    set_presence: Shown,
    /// Milliseconds.
    #[serde(default)]
    timeout: u64,
    #[serde(default)]
    use_state_after: bool,
    #[serde(default, rename = "org.matrix.msc4222.use_state_after")]
    use_state_after_unstable: bool,
}

/// As what the user is shown (`set_presence`).
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shown {
    #[default]
    Online,
    Unavailable,
    Offline,
}

impl From<Shown> for PresenceState {
    fn from(shown: Shown) -> Self {
        match shown {
            Shown::Online => Self::Online,
            Shown::Unavailable => Self::Unavailable,
            Shown::Offline => Self::Offline,
        }
    }
}

/// `GET /_matrix/client/v3/sync` (client-server API, "Syncing"). For users and guests.
pub async fn sync(
    State(api): State<Api>,
    State(sync): State<Syncing>,
    State(budgets): State<Budgets>,
    session: OrGuest<Session>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    head: Parts,
) -> Result<Response, ApiError> {
    let Query(parameters) = parameters.map_err(|error| ApiError::invalid_param(error.body_text()))?;
    let request = request(parameters);
    let user = session.user()?;
    budgets.take(user, Cost::Read(0))?;
    let is_full = request.full_state || request.since.as_ref().is_none_or(String::is_empty);
    let place = is_full.then(|| budgets.full_answer(user)).transpose()?;
    let answer = sync.sync(session.actor(), &request);
    let answer = sending::unless_logged_out(&api, &session, head, answer).await?;
    sending::send(answer, budgets, user, place).await
}

fn request(parameters: Parameters) -> SyncRequest {
    let state_at = match (parameters.use_state_after, parameters.use_state_after_unstable) {
        (true, _) => StateAt::End,
        (false, true) => StateAt::EndUnstable,
        (false, false) => StateAt::Start,
    };
    SyncRequest {
        since: parameters.since,
        filter: parameters.filter,
        full_state: parameters.full_state,
        set_presence: parameters.set_presence.into(),
        timeout: Duration::from_millis(parameters.timeout),
        state_at,
    }
}
