//! `POST /v3/keys/claim`.

use std::collections::BTreeMap;

use axum::extract::State;
use plop_e2ee::keys::{Claimed, Claims, Keys};
use plop_state::json::TextWriter;
use serde::Deserialize;

use super::elsewhere::failures;
use crate::budgets::{Budgets, Cost};
use crate::error::ApiError;
use crate::extract::{Json, JsonText, OrGuest, Session};

/// So many keys cost as much as a request.
const KEYS_OF_ONE_WRITE: usize = 50;

/// The body. How long other servers are waited for is of no matter while none is asked.
#[derive(Deserialize)]
pub struct Request {
    one_time_keys: Claims,
}

/// `POST /_matrix/client/v3/keys/claim` (client-server API, "One-time and fallback keys"). For users and guests.
pub async fn claim(
    State(keys): State<Keys>,
    State(budgets): State<Budgets>,
    session: OrGuest<Session>,
    Json(request): Json<Request>,
) -> Result<JsonText, ApiError> {
    let count: usize = request.one_time_keys.values().map(BTreeMap::len).sum();
    let besides = u32::try_from(count / KEYS_OF_ONE_WRITE).unwrap_or(u32::MAX);
    budgets.charge(session.user()?, Cost::Write(besides));
    let claimed = keys.claim(session.actor(), &request.one_time_keys).await?;
    Ok(JsonText(text(&claimed)))
}

fn text(claimed: &Claimed) -> String {
    let mut out = TextWriter::new();
    out.object();
    failures(&mut out, &claimed.elsewhere);
    out.key("one_time_keys");
    out.object();
    for (user, devices) in &claimed.keys {
        out.key(user.as_str());
        out.object();
        for (device, (name, key)) in devices {
            out.key(device.as_str());
            out.object();
            out.key(name);
            out.text(key);
            out.close();
        }
        out.close();
    }
    out.close();
    out.finish()
}
