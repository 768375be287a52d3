//! `GET /v3/keys/changes`.

use std::collections::BTreeSet;

use axum::extract::State;
use plop_sync::Syncing;
use ruma::OwnedUserId;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::extract::{Json, Query, Session};

/// The parameters. Where the span ends is a hint: what changed since is told, too.
#[derive(Deserialize)]
pub struct Parameters {
    from: String,
    #[serde(rename = "to")]
    _to: Option<String>,
}

/// The answer.
#[derive(Serialize)]
pub struct Changes {
    changed: BTreeSet<OwnedUserId>,
    left: BTreeSet<OwnedUserId>,
}

/// `GET /_matrix/client/v3/keys/changes` (client-server API, "Tracking the device list for a user"). For users.
pub async fn changes(
    State(sync): State<Syncing>,
    session: Session,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Changes>, ApiError> {
    let lists = sync.device_list_changes(session.actor(), &parameters.from).await?;
    Ok(Json(Changes { changed: lists.changed, left: lists.left }))
}
