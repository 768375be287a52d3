//! `POST /_matrix/client/v3/createRoom`.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use plop_rooms::Rooms;
use plop_rooms::ops::create::{CreateRoom, InitialState, Preset};
use plop_state::json::{Object, Value};
use ruma::api::client::room::Visibility;
use ruma::api::client::room::create_room::v3::{Request, Response, RoomPreset};
use ruma::api::error::ErrorKind;
use ruma::serde::Raw;

use crate::api::Settings;
use crate::budgets::{Budgets, Cost};
use crate::error::ApiError;
use crate::extract::content::object;
use crate::extract::{ActiveSession, Ruma};

/// `POST /_matrix/client/v3/createRoom` (client-server API, "Creation"). Access token of an account that is not suspended.
pub async fn create(
    State(rooms): State<Rooms>,
    State(settings): State<Arc<Settings>>,
    State(budgets): State<Budgets>,
    session: ActiveSession,
    Ruma(request): Ruma<Request>,
) -> Result<Ruma<Response>, ApiError> {
    let room = read(request, &settings)?;
    budgets.charge(session.user()?, Cost::Write(u32::try_from(room.invite.len()).unwrap_or(u32::MAX)));
    let id = rooms.create(session.actor(), &room).await?;
    Ok(Ruma(Response::new(id)))
}

fn read(request: Request, settings: &Settings) -> Result<CreateRoom, ApiError> {
    if !request.invite_3pid.is_empty() {
        return Err(ApiError::third_party_invites());
    }
    let published = is_public(&request.visibility)?;
    let preset = match request.preset {
        None if published => Preset::PublicChat,
        None | Some(RoomPreset::PrivateChat) => Preset::PrivateChat,
        Some(RoomPreset::PublicChat) => Preset::PublicChat,
        Some(RoomPreset::TrustedPrivateChat) => Preset::TrustedPrivateChat,
        Some(other) => return Err(ApiError::invalid_param(format_args!("There is no preset `{other}`."))),
    };
    // Clients may name someone twice.
    let invite: BTreeSet<_> = request.invite.into_iter().collect();
    Ok(CreateRoom {
        version: request.room_version.unwrap_or_else(|| settings.default_room_version.clone()),
        preset,
        published,
        alias: request.room_alias_name,
        name: request.name,
        topic: request.topic,
        invite: invite.into_iter().collect(),
        is_direct: request.is_direct,
        creation_content: optional_object(request.creation_content.as_ref())?,
        initial_state: request.initial_state.iter().map(initial_state).collect::<Result<_, _>>()?,
        power_levels_override: optional_object(request.power_level_content_override.as_ref())?,
    })
}

/// Whether a room is to be listed.
pub fn is_public(visibility: &Visibility) -> Result<bool, ApiError> {
    match visibility {
        Visibility::Public => Ok(true),
        Visibility::Private => Ok(false),
        other => Err(ApiError::invalid_param(format_args!("There is no visibility `{other}`."))),
    }
}

fn optional_object<T>(raw: Option<&Raw<T>>) -> Result<Object, ApiError> {
    Ok(raw.map(object).transpose()?.unwrap_or_default())
}

fn initial_state<T>(raw: &Raw<T>) -> Result<InitialState, ApiError> {
    let mut event = object(raw)?;
    let state_key = event.remove("state_key").unwrap_or_else(|| "".into());
    match (event.remove("type"), state_key, event.remove("content")) {
        (Some(Value::String(kind)), Value::String(state_key), Some(Value::Object(content))) => {
            Ok(InitialState { kind, state_key, content })
        }
        _ => {
            Err(ApiError::bad_request(ErrorKind::BadJson, "`initial_state` has something that is no event."))
        }
    }
}
