//! `POST /_matrix/client/v3/user_directory/search`.

use axum::extract::State;
use plop_directory::{Answer, Directory, Found};
use ruma::OwnedUserId;
use ruma::api::client::user_directory::search_users::v3::Request;
use serde::Serialize;

use crate::error::ApiError;
use crate::extract::{Json, Ruma, Session};

/// The answer. Unlike in ruma's, a picture is what the profile says, be it a valid URI or not.
#[derive(Serialize)]
pub struct Users {
    results: Vec<User>,
    limited: bool,
}

#[derive(Serialize)]
struct User {
    user_id: OwnedUserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avatar_url: Option<String>,
}

/// `POST /_matrix/client/v3/user_directory/search` (client-server API, "User Directory"). Access token.
pub async fn search(
    State(directory): State<Directory>,
    session: Session,
    Ruma(request): Ruma<Request>,
) -> Result<Json<Users>, ApiError> {
    // What does not fit is cut to what an answer has anyway.
    let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
    let found = directory.search(session.user()?, &request.search_term, limit).await?;
    Ok(Json(found.into()))
}

impl From<Answer> for Users {
    fn from(answer: Answer) -> Self {
        Self { results: answer.users.into_iter().map(User::from).collect(), limited: answer.limited }
    }
}

impl From<Found> for User {
    fn from(Found { user, display_name, avatar_url }: Found) -> Self {
        Self { user_id: user, display_name, avatar_url }
    }
}
