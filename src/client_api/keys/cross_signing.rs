//! `POST /v3/keys/device_signing/upload`.

use axum::extract::State;
use plop_accounts::Accounts;
use plop_accounts::uia::UiaOperation;
use plop_e2ee::keys::{CrossSigningUpload, Keys, PublishError};
use plop_state::json::Object;
use ruma::api::client::keys::upload_signing_keys::v3::{Request, Response};
use ruma::encryption::CrossSigningKey;
use ruma::serde::Raw;

use crate::error::ApiError;
use crate::extract::content::object;
use crate::extract::{ClientAddress, Interactive, Ruma, Session};

/// `POST /_matrix/client/v3/keys/device_signing/upload` (client-server API, "Cross-signing"). For users; with interactive authentication where
/// keys are replaced.
pub async fn upload(
    State(keys): State<Keys>,
    State(accounts): State<Accounts>,
    session: Session,
    from: ClientAddress,
    request: Interactive<Request>,
) -> Result<Ruma<Response>, ApiError> {
    let body = &request.request;
    let upload = CrossSigningUpload {
        master: key(body.master_key.as_ref())?,
        self_signing: key(body.self_signing_key.as_ref())?,
        user_signing: key(body.user_signing_key.as_ref())?,
    };
    match keys.upload_cross_signing(session.actor(), &upload, None).await {
        Err(PublishError::NeedsConsent) => {
            let operation = UiaOperation::ReplaceCrossSigningKeys;
            let authorized = request.authorize_user(&accounts, session.actor(), operation, from).await?;
            keys.upload_cross_signing(session.actor(), &upload, Some(authorized)).await?;
        }
        outcome => outcome?,
    }
    Ok(Ruma(Response::new()))
}

fn key(raw: Option<&Raw<CrossSigningKey>>) -> Result<Option<Object>, ApiError> {
    Ok(raw.map(object).transpose()?)
}
