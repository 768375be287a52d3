//! Answers that are written while they are sent.
//!
//! Owns: that the next part is made when the client has taken the one before, and what becomes of a fault. Does not own: what is in a part.
//!
//! Invariants: what is large is never held whole. A fault in the first part is told as one; a fault after it ends the connection, so that half an
//! answer is no answer.

use std::error::Error;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use http::header::CONTENT_TYPE;
use tracing::{Instrument as _, Span};

use crate::error::ApiError;

/// JSON text in parts.
pub trait Parts: Send + Sized + 'static {
    type Fault: Into<ApiError> + Error + Send + Sync + 'static;

    /// The next part; `None` behind the last one.
    fn part(&mut self) -> impl Future<Output = Result<Option<Bytes>, Self::Fault>> + Send;
}

/// The answer.
pub async fn answer<P: Parts>(mut parts: P) -> Result<Response, ApiError> {
    let first = parts.part().await.map_err(Into::into)?.unwrap_or_default();
    // The rest is read while it is sent, when nobody is in the request's span any more.
    let span = Span::current();
    let later = stream::try_unfold(parts, move |mut parts| {
        let next = async move {
            let part = parts.part().await;
            let part = part.inspect_err(|fault| tracing::error!(%fault, "an answer was cut off"))?;
            Ok::<_, P::Fault>(part.map(|part| (part, parts)))
        };
        next.instrument(span.clone())
    });
    let body = Body::from_stream(stream::iter([Ok(first)]).chain(later));
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}
