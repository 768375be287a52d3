//! `POST /v3/account/password`.

use axum::extract::{FromRef, FromRequestParts, State};
use http::request::Parts;
use plop_accounts::Accounts;
use plop_accounts::uia::{Stage, UiaOperation};
use ruma::api::client::account::change_password::v3::{Request, Response};

use crate::budgets::Budgets;
use crate::error::ApiError;
use crate::extract::{ClientAddress, Interactive, OptionalSession, Ruma, Session};

/// Who sets a password.
pub enum Whoever {
    /// Who knows the old one.
    User(Session),
    /// Who has lost it, and has an e-mail address of the account. Without mails there is nobody of this kind.
    Mailbox,
}

/// `POST /_matrix/client/v3/account/password` (client-server API, "Password management"). With interactive authentication: for users, who prove the old
/// password, and for who has no session and proves an e-mail address.
pub async fn change(
    State(accounts): State<Accounts>,
    who: Whoever,
    from: ClientAddress,
    request: Interactive<Request>,
) -> Result<Ruma<Response>, ApiError> {
    match who {
        Whoever::User(session) => {
            let operation = UiaOperation::ChangePassword;
            let authorized = request.authorize_user(&accounts, session.actor(), operation, from).await?;
            let Request { new_password, logout_devices, .. } = request.request;
            accounts
                .change_password(session.actor(), authorized, new_password.into(), logout_devices)
                .await?;
        }
        Whoever::Mailbox => {
            let flows = [vec![Stage::EmailIdentity]];
            let operation = UiaOperation::ResetPassword;
            let authorized = request.authorize(&accounts, None, operation, &flows, from).await?;
            let Request { new_password, logout_devices, .. } = request.request;
            accounts.reset_password(authorized, new_password.into(), logout_devices).await?;
        }
    }
    Ok(Ruma(Response::new()))
}

impl<S: Sync> FromRequestParts<S> for Whoever
where
    Accounts: FromRef<S>,
    Budgets: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        if !Accounts::from_ref(state).sends_mails() {
            return Session::from_request_parts(parts, state).await.map(Self::User);
        }
        let session = OptionalSession::from_request_parts(parts, state).await?;
        Ok(session.into_session().map_or(Self::Mailbox, Self::User))
    }
}
