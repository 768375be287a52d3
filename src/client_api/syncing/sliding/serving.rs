//! Answering a request of sliding sync, whatever its dialect.
//!
//! Owns: the wait, and what a first answer costs. Does not own: the forms of the requests.

use axum::response::Response;
use http::request::Parts;
use plop_sync::Syncing;
use plop_sync::sliding::request::SlidingRequest;

use crate::api::Api;
use crate::budgets::Budgets;
use crate::error::ApiError;
use crate::extract::Session;
use crate::syncing::sending;

/// A first answer with windows of more rooms is a full one, of which a user gets few at once.
const LARGE_WINDOW: u64 = 200;

/// What answers a request, whatever its dialect.
pub struct Serving {
    pub api: Api,
    pub sync: Syncing,
    pub budgets: Budgets,
    pub session: Session,
    pub head: Parts,
}

impl Serving {
    /// The answer to a request.
    pub async fn answer(self, request: &SlidingRequest) -> Result<Response, ApiError> {
        let Self { api, sync, budgets, session, head } = self;
        let user = session.user()?;
        let place = is_full(request).then(|| budgets.full_answer(user)).transpose()?;
        let answer = sync.sliding_sync(session.actor(), request);
        let answer = sending::unless_logged_out(&api, &session, head, answer).await?;
        sending::send(answer, budgets, user, place).await
    }
}

fn is_full(request: &SlidingRequest) -> bool {
    let is_first = request.pos.as_ref().is_none_or(String::is_empty);
    let is_large = |ranges: &Vec<(u64, u64)>| {
        ranges.iter().any(|(first, last)| last.saturating_sub(*first) >= LARGE_WINDOW)
    };
    is_first && request.lists.iter().any(|(_, list)| list.ranges.as_ref().is_none_or(is_large))
}
