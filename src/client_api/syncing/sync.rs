//! `GET /_matrix/client/v3/sync`.

use std::pin::pin;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt as _};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use plop_ephemeral::PresenceState;
use plop_sync::{AnswerFault, StateAt, SyncAnswer, SyncRequest, Syncing};
use ruma::OwnedUserId;
use serde::Deserialize;

use crate::api::Api;
use crate::budgets::{Budgets, Cost};
use crate::error::ApiError;
use crate::extract::Session;
use crate::kept::Kept;
use axum::extract::FromRequestParts as _;

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

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Shown {
    #[default]
    Online,
    Unavailable,
    Offline,
}

/// `GET /_matrix/client/v3/sync` (client-server API, "Syncing"). For users.
pub async fn sync(
    State(api): State<Api>,
    State(sync): State<Syncing>,
    State(budgets): State<Budgets>,
    session: Session,
    parameters: Result<Query<Parameters>, QueryRejection>,
    mut head: Parts,
) -> Result<Response, ApiError> {
    let Query(parameters) = parameters.map_err(|error| ApiError::invalid_param(error.body_text()))?;
    let request = request(parameters);
    let user = session.user()?;
    budgets.take(user, Cost::Read(0))?;
    let is_full = request.full_state || request.since.as_ref().is_none_or(String::is_empty);
    let place = is_full.then(|| budgets.full_answer(user)).transpose()?;
    let mut answer = pin!(sync.sync(session.actor(), &request));
    // While it waits, the device may be logged out: it is told at once, and what came since is not for it.
    let mut answer = tokio::select! {
        answer = answer.as_mut() => answer?,
        () = session.changed() => {
            Session::from_request_parts(&mut head, &api).await?;
            answer.await?
        }
    };
    Session::from_request_parts(&mut head, &api).await?;
    let mut sent = Sent { budgets, user: user.to_owned(), bytes: 0 };
    // Read before the answer begins, so that a fault is still told as one.
    let first = answer.part().await?.unwrap_or_default();
    sent.bytes += first.len();
    let body = if answer.is_over() { Body::from(first) } else { body(first, answer, sent) };
    // A full answer has its place until it is sent.
    let body = Body::new(Kept::new(body, place));
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

/// What of an answer has been written; the user is charged for it at its end, whoever ends it.
struct Sent {
    budgets: Budgets,
    user: OwnedUserId,
    bytes: usize,
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.budgets.answered(&self.user, self.bytes);
    }
}

/// An answer of many parts, each made when the client has taken the one before. A fault ends the connection, so that half an answer is none.
fn body(first: String, answer: SyncAnswer, sent: Sent) -> Body {
    let later = stream::try_unfold((answer, sent), |(mut answer, mut sent)| async move {
        let part = answer.part().await;
        let part = part.inspect_err(|fault| tracing::error!(%fault, "an answer of /sync was cut off"))?;
        sent.bytes += part.as_ref().map_or(0, String::len);
        Ok::<_, AnswerFault>(part.map(|part| (part, (answer, sent))))
    });
    Body::from_stream(stream::iter([Ok(first)]).chain(later))
}

fn request(parameters: Parameters) -> SyncRequest {
    let state_at = match (parameters.use_state_after, parameters.use_state_after_unstable) {
        (true, _) => StateAt::End,
        (false, true) => StateAt::EndUnstable,
        (false, false) => StateAt::Start,
    };
    let set_presence = match parameters.set_presence {
        Shown::Online => PresenceState::Online,
        Shown::Unavailable => PresenceState::Unavailable,
        Shown::Offline => PresenceState::Offline,
    };
    SyncRequest {
        since: parameters.since,
        filter: parameters.filter,
        full_state: parameters.full_state,
        set_presence,
        timeout: Duration::from_millis(parameters.timeout),
        state_at,
    }
}
