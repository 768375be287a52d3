//! Proving that an e-mail address is one's own: a mail with a link to follow.
//!
//! Owns: the sessions of this, from the client's request to its use. Does not own: what a proven address is good for ([`crate::threepids`],
//! [`crate::registration`], [`crate::password_reset`]), the mails' words, the page behind the link.
//!
//! Invariants: a session belongs to one purpose, one address and one client's secret from its start, and its id says nothing about them; it serves
//! once, within its hour, and only after its mail's link was followed. Where accounts are not told of, a session for an address that has none looks like any
//! other, and its link was mailed to nobody. Sessions are in memory, in bounded numbers; a restart forgets them.

use std::net::IpAddr;

use ruma::OwnedUserId;

use crate::accounts::{Accounts, lock};
use crate::attempts::Limited;
use crate::email_address::{EmailAddress, NoEmailAddress};
use crate::error::StoreError;
use crate::mailer::{Mail, MailText, TooManyMails};
use crate::parameters::{EmailAtRegistration, EmailParameters};
use crate::schema::EmailOwners;
use crate::secrets::{SecretHash, make_secret};
pub use crate::validation_session::{EmailPurpose, Link};
use crate::validation_session::{ValidatedAddress, ValidationSession};

/// Longest secret that a client may choose (identity service API, "Email associations").
const MAX_CLIENT_SECRET_BYTES: usize = 255;
/// Wrong tokens until a session has ended. There is nothing to guess: who tries is not somebody with a mail.
const MOST_WRONG_TOKENS: u32 = 10;

/// A client's request for a mail.
#[derive(Clone, Debug)]
pub struct EmailRequest {
    pub purpose: EmailPurpose,
    pub address: String,
    /// The client keeps it to itself and shows it when it uses the proof.
    pub client_secret: String,
    /// Of two requests with the same number one is a repetition: no mail is sent for it.
    pub send_attempt: u64,
    /// Where the link's page leads to.
    pub next_link: Option<String>,
    pub from: IpAddr,
}

