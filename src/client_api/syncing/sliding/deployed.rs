//! `POST /_matrix/client/unstable/org.matrix.simplified_msc3575/sync`.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use http::request::Parts;
use plop_sync::Syncing;
use plop_sync::sliding::request::{Dialect, List, Presence, RoomConfig, SlidingRequest};
use plop_sync::sliding::required_state::{MEMBER, RequiredState, StatePattern};
use ruma::{OwnedRoomId, UserId};
use serde::Deserialize;

use super::serving::Serving;
use super::wanted::{self, ExtensionsBody, FiltersBody, checked};
use crate::api::Api;
use crate::budgets::Budgets;
use crate::error::ApiError;
use crate::extract::{Json, Session};
use crate::syncing::sync::Shown;

/// The parameters.
#[derive(Deserialize)]
pub struct Parameters {
    pos: Option<String>,
    /// Milliseconds.
    #[serde(default)]
    timeout: u64,
    #[serde(default)]
    set_presence: Shown,
}

/// The body.
#[derive(Deserialize)]
pub struct DeployedBody {
    conn_id: Option<String>,
    txn_id: Option<String>,
    #[serde(default)]
    lists: BTreeMap<String, ListBody>,
    #[serde(default)]
    room_subscriptions: BTreeMap<OwnedRoomId, ConfigBody>,
    #[serde(default)]
    extensions: ExtensionsBody,
}

#[derive(Deserialize)]
struct ListBody {
    ranges: Option<Vec<(u64, u64)>>,
    #[serde(flatten)]
    config: ConfigBody,
    filters: Option<FiltersBody>,
}

#[derive(Deserialize)]
struct ConfigBody {
    #[serde(default)]
    required_state: Vec<(String, String)>,
    timeline_limit: u64,
    include_heroes: Option<bool>,
}

/// `POST /_matrix/client/unstable/org.matrix.simplified_msc3575/sync` (MSC4186 as clients have it in use). For users.
pub async fn deployed(
    State(api): State<Api>,
    State(sync): State<Syncing>,
    State(budgets): State<Budgets>,
    session: Session,
    parameters: Result<Query<Parameters>, QueryRejection>,
    head: Parts,
    Json(body): Json<DeployedBody>,
) -> Result<Response, ApiError> {
    let Query(parameters) = parameters.map_err(|error| ApiError::invalid_param(error.body_text()))?;
    let request = read(parameters, body, session.user()?)?;
    Serving { api, sync, budgets, session, head }.answer(&request).await
}

fn read(parameters: Parameters, body: DeployedBody, user: &UserId) -> Result<SlidingRequest, ApiError> {
    let lists = body.lists.into_iter().map(|(name, list)| Ok((name, list.read(user)?)));
    let subscriptions = body.room_subscriptions.into_iter().map(|(id, config)| Ok((id, config.read(user)?)));
    checked(SlidingRequest {
        dialect: Dialect::Deployed,
        pos: parameters.pos,
        connection: body.conn_id.unwrap_or_default(),
        transaction: body.txn_id,
        timeout: Duration::from_millis(parameters.timeout),
        set_presence: Presence(parameters.set_presence.into()),
        lists: lists.collect::<Result<_, ApiError>>()?,
        subscriptions: subscriptions.collect::<Result<_, ApiError>>()?,
        extensions: body.extensions.read()?,
    })
}

impl ListBody {
    fn read(self, user: &UserId) -> Result<List, ApiError> {
        Ok(List {
            ranges: self.ranges.map(wanted::ranges).transpose()?,
            config: self.config.read(user)?,
            filters: self.filters.unwrap_or_default().read(Dialect::Deployed)?,
        })
    }
}

impl ConfigBody {
    fn read(self, user: &UserId) -> Result<RoomConfig, ApiError> {
        let mut wish = RequiredState { include: Vec::new(), exclude: Vec::new(), lazy_members: false };
        for (kind, key) in self.required_state {
            match key.as_str() {
                "$LAZY" if kind == MEMBER => wish.lazy_members = true,
                "$ME" => wish.include.push(pattern(&kind, user.as_str())),
                key => wish.include.push(pattern(&kind, key)),
            }
        }
        let config = wanted::config(self.timeline_limit, wish)?;
        Ok(RoomConfig { heroes: self.include_heroes.unwrap_or(true), ..config })
    }
}

/// `*` is anything.
fn pattern(kind: &str, key: &str) -> StatePattern {
    let word = |word: &str| (word != "*").then(|| word.to_owned());
    StatePattern { kind: word(kind), key: word(key) }
}
