//! `POST /user/{userId}/openid/request_token`.

use axum::extract::State;
use plop_accounts::Accounts;
use plop_rooms::Rooms;
use ruma::api::client::account::request_openid_token::v3::{Request, Response};
use ruma::authentication::TokenType;

use crate::error::ApiError;
use crate::extract::{Ruma, Session};

/// `POST /_matrix/client/v3/user/{userId}/openid/request_token` (client-server API, "OpenID"). For the user.
pub async fn request_token(
    State(accounts): State<Accounts>,
    State(rooms): State<Rooms>,
    session: Session,
    Ruma(request): Ruma<Request>,
) -> Result<Ruma<Response>, ApiError> {
    let made = accounts.make_openid_token(session.actor(), &request.user_id).await?;
    let server = rooms.server().to_owned();
    Ok(Ruma(Response::new(made.token, TokenType::Bearer, server, made.expires_in)))
}
