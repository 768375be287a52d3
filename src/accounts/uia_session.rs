//! Sessions of interactive authentication: what has been proven so far, and for which request.
//!
//! Invariants: a session belongs to one user, device and operation from its start and to one body from the first proof on (one that is to
//! be completed elsewhere, too; one on a page of ours comes with no body, and the next request brings it); no other request can use its
//! proofs. (Until then the body may differ: clients ask for the flows with an empty request first.)

use std::collections::BTreeSet;

use ruma::{OwnedDeviceId, OwnedUserId};

use crate::validation_session::{EmailPurpose, ValidatedAddress};

/// One thing to prove (client-server API, "Authentication types").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    Dummy,
    Password,
    RegistrationToken,
    Terms,
    EmailIdentity,
}

impl Stage {
    /// The authentication type.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dummy => "m.login.dummy",
            Self::Password => "m.login.password",
            Self::RegistrationToken => "m.login.registration_token",
            Self::Terms => "m.login.terms",
            Self::EmailIdentity => "m.login.email.identity",
        }
    }
}

/// What is authorised. Proofs for one are none for another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UiaOperation {
    Register,
    ChangePassword,
    /// By who has lost the old one.
    ResetPassword,
    AddAddress,
    Deactivate,
    DeleteDevice(OwnedDeviceId),
    DeleteDevices,
    MakeLoginToken,
    ReplaceCrossSigningKeys,
}

impl UiaOperation {
    /// What an e-mail address is proven for to authorise this, if that authorises it at all.
    pub(crate) fn email_purpose(&self) -> Option<EmailPurpose> {
        match self {
            Self::Register => Some(EmailPurpose::Register),
            Self::ResetPassword => Some(EmailPurpose::ResetPassword),
            Self::ChangePassword
            | Self::AddAddress
            | Self::Deactivate
            | Self::DeleteDevice(_)
            | Self::DeleteDevices
            | Self::MakeLoginToken
            | Self::ReplaceCrossSigningKeys => None,
        }
    }
}

/// Whom a session belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binding {
    pub user: Option<OwnedUserId>,
    pub device: Option<OwnedDeviceId>,
    pub operation: UiaOperation,
}

/// What proofs bring that the operation then uses up or stores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// The registration token of which the session holds one use.
    pub registration_token: Option<String>,
    /// The e-mail address that was proven.
    pub address: Option<ValidatedAddress>,
}

impl Held {
    /// What another proof brings, too.
    pub fn and(&mut self, other: Self) {
        self.registration_token = other.registration_token.or(self.registration_token.take());
        self.address = other.address.or(self.address.take());
    }
}

pub(crate) struct UiaSession {
    pub binding: Binding,
    /// The hash of the body that the first proof came with.
    pub body: Option<[u8; 32]>,
    pub completed: BTreeSet<Stage>,
    pub held: Held,
    /// The flows that were offered when it began.
    pub flows: Vec<Vec<Stage>>,
}

impl UiaSession {
    pub fn new(binding: Binding, flows: Vec<Vec<Stage>>) -> Self {
        Self { binding, body: None, completed: BTreeSet::new(), held: Held::default(), flows }
    }

    /// Whether the session can be used for this request, or for a page that knows no body.
    pub fn serves(&self, binding: &Binding, body: Option<&[u8; 32]>) -> bool {
        let same_body = self.body.is_none_or(|bound| body.is_none_or(|body| *body == bound));
        self.binding == *binding && same_body
    }

    /// Whether all stages of a flow are completed.
    pub fn completes(&self, flows: &[Vec<Stage>]) -> bool {
        flows.iter().any(|flow| flow.iter().all(|stage| self.completed.contains(stage)))
    }
}
