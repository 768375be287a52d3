//! `POST /_matrix/client/v4/sync`.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use http::request::Parts;
use plop_ephemeral::PresenceState;
use plop_sync::Syncing;
use plop_sync::sliding::request::{Dialect, List, Presence, RoomConfig, SlidingRequest};
use plop_sync::sliding::required_state::{RequiredState, StatePattern};
use ruma::OwnedRoomId;
use serde::Deserialize;

use super::serving::Serving;
use super::wanted::{self, ExtensionsBody, FiltersBody, check, checked};
use crate::api::Api;
use crate::budgets::Budgets;
use crate::error::ApiError;
use crate::extract::{Json, Session};

/// The body.
#[derive(Deserialize)]
pub struct AcceptedBody {
    conn_id: Option<String>,
    pos: Option<String>,
    /// Milliseconds.
    #[serde(default)]
    timeout: u64,
    set_presence: Option<String>,
    #[serde(default)]
    lists: BTreeMap<String, ListBody>,
    #[serde(default)]
    room_subscriptions: BTreeMap<OwnedRoomId, ConfigBody>,
    #[serde(default)]
    extensions: ExtensionsBody,
}

#[derive(Deserialize)]
struct ListBody {
    range: Option<(u64, u64)>,
    #[serde(flatten)]
    config: ConfigBody,
    filters: Option<FiltersBody>,
}

#[derive(Deserialize)]
struct ConfigBody {
    required_state: RequiredStateBody,
    timeline_limit: u64,
}

#[derive(Deserialize)]
struct RequiredStateBody {
    #[serde(default)]
    include: Vec<ElementBody>,
    #[serde(default)]
    exclude: Vec<ElementBody>,
    #[serde(default)]
    lazy_members: bool,
}

#[derive(Deserialize)]
struct ElementBody {
    #[serde(rename = "type")]
    kind: Option<String>,
    state_key: Option<String>,
}

/// `POST /_matrix/client/v4/sync` (MSC4186). For users.
pub async fn accepted(
    State(api): State<Api>,
    State(sync): State<Syncing>,
    State(budgets): State<Budgets>,
    session: Session,
    head: Parts,
    Json(body): Json<AcceptedBody>,
) -> Result<Response, ApiError> {
    let request = read(body)?;
    Serving { api, sync, budgets, session, head }.answer(&request).await
}

fn read(body: AcceptedBody) -> Result<SlidingRequest, ApiError> {
    check(body.lists.keys().all(|name| is_opaque(name)), || {
        "the name of a list is no opaque identifier".to_owned()
    })?;
    let lists = body.lists.into_iter().map(|(name, list)| Ok((name, list.read()?)));
    let subscriptions = body.room_subscriptions.into_iter().map(|(id, config)| Ok((id, config.read()?)));
    checked(SlidingRequest {
        dialect: Dialect::Accepted,
        pos: body.pos,
        connection: body.conn_id.unwrap_or_default(),
        transaction: None,
        timeout: Duration::from_millis(body.timeout),
        set_presence: Presence(presence(body.set_presence.as_deref())?),
        lists: lists.collect::<Result<_, ApiError>>()?,
        subscriptions: subscriptions.collect::<Result<_, ApiError>>()?,
        extensions: body.extensions.read()?,
    })
}

fn presence(word: Option<&str>) -> Result<PresenceState, ApiError> {
    match word {
        None | Some("online") => Ok(PresenceState::Online),
        Some("unavailable") => Ok(PresenceState::Unavailable),
        Some("offline") => Ok(PresenceState::Offline),
        Some(_) => Err(ApiError::invalid_param("set_presence is none of online, unavailable, offline")),
    }
}

/// Appendices, "Opaque Identifiers".
fn is_opaque(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_allowed)
}

impl ListBody {
    fn read(self) -> Result<List, ApiError> {
        Ok(List {
            ranges: self.range.map(|range| wanted::ranges(vec![range])).transpose()?,
            config: self.config.read()?,
            filters: self.filters.unwrap_or_default().read(Dialect::Accepted)?,
        })
    }
}

impl ConfigBody {
    fn read(self) -> Result<RoomConfig, ApiError> {
        let RequiredStateBody { include, exclude, lazy_members } = self.required_state;
        let pattern = |ElementBody { kind, state_key: key }| StatePattern { kind, key };
        let patterns = |elements: Vec<ElementBody>| elements.into_iter().map(pattern).collect();
        let wish = RequiredState { include: patterns(include), exclude: patterns(exclude), lazy_members };
        wanted::config(self.timeline_limit, wish)
    }
}
