//! `POST /v3/keys/query`.

use axum::extract::State;
use plop_e2ee::keys::{Keys, Queried, QueriedUser, Wanted};
use plop_state::json::TextWriter;
use serde::Deserialize;

use super::elsewhere::failures;
use crate::budgets::{Budgets, Cost};
use crate::error::ApiError;
use crate::extract::{Json, JsonText, OrGuest, Session};

/// So many users cost as much as a request.
const USERS_OF_ONE_READ: usize = 50;

/// The body. How long other servers are waited for is of no matter while none is asked.
#[derive(Deserialize)]
pub struct Request {
    device_keys: Wanted,
}

/// `POST /_matrix/client/v3/keys/query` (client-server API, "Tracking the device list for a user"). For users and guests.
pub async fn query(
    State(keys): State<Keys>,
    State(budgets): State<Budgets>,
    session: OrGuest<Session>,
    Json(request): Json<Request>,
) -> Result<JsonText, ApiError> {
    let besides = u32::try_from(request.device_keys.len() / USERS_OF_ONE_READ).unwrap_or(u32::MAX);
    budgets.charge(session.user()?, Cost::Read(besides));
    let queried = keys.query(session.actor(), &request.device_keys).await?;
    Ok(JsonText(text(&queried)))
}

fn text(queried: &Queried) -> String {
    let mut out = TextWriter::new();
    out.object();
    failures(&mut out, &queried.elsewhere);
    out.key("device_keys");
    out.object();
    for (user, keys) in &queried.users {
        out.key(user.as_str());
        out.text(&keys.devices());
    }
    out.close();
    cross_signing(&mut out, "master_keys", queried, QueriedUser::master);
    cross_signing(&mut out, "self_signing_keys", queried, QueriedUser::self_signing);
    cross_signing(&mut out, "user_signing_keys", queried, QueriedUser::user_signing);
    out.finish()
}

fn cross_signing(
    out: &mut TextWriter,
    key: &str,
    queried: &Queried,
    of_user: impl Fn(&QueriedUser) -> Option<&str>,
) {
    out.key(key);
    out.object();
    for (user, keys) in &queried.users {
        if let Some(text) = of_user(keys) {
            out.key(user.as_str());
            out.text(text);
        }
    }
    out.close();
}
