//! `POST /v3/keys/query`.

use std::collections::BTreeMap;

use axum::extract::State;
use plop_e2ee::keys::{Keys, Queried, Wanted};
use plop_state::json::TextWriter;
use ruma::OwnedUserId;
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
    for (user, devices) in &queried.devices {
        out.key(user.as_str());
        out.object();
        for (device, keys) in devices {
            out.key(device.as_str());
            out.text(keys);
        }
        out.close();
    }
    out.close();
    for (key, of_users) in [
        ("master_keys", &queried.master),
        ("self_signing_keys", &queried.self_signing),
        ("user_signing_keys", &queried.user_signing),
    ] {
        cross_signing(&mut out, key, of_users);
    }
    out.finish()
}

fn cross_signing(out: &mut TextWriter, key: &str, of_users: &BTreeMap<OwnedUserId, String>) {
    out.key(key);
    out.object();
    for (user, key) in of_users {
        out.key(user.as_str());
        out.text(key);
    }
    out.close();
}
