//! One user's presence.

use std::sync::Arc;

use axum::extract::State;
use plop_base::Clock;
use plop_ephemeral::{Presence, PresenceState};
use plop_rooms::Rooms;
use ruma::api::client::presence::{get_presence, set_presence};
use ruma::presence::PresenceState as Wire;

use crate::error::ApiError;
use crate::extract::{ActiveSession, Ruma, Session};

/// `GET /_matrix/client/v3/presence/{userId}/status` (client-server API, "Presence"). For the user and those who share a room. One who was never
/// seen is offline.
pub async fn get(
    State(presence): State<Arc<Presence>>,
    State(rooms): State<Rooms>,
    State(clock): State<Clock>,
    session: Session,
    Ruma(request): Ruma<get_presence::v3::Request>,
) -> Result<Ruma<get_presence::v3::Response>, ApiError> {
    let asks = session.user()?;
    if asks != request.user_id && !rooms.share_a_room(asks, &request.user_id).await? {
        return Err(ApiError::forbidden("You do not share a room with this user."));
    }
    let Some(seen) = presence.get(&request.user_id).await? else {
        return Ok(Ruma(get_presence::v3::Response::new(Wire::Offline)));
    };
    let mut response = get_presence::v3::Response::new(wire(seen.state));
    response.status_msg = seen.status_msg;
    response.currently_active = Some(seen.currently_active);
    response.last_active_ago = Some(clock.now().since(seen.last_active));
    Ok(Ruma(response))
}

/// `PUT /_matrix/client/v3/presence/{userId}/status` (client-server API, "Presence"). For the active user: a status message is seen by others, as
/// a profile is.
pub async fn set(
    State(presence): State<Arc<Presence>>,
    session: ActiveSession,
    Ruma(request): Ruma<set_presence::v3::Request>,
) -> Result<Ruma<set_presence::v3::Response>, ApiError> {
    let state = match request.presence {
        Wire::Online => PresenceState::Online,
        Wire::Unavailable => PresenceState::Unavailable,
        Wire::Offline => PresenceState::Offline,
        _ => return Err(ApiError::invalid_param("There is no such presence.")),
    };
    presence.set(session.actor(), &request.user_id, state, request.status_msg)?;
    Ok(Ruma(set_presence::v3::Response::new()))
}

fn wire(state: PresenceState) -> Wire {
    match state {
        PresenceState::Online => Wire::Online,
        PresenceState::Unavailable => Wire::Unavailable,
        PresenceState::Offline => Wire::Offline,
    }
}
