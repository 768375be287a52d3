//! Interactive authentication (client-server API, "User-Interactive Authentication API").
//!
//! Owns: the sessions, proving stages, deciding when a request is authorised. Does not own: which flows an operation asks for (its caller
//! says), what happens then.
//!
//! Invariants: a session authorises one request, of the user, device, operation and body that its proofs came with
//! ([`crate::uia_session`]); a stage that is proven again changes nothing; sessions end after a quarter of an hour and their number is
//! bounded. A session that is not there, or not for this request, looks the same to the client: it gets a new one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use plop_base::Actor;
use ruma::{OwnedUserId, UserId};
use serde_json::{Map, Value};

use crate::accounts::{Accounts, lock};
use crate::attempts::Limited;
use crate::authority::Forbidden;
use crate::error::StoreError;
use crate::login::{LoginError, LoginName};
use crate::passwords::{Busy, Password};
use crate::secrets::make_secret;
use crate::terms::Policy;
use crate::uia_session::{Binding, Held, UiaSession};
pub use crate::uia_session::{Stage, UiaOperation};

/// A request that needs authorisation.
#[derive(Debug)]
pub struct UiaRequest<'a> {
    /// Who asks; `None` for a registration.
    pub actor: Option<&'a Actor>,
    pub operation: UiaOperation,
    /// The body; its `auth` is not looked at.
    pub body: &'a Map<String, Value>,
    /// The flows of which one must be completed.
    pub flows: &'a [Vec<Stage>],
    pub from: IpAddr,
}

/// The request's `auth`.
#[derive(Clone, Debug, Default)]
pub struct Submission {
    pub session: Option<String>,
    /// `None` asks whether the stages are completed by now.
    pub proof: Option<Proof>,
}

/// What a client offers for a stage.
#[derive(Clone, Debug)]
pub enum Proof {
    Dummy,
    Password {
        user: LoginName,
        password: Password,
    },
    RegistrationToken(String),
    /// All documents are accepted.
    Terms,
    /// The link of a mail was followed.
    EmailIdentity {
        sid: String,
        client_secret: String,
    },
    /// An authentication type that this server does not have.
    Unknown,
}

impl Proof {
    fn stage(&self) -> Option<Stage> {
        match self {
            Self::Dummy => Some(Stage::Dummy),
            Self::Password { .. } => Some(Stage::Password),
            Self::RegistrationToken(_) => Some(Stage::RegistrationToken),
            Self::Terms => Some(Stage::Terms),
            Self::EmailIdentity { .. } => Some(Stage::EmailIdentity),
            Self::Unknown => None,
        }
    }
}

/// A request that may be carried out, once. What changes credentials asks for it, so that no entrance forgets to.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Authorized {
    /// Who has asked; `None` for one who has no account yet, or no session.
    pub(crate) user: Option<OwnedUserId>,
    pub(crate) operation: UiaOperation,
    pub(crate) completed: BTreeSet<Stage>,
    pub(crate) held: Held,
}

impl Authorized {
    /// Whether it authorises an operation of this user.
    ///
    /// # Errors
    /// `Forbidden`: it was given for something else, or to somebody else.
    pub fn check(&self, user: &UserId, operation: &UiaOperation) -> Result<(), Forbidden> {
        let serves = self.user.as_deref() == Some(user) && self.operation == *operation;
        if serves { Ok(()) } else { Err(Forbidden) }
    }
}

/// What the client has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub session: String,
    pub flows: Vec<Vec<Stage>>,
    pub completed: Vec<Stage>,
    /// The documents to accept, where a flow has that stage.
    pub policies: Vec<Policy>,
    /// Why the last proof was not accepted.
    pub failure: Option<Failure>,
}

/// Why a proof was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Wrong password, or that of another user.
    WrongCredentials,
    InvalidRegistrationToken,
    /// The link of the mail was not followed, or the session is for something else.
    EmailNotValidated,
    /// No flow has this stage.
    UnexpectedStage,
    /// Not there, or for another request: the challenge names a new one.
    UnknownSession,
}

