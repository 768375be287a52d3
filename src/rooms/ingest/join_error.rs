//! Why a room of other servers was not joined. Owns: [`JoinError`].

use plop_db::ReadError;
use plop_state::auth::AuthError;
use plop_state::builder::BuildError;
use ruma::RoomVersionId;

use super::intake::IntakeError;
use crate::fault::StoreFault;
use crate::loading::LoadError;
use crate::remote::RemoteError;

/// Why a room of other servers was not joined. With several servers: what the last one led to.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    #[error("only users of this server join through it")]
    NotOurUser,
    /// The room has become ours in the meantime: its users join it through [`Rooms`](crate::Rooms).
    #[error("this server is in the room")]
    AlreadyHere,
    #[error("guests may not join rooms of other servers")]
    Guest,
    #[error("no server is known that could let the user in")]
    NoServer,
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error("room version {0} is not known here")]
    UnsupportedVersion(RoomVersionId),
    /// What was given to be signed is no join of the user, or leads nowhere.
    #[error("the template is not of this join: {0}")]
    Template(&'static str),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error("the room's state does not hold: {0}")]
    State(&'static str),
    /// More events, or more of what they cite, than are taken in.
    #[error("the room is too large")]
    TooLarge,
    #[error("the room does not allow the join: {0}")]
    Forbidden(AuthError),
    #[error("the server stops")]
    Stopping,
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl From<StoreFault> for JoinError {
    fn from(fault: StoreFault) -> Self {
        Self::Load(fault.into())
    }
}

impl From<IntakeError> for JoinError {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::TooLarge => Self::TooLarge,
            IntakeError::Remote(error) => Self::Remote(error),
            IntakeError::Load(error) => Self::Load(error),
        }
    }
}

impl From<ReadError> for JoinError {
    fn from(error: ReadError) -> Self {
        Self::Load(error.into())
    }
}
