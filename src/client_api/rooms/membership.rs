//! Inviting, leaving, removing and banning (client-server API, "Room membership").

use axum::extract::State;
use plop_rooms::Rooms;
use plop_state::json::Object;
use ruma::api::client::membership::invite_user::v3::InvitationRecipient;
use ruma::api::client::membership::{
    ban_user, invite_user, joined_rooms as joined, kick_user, leave_room, unban_user,
};

use crate::error::ApiError;
use crate::extract::{ActiveSession, OrGuest, Ruma, Session};

/// `GET /_matrix/client/v3/joined_rooms` (client-server API, "Room membership"). Access token.
pub async fn joined_rooms(
    State(rooms): State<Rooms>,
    session: Session,
    _: Ruma<joined::v3::Request>,
) -> Result<Ruma<joined::v3::Response>, ApiError> {
    let rooms = rooms.joined_rooms(session.user()?).await?;
    Ok(Ruma(joined::v3::Response::new(rooms)))
}

/// `POST /_matrix/client/v3/rooms/{roomId}/invite` (client-server API, "Joining rooms"). Access token of an account that is not suspended.
pub async fn invite(
    State(rooms): State<Rooms>,
    session: ActiveSession,
    Ruma(request): Ruma<invite_user::v3::Request>,
) -> Result<Ruma<invite_user::v3::Response>, ApiError> {
    let InvitationRecipient::UserId(target) = request.recipient else {
        return Err(ApiError::third_party_invites());
    };
    rooms.invite(session.actor(), &request.room_id, &target.user_id, &reason(target.reason)).await?;
    Ok(Ruma(invite_user::v3::Response::new()))
}

/// `POST /_matrix/client/v3/rooms/{roomId}/leave` (client-server API, "Leaving rooms"). Access token, a guest's, too; a suspended account may leave.
pub async fn leave(
    State(rooms): State<Rooms>,
    session: OrGuest<Session>,
    Ruma(request): Ruma<leave_room::v3::Request>,
) -> Result<Ruma<leave_room::v3::Response>, ApiError> {
    rooms.leave(session.actor(), &request.room_id, &reason(request.reason)).await?;
    Ok(Ruma(leave_room::v3::Response::new()))
}

/// `POST /_matrix/client/v3/rooms/{roomId}/kick` (client-server API, "Leaving rooms"). Access token of an account that is not suspended.
pub async fn kick(
    State(rooms): State<Rooms>,
    session: ActiveSession,
    Ruma(request): Ruma<kick_user::v3::Request>,
) -> Result<Ruma<kick_user::v3::Response>, ApiError> {
    rooms.kick(session.actor(), &request.room_id, &request.user_id, &reason(request.reason)).await?;
    Ok(Ruma(kick_user::v3::Response::new()))
}

/// `POST /_matrix/client/v3/rooms/{roomId}/ban` (client-server API, "Banning users in a room"). Access token of an account that is not suspended.
pub async fn ban(
    State(rooms): State<Rooms>,
    session: ActiveSession,
    Ruma(request): Ruma<ban_user::v3::Request>,
) -> Result<Ruma<ban_user::v3::Response>, ApiError> {
    rooms.ban(session.actor(), &request.room_id, &request.user_id, &reason(request.reason)).await?;
    Ok(Ruma(ban_user::v3::Response::new()))
}

/// `POST /_matrix/client/v3/rooms/{roomId}/unban` (client-server API, "Banning users in a room"). Access token of an account that is not suspended.
pub async fn unban(
    State(rooms): State<Rooms>,
    session: ActiveSession,
    Ruma(request): Ruma<unban_user::v3::Request>,
) -> Result<Ruma<unban_user::v3::Response>, ApiError> {
    rooms.unban(session.actor(), &request.room_id, &request.user_id, &reason(request.reason)).await?;
    Ok(Ruma(unban_user::v3::Response::new()))
}

/// What the member event gets of a request.
fn reason(reason: Option<String>) -> Object {
    reason.into_iter().map(|reason| ("reason".to_owned(), reason.into())).collect()
}