/// Why a request is not authorised.
#[derive(Debug, thiserror::Error)]
pub enum UiaError {
    #[error("interactive authentication is not complete")]
    Challenge(Box<Challenge>),
    /// The proof names another user than the one who asks: no password would help.
    #[error("this is for the user of the session only")]
    OtherUser,
    #[error(transparent)]
    Limited(#[from] Limited),
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a stage is proven for.
pub(crate) struct Proving<'a> {
    pub binding: &'a Binding,
    /// `None` on a page that stands in for the client: it has no body to bind the session to.
    pub body: Option<&'a [u8; 32]>,
    pub flows: &'a [Vec<Stage>],
    pub from: IpAddr,
}

/// Why a proof proves nothing.
pub(crate) enum NotProven {
    Failure(Failure),
    Error(UiaError),
}

impl From<Failure> for NotProven {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl<E: Into<UiaError>> From<E> for NotProven {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl Accounts {
    /// Authorises a request, or says what is missing.
    pub async fn authorize(
        &self,
        request: &UiaRequest<'_>,
        auth: Option<Submission>,
    ) -> Result<Authorized, UiaError> {
        let binding = binding(request);
        let body = body_hash(request.body);
        let Submission { session, proof } = auth.unwrap_or_default();
        let id = match session {
            None => self.new_session(&binding, request.flows),
            Some(id) if self.session_serves(&id, &binding, &body) => id,
            Some(_) => {
                let id = self.new_session(&binding, request.flows);
                return Err(self.challenge(id, request, Some(Failure::UnknownSession)));
            }
        };
        if let Some(proof) = proof {
            let proving =
                Proving { binding: &binding, body: Some(&body), flows: request.flows, from: request.from };
            match self.prove(&id, &proving, proof).await {
                Ok(()) => {}
                Err(NotProven::Failure(failure)) => return Err(self.challenge(id, request, Some(failure))),
                Err(NotProven::Error(error)) => return Err(error),
            }
        }
        match self.take_if_complete(&id, &binding, &body, request.flows) {
            Some(session) => Ok(Authorized {
                user: session.binding.user,
                operation: session.binding.operation,
                completed: session.completed,
                held: session.held,
            }),
            None => Err(self.challenge(id, request, None)),
        }
    }

    fn new_session(&self, binding: &Binding, flows: &[Vec<Stage>]) -> String {
        let parts = self.parts();
        let id = make_secret(&parts.random);
        lock(&parts.uia).insert(
            parts.clock.monotonic(),
            &id,
            UiaSession::new(binding.clone(), flows.to_vec()),
        );
        id
    }

    fn session_serves(&self, id: &str, binding: &Binding, body: &[u8; 32]) -> bool {
        let parts = self.parts();
        let mut sessions = lock(&parts.uia);
        sessions.get(parts.clock.monotonic(), id).is_some_and(|session| session.serves(binding, Some(body)))
    }

    /// Takes the session out if it is complete, so that of two requests one is authorised.
    fn take_if_complete(
        &self,
        id: &str,
        binding: &Binding,
        body: &[u8; 32],
        flows: &[Vec<Stage>],
    ) -> Option<UiaSession> {
        let parts = self.parts();
        let now = parts.clock.monotonic();
        let mut sessions = lock(&parts.uia);
        let session = sessions.get(now, id)?;
        if !session.serves(binding, Some(body)) || !session.completes(flows) {
            return None;
        }
        sessions.take(now, id)
    }

    fn challenge(&self, id: String, request: &UiaRequest<'_>, failure: Option<Failure>) -> UiaError {
        let parts = self.parts();
        let found = lock(&parts.uia)
            .get(parts.clock.monotonic(), &id)
            .map(|session| session.completed.iter().copied().collect());
        let asks_for_terms = request.flows.iter().flatten().any(|stage| *stage == Stage::Terms);
        UiaError::Challenge(Box::new(Challenge {
            session: id,
            flows: request.flows.to_vec(),
            completed: found.unwrap_or_default(),
            policies: if asks_for_terms { parts.parameters.terms.clone() } else { Vec::new() },
            failure,
        }))
    }

