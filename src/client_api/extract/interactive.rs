//! Interactive authentication at the edge (client-server API, "User-Interactive Authentication API").
//!
//! Owns: reading `auth` from a body, writing the challenge. Does not own: sessions, proofs, flows ([`plop_accounts::uia`]).
//!
//! Invariants: `auth` is read here and not by ruma's types, which take neither an empty one nor the forms of older clients.

use axum::extract::{FromRequest, Request};
use plop_accounts::Accounts;
use plop_accounts::login::LoginName;
use plop_accounts::terms::Policy;
use plop_accounts::uia::{
    Authorized, Challenge, Failure, Proof, Stage, Submission, UiaError, UiaOperation, UiaRequest,
};
use plop_base::Actor;
use ruma::api::IncomingRequest;
use ruma::api::client::uiaa::{AuthFlow, AuthType, UiaaInfo, UserIdentifier};
use ruma::api::error::{ErrorKind, StandardErrorBody};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::bodies::HasBodies;
use super::body::{Buffered, json_error};
use super::client_address::ClientAddress;
use crate::error::ApiError;

/// A request that has to be authorised interactively.
pub struct Interactive<R> {
    pub request: R,
    /// What the proofs are bound to: everything but `auth`.
    body: Map<String, Value>,
    auth: Submission,
}

impl<S: HasBodies, R: IncomingRequest> FromRequest<S> for Interactive<R> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let buffered = Buffered::read(request, state).await?;
        let mut body = buffered.object()?;
        let auth = body.remove("auth").unwrap_or_default();
        let auth: Option<Auth> = serde_json::from_value(auth).map_err(|error| json_error(&error))?;
        let auth = auth.map(Auth::submission).transpose()?.unwrap_or_default();
        let rest = serde_json::to_vec(&body).map_err(ApiError::internal)?;
        Ok(Self { request: buffered.parse_with(&rest)?, body, auth })
    }
}

impl<R> Interactive<R> {
    /// Authorises a request of `actor`, nobody for a registration.
    ///
    /// # Errors
    /// [`ApiError::Challenge`] while something is still to be proven.
    pub async fn authorize(
        &self,
        accounts: &Accounts,
        actor: Option<&Actor>,
        operation: UiaOperation,
        flows: &[Vec<Stage>],
        from: ClientAddress,
    ) -> Result<Authorized, ApiError> {
        let request = UiaRequest { actor, operation, body: &self.body, flows, from: from.0 };
        accounts.authorize(&request, Some(self.auth.clone())).await.map_err(|error| match error {
            UiaError::Challenge(challenge) => ApiError::Challenge(Box::new(info(*challenge))),
            error @ UiaError::OtherUser => ApiError::forbidden(error),
            UiaError::Limited(limited) => limited.into(),
            UiaError::Busy(busy) => busy.into(),
            UiaError::Store(error) => error.into(),
        })
    }

    /// Whether this repeats a request that its session is bound to already.
    pub fn is_repetition(
        &self,
        accounts: &Accounts,
        operation: UiaOperation,
        flows: &[Vec<Stage>],
        from: ClientAddress,
    ) -> bool {
        let request = UiaRequest { actor: None, operation, body: &self.body, flows, from: from.0 };
        self.auth.session.as_ref().is_some_and(|session| accounts.is_repetition(&request, session))
    }

    /// Authorises a request of a user, who has a password to prove.
    pub async fn authorize_user(
        &self,
        accounts: &Accounts,
        actor: &Actor,
        operation: UiaOperation,
        from: ClientAddress,
    ) -> Result<Authorized, ApiError> {
        let flows = [vec![Stage::Password]];
        self.authorize(accounts, Some(actor), operation, &flows, from).await
    }
}

/// The `auth` of a body, whatever its type.
#[derive(Deserialize)]
struct Auth {
    /// None asks how things stand.
    #[serde(rename = "type")]
    kind: Option<String>,
    session: Option<String>,
    identifier: Option<UserIdentifier>,
    /// The identifier of older clients.
    user: Option<String>,
    password: Option<String>,
    token: Option<String>,
    threepid_creds: Option<ThreepidCreds>,
}

