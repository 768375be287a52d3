//! Answers that are written while they are read.
//!
//! Owns: the wait for one, which a logout ends; sending it part by part; charging the user for it. Does not own: what is in it.
//!
//! Invariants: half an answer is none: a fault in the middle ends the connection.

use std::pin::pin;

use axum::body::Body;
use axum::extract::FromRequestParts as _;
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt as _};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use plop_sync::sliding::answer::SlidingAnswer;
use plop_sync::{AnswerFault, SyncAnswer};
use ruma::{OwnedUserId, UserId};

use crate::api::Api;
use crate::budgets::{Budgets, FullAnswer};
use crate::error::ApiError;
use crate::extract::Session;
use crate::kept::Kept;

/// An answer in parts.
pub trait InParts: Send + 'static {
    /// The next part; `None` after the end.
    fn part(&mut self) -> impl Future<Output = Result<Option<String>, AnswerFault>> + Send;
    /// Whether the last part has been given.
    fn is_over(&self) -> bool;
}

impl InParts for SyncAnswer {
    async fn part(&mut self) -> Result<Option<String>, AnswerFault> {
        Self::part(self).await
    }

    fn is_over(&self) -> bool {
        Self::is_over(self)
    }
}

impl InParts for SlidingAnswer {
    async fn part(&mut self) -> Result<Option<String>, AnswerFault> {
        Self::part(self).await
    }

    fn is_over(&self) -> bool {
        Self::is_over(self)
    }
}

/// What an answer comes to. While it waits, the device may be logged out: it is told at once, and what came since is not for it.
pub async fn unless_logged_out<A, E>(
    api: &Api,
    session: &Session,
    mut head: Parts,
    answer: impl Future<Output = Result<A, E>>,
) -> Result<A, ApiError>
where
    ApiError: From<E>,
{
    let mut answer = pin!(answer);
    let answer = tokio::select! {
        answer = answer.as_mut() => answer?,
        () = session.changed() => {
            Session::from_request_parts(&mut head, api).await?;
            answer.await?
        }
    };
    Session::from_request_parts(&mut head, api).await?;
    Ok(answer)
}

/// Sends an answer. A full one has its place until it is sent.
pub async fn send(
    mut answer: impl InParts,
    budgets: Budgets,
    user: &UserId,
    place: Option<FullAnswer>,
) -> Result<Response, ApiError> {
    let mut sent = Sent { budgets, user: user.to_owned(), bytes: 0 };
    // Read before the answer begins, so that a fault is still told as one.
    let first = answer.part().await?.unwrap_or_default();
    sent.bytes += first.len();
    let body = if answer.is_over() { Body::from(first) } else { body(first, answer, sent) };
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

/// An answer of many parts, each made when the client has taken the one before.
fn body(first: String, answer: impl InParts, sent: Sent) -> Body {
    let later = stream::try_unfold((answer, sent), |(mut answer, mut sent)| async move {
        let part = answer.part().await;
        let part = part.inspect_err(|fault| tracing::error!(%fault, "an answer of sync was cut off"))?;
        sent.bytes += part.as_ref().map_or(0, String::len);
        Ok::<_, AnswerFault>(part.map(|part| (part, (answer, sent))))
    });
    Body::from_stream(stream::iter([Ok(first)]).chain(later))
}