    /// Proves a stage and notes it in the session.
    pub(crate) async fn prove(&self, id: &str, proving: &Proving<'_>, proof: Proof) -> Result<(), NotProven> {
        let (parts, binding) = (self.parts(), proving.binding);
        let expected = |stage: &Stage| proving.flows.iter().any(|flow| flow.contains(stage));
        let stage = proof.stage().filter(expected).ok_or(Failure::UnexpectedStage)?;
        if self.has_completed(id, stage) {
            return Ok(());
        }
        let held = match proof {
            Proof::Dummy | Proof::Terms | Proof::Unknown => Held::default(),
            Proof::Password { user, password } => {
                let named = self.named_user(&self.snapshot(), &user).await.map_err(StoreError::from)?;
                if matches!(user, LoginName::User(_)) && binding.user.is_some() && named != binding.user {
                    return Err(UiaError::OtherUser.into());
                }
                if binding.user.is_none() || named != binding.user {
                    return Err(Failure::WrongCredentials.into());
                }
                match self.prove_password(&user, password, proving.from).await {
                    Ok(_) => Held::default(),
                    Err(error) => return Err(login_failure(error)),
                }
            }
            Proof::RegistrationToken(token) => {
                self.count_registration(proving.from)?;
                // Held until the session holds its use.
                let _guard = parts.token_guards.lock(&token).await;
                if !self.registration_token_has_use(&token).await? {
                    return Err(Failure::InvalidRegistrationToken.into());
                }
                let held = Held { registration_token: Some(token), ..Held::default() };
                return self.complete(id, proving, (stage, held));
            }
            Proof::EmailIdentity { sid, client_secret } => {
                let purpose = binding.operation.email_purpose().ok_or(Failure::UnexpectedStage)?;
                let Ok(address) = self.validated(purpose, &sid, &client_secret) else {
                    self.bind_body(id, proving);
                    return Err(Failure::EmailNotValidated.into());
                };
                Held { address: Some(address), ..Held::default() }
            }
        };
        self.complete(id, proving, (stage, held))
    }

    fn has_completed(&self, id: &str, stage: Stage) -> bool {
        let parts = self.parts();
        let mut sessions = lock(&parts.uia);
        sessions.get(parts.clock.monotonic(), id).is_some_and(|session| session.completed.contains(&stage))
    }

    fn complete(
        &self,
        id: &str,
        proving: &Proving<'_>,
        (stage, held): (Stage, Held),
    ) -> Result<(), NotProven> {
        let parts = self.parts();
        let mut sessions = lock(&parts.uia);
        let found = sessions.get(parts.clock.monotonic(), id);
        // It may have ended, been used, or been bound to another body meanwhile.
        let served = found.filter(|session| session.serves(proving.binding, proving.body));
        let session = served.ok_or(Failure::UnknownSession)?;
        session.body = proving.body.copied().or(session.body);
        session.completed.insert(stage);
        session.held.and(held);
        Ok(())
    }

    /// Binds a session to its request although nothing is proven yet: its client asks again and again whether the link of the mail was followed.
    fn bind_body(&self, id: &str, proving: &Proving<'_>) {
        let parts = self.parts();
        let mut sessions = lock(&parts.uia);
        let found = sessions.get(parts.clock.monotonic(), id);
        if let Some(session) = found.filter(|session| session.serves(proving.binding, proving.body)) {
            session.body = proving.body.copied().or(session.body);
        }
    }

    /// Whether a request is one that its session is bound to already: a repetition, which is no new attempt.
    pub fn is_repetition(&self, request: &UiaRequest<'_>, session: &str) -> bool {
        let (parts, binding, body) = (self.parts(), binding(request), body_hash(request.body));
        let mut sessions = lock(&parts.uia);
        let session = sessions.get(parts.clock.monotonic(), session);
        session.is_some_and(|session| session.binding == binding && session.body == Some(body))
    }
}

fn binding(request: &UiaRequest<'_>) -> Binding {
    Binding {
        user: request.actor.and_then(Actor::user_id).map(ToOwned::to_owned),
        device: request.actor.and_then(Actor::device_id).map(ToOwned::to_owned),
        operation: request.operation.clone(),
    }
}

fn login_failure(error: LoginError) -> NotProven {
    match error {
        LoginError::Limited(limited) => limited.into(),
        LoginError::Busy(busy) => busy.into(),
        LoginError::Store(error) => error.into(),
        LoginError::WrongCredentials
        | LoginError::Deactivated
        | LoginError::Locked
        | LoginError::Device(_) => Failure::WrongCredentials.into(),
    }
}

/// The hash of a body without its `auth`, whatever the order of its keys.
fn body_hash(body: &Map<String, Value>) -> [u8; 32] {
    let fields: BTreeMap<&String, &Value> = body.iter().filter(|(key, _)| *key != "auth").collect();
    let mut hasher = blake3::Hasher::new();
    for (key, value) in fields {
        hasher.update(SEPARATOR).update(key.as_bytes()).update(SEPARATOR);
        hasher.update(value.to_string().as_bytes());
    }
    *hasher.finalize().as_bytes()
}

/// Not part of UTF-8, so no two bodies look the same.
const SEPARATOR: &[u8] = &[0xFF];
