//! Sending at once, cancelling, starting anew: `POST /delayed_events/{delayId}/{action}`.
//!
//! Whoever knows the name of an event may: a client hands it to the service that notices when a call has ended. Such services have a
//! budget by network, each event has one, and those who guess have that of strangers.

use axum::extract::State;
use plop_delayed::{Action, DelayRefusal, Delayed};
use ruma::api::error::ErrorKind;
use serde::{Deserialize, Serialize};

use crate::budgets::Budgets;
use crate::error::ApiError;
use crate::extract::{ClientAddress, Json, Path};

/// The answer.
#[derive(Serialize)]
pub struct Done {}

/// `POST /_matrix/client/v1/delayed_events/{delayId}/{action}` (MSC4140, "Managing scheduled delayed events"). For everyone who knows the name.
pub async fn act(
    State(delayed): State<Delayed>,
    State(budgets): State<Budgets>,
    from: ClientAddress,
    Path((id, action)): Path<(String, String)>,
) -> Result<Json<Done>, ApiError> {
    let action = action_of(&action).ok_or_else(ApiError::unrecognized)?;
    apply(&delayed, &budgets, from, &id, action).await
}

/// The body of the following.
#[derive(Deserialize)]
pub struct Former {
    action: String,
}

/// `POST /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}`: the same with the action in the body. For everyone who knows the name.
pub async fn former_act(
    State(delayed): State<Delayed>,
    State(budgets): State<Budgets>,
    from: ClientAddress,
    Path(id): Path<String>,
    Json(body): Json<Former>,
) -> Result<Json<Done>, ApiError> {
    let action = action_of(&body.action);
    let action =
        action.ok_or_else(|| ApiError::bad_request(ErrorKind::InvalidParam, "There is no such action."))?;
    apply(&delayed, &budgets, from, &id, action).await
}

async fn apply(
    delayed: &Delayed,
    budgets: &Budgets,
    from: ClientAddress,
    id: &str,
    action: Action,
) -> Result<Json<Done>, ApiError> {
    budgets.take_delegated(from.0)?;
    match delayed.act(id, action).await {
        Ok(()) => Ok(Json(Done {})),
        Err(refusal @ DelayRefusal::NotFound) => {
            budgets.take_from(from.0)?;
            Err(refusal.into())
        }
        Err(refusal) => Err(refusal.into()),
    }
}

fn action_of(word: &str) -> Option<Action> {
    match word {
        "send" => Some(Action::Send),
        "cancel" => Some(Action::Cancel),
        "restart" => Some(Action::Restart),
        _ => None,
    }
}
