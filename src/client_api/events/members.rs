//! Who is in a room: `/rooms/{roomId}/members`, `/rooms/{roomId}/joined_members`.

use axum::extract::State;
use axum::response::Response;
use plop_rooms::Rooms;
use plop_rooms::reader::members::MemberFilter;
use plop_rooms::schema::Membership;
use ruma::api::client::membership::{get_member_events, joined_members as joined};
use ruma::events::room::member::MembershipState;

use super::places::place;
use crate::answer::{Listed, RoomList};
use crate::error::ApiError;
use crate::extract::{OrGuest, Ruma, Session};

/// `GET /_matrix/client/v3/rooms/{roomId}/members` (client-server API, "Getting events for a room"). Access token, a guest's, too.
pub async fn members(
    State(rooms): State<Rooms>,
    session: OrGuest<Session>,
    Ruma(request): Ruma<get_member_events::v3::Request>,
) -> Result<Response, ApiError> {
    let filter = MemberFilter {
        membership: request.membership.as_ref().map(membership).transpose()?,
        not_membership: request.not_membership.as_ref().map(membership).transpose()?,
    };
    let mut reader = rooms.reader(session.actor(), &request.room_id).await?;
    let at = place(&rooms, &reader, request.at.as_deref()).await?;
    let pages = Listed::Members(reader.members(at, filter).await?);
    RoomList::of(&rooms, &reader, session.actor(), pages).answer().await
}

/// `GET /_matrix/client/v3/rooms/{roomId}/joined_members` (client-server API, "Getting events for a room"). Access token.
pub async fn joined_members(
    State(rooms): State<Rooms>,
    session: Session,
    Ruma(request): Ruma<joined::v3::Request>,
) -> Result<Response, ApiError> {
    let reader = rooms.reader(session.actor(), &request.room_id).await?;
    let pages = Listed::Joined(reader.joined_members()?);
    RoomList::of(&rooms, &reader, session.actor(), pages).answer().await
}

fn membership(word: &MembershipState) -> Result<Membership, ApiError> {
    match word {
        MembershipState::Join => Ok(Membership::Join),
        MembershipState::Invite => Ok(Membership::Invite),
        MembershipState::Knock => Ok(Membership::Knock),
        MembershipState::Leave => Ok(Membership::Leave),
        MembershipState::Ban => Ok(Membership::Ban),
        other => Err(ApiError::invalid_param(format_args!("There is no membership `{other}`."))),
    }
}
