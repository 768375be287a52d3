//! Why an operation on a room was not done.
//!
//! Owns: [`Refusal`], the outcomes that the operations share. Knows no HTTP: the edge maps each to a status and an error code.

use std::time::Duration;

use plop_base::Actor;
use plop_base::limits::MAX_ID_BYTES;
use plop_db::ReadError;
use plop_state::auth::AuthError;
use plop_state::builder::BuildError;
use ruma::{OwnedUserId, UserId};

use crate::event_store::EventReadError;
use crate::fault::StoreFault;
use crate::founding::NotARoom;
use crate::loading::LoadError;
use crate::operation::AppendError;

/// An operation that was not done, and left nothing behind.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The room is not here, or the user has no business knowing that it is.
    #[error("you are not in this room")]
    NotInRoom,
    #[error("no such event in this room")]
    NoSuchEvent,
    #[error("you may not redact this event")]
    MayNotRedact,
    #[error("you have annotated this event so already")]
    DuplicateAnnotation,
    #[error("a thread cannot begin at an event that relates to another one")]
    NoThreadRoot,
    #[error("guests may not do this")]
    Guest,
    /// The server itself asked for something that needs a user.
    #[error("this needs a user")]
    NoUser,
    #[error("you are banned from this room")]
    Banned,
    #[error("{0} is banned from this room")]
    TargetBanned(OwnedUserId),
    #[error("{0} is in this room already")]
    TargetJoined(OwnedUserId),
    #[error("{0} is not in this room")]
    TargetNotInRoom(OwnedUserId),
    #[error("{0} is not banned from this room")]
    TargetNotBanned(OwnedUserId),
    #[error("you are in this room or invited to it already")]
    WrongMembership,
    /// An invitation by the server itself is rejected.
    #[error("you cannot reject an invitation to the room of the server's notices")]
    ServerNoticeRoom,
    /// Only a room that has been left can be forgotten.
    #[error("you have not left this room")]
    StillInRoom,
    /// The room's rules refuse it.
    #[error("not allowed: {0}")]
    Rule(AuthError),
    #[error("not an event: {0}")]
    Event(BuildError),
    #[error("{0} cannot be reached: users of other servers cannot be invited yet")]
    Unreachable(OwnedUserId),
    /// A join or knock: the room is not here or does not let the user in; which of these is not told.
    #[error("this room is not here, or you may not enter it")]
    NotAdmitted,
    /// A restricted join: no local user could authorise it.
    #[error("no user of this server can let you in")]
    UnableToAuthorise,
    #[error("the alias {0} does not lead to this room")]
    BadAlias(String),
    #[error("the alias is not valid")]
    InvalidAlias,
    #[error("the alias is taken")]
    AliasInUse,
    #[error("no such alias")]
    NoSuchAlias,
    #[error("the alias is not yours to change")]
    MayNotChangeAlias,
    #[error("you may not change whether this room is listed")]
    MayNotPublish,
    #[error("room version {0} is not known here")]
    UnknownVersion(String),
    #[error("{0} does not want to be invited")]
    InviteBlocked(OwnedUserId),
    #[error("there were too many invitations to this user or into this room")]
    TooManyInvites { wait: Duration },
    /// Something that becomes a part of keys.
    #[error("the {0} is longer than {MAX_ID_BYTES} bytes")]
    IdTooLong(&'static str),
    #[error(transparent)]
    Store(StoreFault),
}

impl From<StoreFault> for Refusal {
    fn from(fault: StoreFault) -> Self {
        Self::Store(fault)
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        Self::Store(error.into())
    }
}

impl From<EventReadError> for Refusal {
    fn from(error: EventReadError) -> Self {
        Self::Store(error.into())
    }
}

impl From<LoadError> for Refusal {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::NotHere => Self::NotInRoom,
            LoadError::UnknownVersion(version) => Self::UnknownVersion(version),
            LoadError::Store(fault) => Self::Store(fault),
        }
    }
}

impl From<NotARoom> for Refusal {
    fn from(error: NotARoom) -> Self {
        match error {
            NotARoom::Create(error) => Self::Rule(error),
            NotARoom::Event(error) => Self::Event(error),
        }
    }
}

impl From<AppendError> for Refusal {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Forbidden(AuthError::SenderNotJoined) => Self::NotInRoom,
            AppendError::Forbidden(error) => Self::Rule(error),
            AppendError::Build(error) => Self::Event(error),
            AppendError::Store(fault) => Self::Store(fault),
        }
    }
}

/// Refuses a name that would make a key longer than keys may be.
pub fn check_length(what: &'static str, id: &str) -> Result<(), Refusal> {
    if id.len() <= MAX_ID_BYTES { Ok(()) } else { Err(Refusal::IdTooLong(what)) }
}

/// The user in whose name a room is changed. Guests may do what `guests` says.
pub fn sender(actor: &Actor, guests: Guests) -> Result<&UserId, Refusal> {
    match actor {
        Actor::User { user, .. }
        | Actor::AppService { user, .. }
        | Actor::AdminAs { user, .. }
        | Actor::ShadowBanned { user, .. }
        | Actor::ServerAs { user } => Ok(user),
        Actor::Guest { user, .. } => match guests {
            Guests::May => Ok(user),
            Guests::MayNot => Err(Refusal::Guest),
        },
        Actor::Server => Err(Refusal::NoUser),
    }
}

/// Whether guests may use an operation (client-server API, "Guest access").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guests {
    May,
    MayNot,
}