/// What proves an address. Identity servers that it names are not asked.
#[derive(Deserialize)]
struct ThreepidCreds {
    sid: String,
    client_secret: String,
}

impl Auth {
    fn submission(self) -> Result<Submission, ApiError> {
        let missing = |key: &str| ApiError::missing_param(format!("`auth` has no `{key}`."));
        let proof = match self.kind.as_deref() {
            None => None,
            Some("m.login.dummy") => Some(Proof::Dummy),
            Some("m.login.password") => {
                let password = self.password.ok_or_else(|| missing("password"))?.into();
                let user = match self.identifier {
                    // The empty name is nobody's.
                    Some(identifier) => login_name(identifier).unwrap_or_else(|| "".into()),
                    None => LoginName::User(self.user.ok_or_else(|| missing("identifier"))?),
                };
                Some(Proof::Password { user, password })
            }
            Some("m.login.registration_token") => {
                Some(Proof::RegistrationToken(self.token.ok_or_else(|| missing("token"))?))
            }
            Some("m.login.terms") => Some(Proof::Terms),
            Some("m.login.email.identity") => {
                let ThreepidCreds { sid, client_secret } =
                    self.threepid_creds.ok_or_else(|| missing("threepid_creds"))?;
                Some(Proof::EmailIdentity { sid, client_secret })
            }
            Some(_) => Some(Proof::Unknown),
        };
        Ok(Submission { session: self.session, proof })
    }
}

/// Whom an identifier names; `None` for telephone numbers and kinds that are not known, which nobody here has.
pub fn login_name(identifier: UserIdentifier) -> Option<LoginName> {
    match identifier {
        UserIdentifier::Matrix(matrix) => Some(LoginName::User(matrix.user)),
        UserIdentifier::Email(email) => Some(LoginName::Email(email.address)),
        _ => None,
    }
}

fn info(challenge: Challenge) -> UiaaInfo {
    let types = |stages: Vec<Stage>| stages.into_iter().map(|stage| AuthType::from(stage.as_str())).collect();
    let mut info =
        UiaaInfo::new(challenge.flows.into_iter().map(|flow| AuthFlow::new(types(flow))).collect());
    info.completed = types(challenge.completed);
    info.session = Some(challenge.session);
    // "params" is required, also where no stage has any.
    info.params = serde_json::value::to_raw_value(&params(&challenge.policies)).ok();
    info.auth_error = challenge.failure.map(|failure| Box::new(failed(failure)));
    info
}

/// What stages tell the client (client-server API, "Terms of service at registration").
fn params(policies: &[Policy]) -> Value {
    if policies.is_empty() {
        return json!({});
    }
    let policy = |policy: &Policy| {
        let texts = policy.translations.iter();
        let mut shown: Map<String, Value> = texts
            .map(|(language, text)| (language.clone(), json!({ "name": text.name, "url": text.url })))
            .collect();
        shown.insert("version".to_owned(), policy.version.clone().into());
        (policy.id.clone(), Value::Object(shown))
    };
    let policies: Map<String, Value> = policies.iter().map(policy).collect();
    json!({ "m.login.terms": { "policies": policies } })
}

fn failed(failure: Failure) -> StandardErrorBody {
    let (kind, message) = match failure {
        Failure::WrongCredentials => (ErrorKind::Forbidden, "Wrong user name or password."),
        Failure::InvalidRegistrationToken => {
            (ErrorKind::Unauthorized, "The registration token is not valid.")
        }
        Failure::EmailNotValidated => (ErrorKind::Unauthorized, "The e-mail address was not confirmed."),
        Failure::UnexpectedStage => (ErrorKind::Unrecognized, "No flow has this stage."),
        Failure::UnknownSession => {
            (ErrorKind::Unknown, "The session is not there, or belongs to another request.")
        }
    };
    StandardErrorBody::new(kind, message.to_owned())
}
