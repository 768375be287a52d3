//! Stages of interactive authentication on a page of this server's, for clients that do not know them (client-server API, "Fallback").
//!
//! Owns: what such a page may show of a session and do for it. Does not own: the pages, the proofs ([`crate::uia`]).
//!
//! Invariants: the id of a session, which only its client knows, is all that a page needs, and what is proven on it authorises nothing but the request of that
//! session's user, device and operation. Passwords are not asked for here: every client knows that stage, and a page that anybody can send a link to should not.

use std::net::IpAddr;

use crate::accounts::{Accounts, lock};
use crate::attempts::Limited;
use crate::email_validation::{EmailRequest, EmailRequestError};
use crate::error::StoreError;
use crate::passwords::Busy;
use crate::terms::Policy;
use crate::uia::{Failure, NotProven, Proof, Proving, Stage, UiaError};
use crate::uia_session::Binding;

/// What a page shows of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FallbackStage {
    /// Nothing is left to do.
    pub completed: bool,
    /// The documents to accept, if that is the stage.
    pub policies: Vec<Policy>,
}

/// Why a stage is not completed on a page.
#[derive(Debug, thiserror::Error)]
pub enum FallbackError {
    #[error("the session is not there")]
    UnknownSession,
    #[error("the session has no such stage")]
    NotOffered,
    #[error("the registration token is not valid")]
    InvalidRegistrationToken,
    #[error("the e-mail address was not confirmed")]
    EmailNotValidated,
    #[error(transparent)]
    Email(#[from] EmailRequestError),
    #[error(transparent)]
    Limited(#[from] Limited),
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is proven on a page.
#[derive(Clone, Debug)]
pub enum FallbackProof {
    Dummy,
    Terms,
    RegistrationToken(String),
    /// The link of the mail of this validation session was followed.
    EmailIdentity {
        sid: String,
    },
}

impl FallbackProof {
    /// The proof that a client would submit. The page's mails are asked for with the session's id as the client's secret: it is one.
    fn submitted(self, session: &str) -> Proof {
        match self {
            Self::Dummy => Proof::Dummy,
            Self::Terms => Proof::Terms,
            Self::RegistrationToken(token) => Proof::RegistrationToken(token),
            Self::EmailIdentity { sid } => Proof::EmailIdentity { sid, client_secret: session.to_owned() },
        }
    }
}

impl Accounts {
    /// How a stage of a session stands.
    pub fn fallback_stage(&self, session: &str, stage: Stage) -> Result<FallbackStage, FallbackError> {
        let (parts, offered) = (self.parts(), self.offered(session)?);
        if !offered.flows.iter().flatten().any(|one| *one == stage) {
            return Err(FallbackError::NotOffered);
        }
        let completed = offered.completed.contains(&stage);
        let policies = if stage == Stage::Terms { parts.parameters.terms.clone() } else { Vec::new() };
        Ok(FallbackStage { completed, policies })
    }

    /// Completes a stage of a session.
    pub async fn complete_by_fallback(
        &self,
        session: &str,
        proof: FallbackProof,
        from: IpAddr,
    ) -> Result<(), FallbackError> {
        let Offered { binding, flows, .. } = self.offered(session)?;
        let proving = Proving { binding: &binding, body: None, flows: &flows, from };
        Ok(self.prove(session, &proving, proof.submitted(session)).await?)
    }

    /// Sends the mail whose link proves an address for a session. Gives the id of the validation session.
    pub async fn mail_by_fallback(
        &self,
        session: &str,
        address: String,
        from: IpAddr,
    ) -> Result<String, FallbackError> {
        self.fallback_stage(session, Stage::EmailIdentity)?;
        let purpose = self.offered(session)?.binding.operation.email_purpose();
        let request = EmailRequest {
            purpose: purpose.ok_or(FallbackError::NotOffered)?,
            address,
            client_secret: session.to_owned(),
            // Who asks again wants another mail. How many are sent has limits of its own.
            send_attempt: self.parts().clock.now().0,
            next_link: None,
            from,
        };
        Ok(self.request_email(request).await?)
    }

    fn offered(&self, session: &str) -> Result<Offered, FallbackError> {
        let parts = self.parts();
        let mut sessions = lock(&parts.uia);
        let found = sessions.get(parts.clock.monotonic(), session).ok_or(FallbackError::UnknownSession)?;
        Ok(Offered {
            binding: found.binding.clone(),
            flows: found.flows.clone(),
            completed: found.completed.iter().copied().collect(),
        })
    }
}

/// What a session is for, and how far it is.
struct Offered {
    binding: Binding,
    flows: Vec<Vec<Stage>>,
    completed: Vec<Stage>,
}

impl From<NotProven> for FallbackError {
    fn from(error: NotProven) -> Self {
        match error {
            // A page proves no password.
            NotProven::Failure(Failure::UnexpectedStage | Failure::WrongCredentials)
            | NotProven::Error(UiaError::OtherUser) => Self::NotOffered,
            NotProven::Failure(Failure::InvalidRegistrationToken) => Self::InvalidRegistrationToken,
            NotProven::Failure(Failure::EmailNotValidated) => Self::EmailNotValidated,
            NotProven::Failure(Failure::UnknownSession) | NotProven::Error(UiaError::Challenge(_)) => {
                Self::UnknownSession
            }
            NotProven::Error(UiaError::Limited(error)) => error.into(),
            NotProven::Error(UiaError::Busy(error)) => error.into(),
            NotProven::Error(UiaError::Store(error)) => error.into(),
        }
    }
}