/// Why no mail is sent.
#[derive(Debug, thiserror::Error)]
pub enum EmailRequestError {
    #[error("this server does not take e-mail addresses for this")]
    NotSupported,
    #[error(transparent)]
    NoAddress(#[from] NoEmailAddress),
    #[error("not a valid client secret")]
    InvalidClientSecret,
    #[error("this server does not lead to this address")]
    NextLink,
    /// Told only where the administrator allows it.
    #[error("an account has this address already")]
    InUse,
    /// Told only where the administrator allows it.
    #[error("no account has this address")]
    NotFound,
    #[error(transparent)]
    Limited(#[from] Limited),
    #[error(transparent)]
    TooManyMails(#[from] TooManyMails),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a link proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Never made, followed too late, used up, or the server was started anew since.
    #[error("this link is not valid any more")]
    Unknown,
}

/// There is no session with this id and secret for this purpose, or its link was not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the e-mail address was not confirmed")]
pub struct NotValidated;

impl Accounts {
    /// Whether mails are sent, so that there are addresses.
    pub fn sends_mails(&self) -> bool {
        self.parts().parameters.email.is_some()
    }

    /// Begins a session, or finds the one that is there for the same purpose, address and client secret, and posts its mail. Gives the session's id.
    pub async fn request_email(&self, request: EmailRequest) -> Result<String, EmailRequestError> {
        let parts = self.parts();
        let email = parts.parameters.email.as_ref().ok_or(EmailRequestError::NotSupported)?;
        let EmailRequest { purpose, address, client_secret, send_attempt, next_link, from } = request;
        if purpose == EmailPurpose::Register
            && parts.parameters.email_at_registration() == EmailAtRegistration::Off
        {
            return Err(EmailRequestError::NotSupported);
        }
        let address = EmailAddress::parse(&address)?;
        check_client_secret(&client_secret)?;
        if next_link.as_deref().is_some_and(|link| !email.leads_to(link)) {
            return Err(EmailRequestError::NextLink);
        }
        let sid = self.session_id(purpose, &address, &client_secret);
        if self.is_repeated(&sid, send_attempt) {
            return Ok(sid);
        }
        parts.limits.mail(parts.clock.monotonic(), &parts.parameters.mail_limits, &address, from)?;
        let owner = self.snapshot().get::<EmailOwners>(&address).await.map_err(StoreError::from)?;
        // From here on at once: of equal requests at the same time one posts a mail.
        let (mut sessions, now) = (lock(&parts.validations), parts.clock.monotonic());
        let (token, validated) = match sessions.get(now, &sid) {
            Some(earlier) if earlier.send_attempt >= send_attempt => return Ok(sid),
            Some(earlier) => (earlier.token.clone(), earlier.validated),
            None => (make_secret(&parts.random), None),
        };
        let says = mail_text(email, purpose, owner.clone(), || email.link(&sid, &token))?;
        email.mailer.post(Mail { to: address.clone(), says })?;
        let user = owner.filter(|_| purpose == EmailPurpose::ResetPassword);
        let session = ValidationSession {
            link: Link { purpose, address, user, next_link },
            client_secret: SecretHash::of(&client_secret),
            send_attempt,
            token,
            wrong_tokens: 0,
            validated,
        };
        sessions.insert(now, &sid, session);
        drop(sessions);
        Ok(sid)
    }

    /// What a mail's link is for; changes nothing. (Programs that look at mails follow links: the page asks first.)
    pub fn email_link(&self, sid: &str, token: &str) -> Result<Link, LinkError> {
        self.with_link(sid, token, |session| session.link.clone())
    }

    /// Follows a mail's link: the address is proven.
    pub fn confirm_email(&self, sid: &str, token: &str) -> Result<Link, LinkError> {
        let now = self.parts().clock.now();
        self.with_link(sid, token, |session| {
            session.validated.get_or_insert(now);
            session.link.clone()
        })
    }

    /// Whether an address is proven.
    pub fn is_email_validated(&self, purpose: EmailPurpose, sid: &str, client_secret: &str) -> bool {
        self.validated(purpose, sid, client_secret).is_ok()
    }

    /// Uses a proof up, once what it is for is on disk: who is refused needs no other mail.
    pub(crate) fn use_up(&self, proven: &ValidatedAddress) {
        let parts = self.parts();
        lock(&parts.validations).take(parts.clock.monotonic(), &proven.sid);
    }

    /// The address that a session proves.
    pub(crate) fn validated(
        &self,
        purpose: EmailPurpose,
        sid: &str,
        client_secret: &str,
    ) -> Result<ValidatedAddress, NotValidated> {
        let parts = self.parts();
        let mut sessions = lock(&parts.validations);
        let session = sessions.get(parts.clock.monotonic(), sid).ok_or(NotValidated)?;
        session.proves(sid, purpose, client_secret).ok_or(NotValidated)
    }

    /// The id of the session that a request belongs to: the same for its repetitions, and not to be guessed.
    fn session_id(&self, purpose: EmailPurpose, address: &EmailAddress, client_secret: &str) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.parts().validation_key);
        // Neither has a byte of this value.
        let parts = [format!("{purpose:?}"), address.as_str().to_owned(), client_secret.to_owned()];
        for part in parts {
            hasher.update(part.as_bytes()).update(&[0xFF]);
        }
        hasher.finalize().to_hex().to_string()
    }

    /// Whether a request has posted its mail already.
    fn is_repeated(&self, sid: &str, send_attempt: u64) -> bool {
        let parts = self.parts();
        let mut sessions = lock(&parts.validations);
        sessions.get(parts.clock.monotonic(), sid).is_some_and(|session| session.send_attempt >= send_attempt)
    }

    fn with_link<T>(
        &self,
        sid: &str,
        token: &str,
        use_it: impl FnOnce(&mut ValidationSession) -> T,
    ) -> Result<T, LinkError> {
        let parts = self.parts();
        let now = parts.clock.monotonic();
        let mut sessions = lock(&parts.validations);
        let session = sessions.get(now, sid).ok_or(LinkError::Unknown)?;
        if SecretHash::of(&session.token) == SecretHash::of(token) {
            return Ok(use_it(session));
        }
        session.wrong_tokens += 1;
        if session.wrong_tokens >= MOST_WRONG_TOKENS {
            sessions.take(now, sid);
        }
        Err(LinkError::Unknown)
    }
}

/// What is mailed. Where the administrator does not want accounts to be told of, the mail tells, and only to who reads it.
fn mail_text(
    email: &EmailParameters,
    purpose: EmailPurpose,
    owner: Option<OwnedUserId>,
    link: impl FnOnce() -> String,
) -> Result<MailText, EmailRequestError> {
    match (purpose, owner) {
        (EmailPurpose::Register, None) => Ok(MailText::ConfirmRegistration { link: link() }),
        (EmailPurpose::AddAddress, None) => Ok(MailText::ConfirmAddress { link: link() }),
        (EmailPurpose::ResetPassword, Some(user)) => {
            Ok(MailText::ConfirmPasswordReset { user, link: link() })
        }
        (EmailPurpose::Register | EmailPurpose::AddAddress, Some(user)) if email.hides_accounts => {
            Ok(MailText::AddressInUse { user })
        }
        (EmailPurpose::ResetPassword, None) if email.hides_accounts => Ok(MailText::AddressUnknown),
        (EmailPurpose::Register | EmailPurpose::AddAddress, Some(_)) => Err(EmailRequestError::InUse),
        (EmailPurpose::ResetPassword, None) => Err(EmailRequestError::NotFound),
    }
}

/// Identity service API, `POST /validate/email/requestToken`.
fn check_client_secret(secret: &str) -> Result<(), EmailRequestError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".=_-".contains(&byte);
    let is_valid = (1..=MAX_CLIENT_SECRET_BYTES).contains(&secret.len()) && secret.bytes().all(allowed);
    if is_valid { Ok(()) } else { Err(EmailRequestError::InvalidClientSecret) }
}
