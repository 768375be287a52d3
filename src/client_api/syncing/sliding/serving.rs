//! Answering a request of sliding sync, whatever its dialect.
//!
//! Owns: the wait, and what a full answer costs. Does not own: the forms of the requests.

use axum::response::Response;
use http::request::Parts;
use plop_sync::Syncing;
use plop_sync::sliding::request::SlidingRequest;

use crate::api::Api;
use crate::budgets::Budgets;
use crate::error::ApiError;
use crate::extract::Session;
use crate::syncing::sending;

/// An answer with more rooms that the client does not have is a full one, of which a user gets few at once. Element X asks for a hundred more at a time.
const MAX_NEW_ROOMS: usize = 100;

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
        let found = sync.sliding_sync(session.actor(), request);
        let found = sending::unless_logged_out(&api, &session, head, found).await?;
        let is_full = found.initial_rooms() > MAX_NEW_ROOMS;
        let place = is_full.then(|| budgets.full_answer(user)).transpose()?;
        sending::send(found.answer().await?, budgets, user, place).await
    }
}
