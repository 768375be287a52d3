//! `GET` and `POST /v3/login`.

use std::sync::Arc;

use axum::extract::State;
use plop_accounts::Accounts;
use plop_accounts::login::{LoginName, PasswordLogin};
use plop_accounts::sessions::{LoggedIn, NewDevice};
use ruma::OwnedDeviceId;
use ruma::api::client::session::get_login_types::v3::{
    LoginType, PasswordLoginType, Response as Flows, TokenLoginType,
};
use ruma::api::client::session::login::v3::{DiscoveryInfo, HomeserverInfo, Response};
use ruma::api::client::uiaa::UserIdentifier;
use ruma::api::error::ErrorKind;
use serde::Deserialize;

use crate::api::Settings;
use crate::error::ApiError;
use crate::extract::interactive::login_name;
use crate::extract::{ClientAddress, Json, Ruma};

/// The body of a login. ruma's type panics on one without a `type`.
#[derive(Deserialize)]
pub struct Login {
    #[serde(rename = "type")]
    kind: String,
    identifier: Option<UserIdentifier>,
    /// The identifier of older clients, as a name ...
    user: Option<String>,
    /// ... or as an address.
    address: Option<String>,
    password: Option<String>,
    token: Option<String>,
    device_id: Option<OwnedDeviceId>,
    initial_device_display_name: Option<String>,
    #[serde(default)]
    refresh_token: bool,
}

/// `GET /_matrix/client/v3/login` (client-server API, "Login"). For everyone.
pub async fn flows() -> Ruma<Flows> {
    let mut token = TokenLoginType::new();
    token.get_login_token = true;
    Ruma(Flows::new(vec![LoginType::Password(PasswordLoginType::new()), LoginType::Token(token)]))
}

/// `POST /_matrix/client/v3/login` (client-server API, "Login"). For everyone.
pub async fn login(
    State(accounts): State<Accounts>,
    State(settings): State<Arc<Settings>>,
    from: ClientAddress,
    Json(login): Json<Login>,
) -> Result<Ruma<Response>, ApiError> {
    let device = NewDevice {
        id: login.device_id,
        display_name: login.initial_device_display_name,
        refreshable: login.refresh_token,
    };
    let logged_in = match login.kind.as_str() {
        "m.login.password" => {
            let user = named(login.identifier, login.user, login.address)?;
            let password =
                login.password.ok_or_else(|| ApiError::missing_param("There is no `password`."))?;
            let login = PasswordLogin { user, password: password.into(), device, from: from.0 };
            accounts.login(login).await?
        }
        "m.login.token" => {
            let token = login.token.ok_or_else(|| ApiError::missing_param("There is no `token`."))?;
            accounts.login_with_token(&token, device).await?
        }
        _ => return Err(ApiError::bad_request(ErrorKind::Unknown, "This login type is not supported.")),
    };
    Ok(Ruma(response(logged_in, &settings)))
}

/// The types of identifiers (client-server API, "Identifier types").
const IDENTIFIERS: [&str; 3] = ["m.id.user", "m.id.thirdparty", "m.id.phone"];

/// Whom the client means. Telephone numbers are nobody's here.
fn named(
    identifier: Option<UserIdentifier>,
    user: Option<String>,
    address: Option<String>,
) -> Result<LoginName, ApiError> {
    let nobody = || ApiError::forbidden("Nobody here has this number.");
    match (identifier, user, address) {
        (Some(identifier), _, _) if !IDENTIFIERS.contains(&identifier.identifier_type()) => {
            Err(ApiError::bad_request(ErrorKind::Unknown, "This type of identifier is not supported."))
        }
        (Some(identifier), _, _) => login_name(identifier).ok_or_else(nobody),
        (None, Some(user), _) => Ok(LoginName::User(user)),
        (None, None, Some(_)) => Err(nobody()),
        (None, None, None) => Err(ApiError::missing_param("There is no `identifier`.")),
    }
}

fn response(logged_in: LoggedIn, settings: &Settings) -> Response {
    let LoggedIn { user, device, tokens } = logged_in;
    let mut response = Response::new(user, tokens.access, device);
    response.refresh_token = tokens.refresh;
    response.expires_in = tokens.expires_in;
    let url = settings.public_url.clone();
    response.well_known = url.map(|url| DiscoveryInfo::new(HomeserverInfo::new(url)));
    response
}
