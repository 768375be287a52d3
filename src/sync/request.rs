//! What a `/sync` request asks for, and how it may end other than with an answer.
//!
//! Owns: the types. Does not own: their form in HTTP (rank 5).

use std::time::Duration;

use plop_db::ReadError;
use plop_ephemeral::{PresenceReadError, PresenceState};
use plop_rooms::StoreFault;
use plop_state_store::RoomNumber;

use crate::filter::FilterRefusal;

/// Longest wait. Proxies cut connections that are silent for longer, and clients ask again at once.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(300);

/// Which end of the timeline the state stands at (`use_state_after`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StateAt {
    /// `state`: at its start.
    #[default]
    Start,
    /// `state_after`: at its end.
    End,
    /// The same, under the name of the proposal, MSC4222.
    EndUnstable,
}

/// A request.
#[derive(Debug, Clone)]
pub struct SyncRequest {
    /// The `next_batch` to go on from.
    pub since: Option<String>,
    /// The identifier of a filter, or a filter.
    pub filter: Option<String>,
    pub full_state: bool,
    pub set_presence: PresenceState,
    /// Cut to [`MAX_TIMEOUT`].
    pub timeout: Duration,
    pub state_at: StateAt,
}

impl Default for SyncRequest {
    fn default() -> Self {
        Self {
            since: None,
            filter: None,
            full_state: false,
            set_presence: PresenceState::Online,
            timeout: Duration::ZERO,
            state_at: StateAt::default(),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// `since` is no token.
    #[error("since is not a token of /sync")]
    NoToken,
    #[error(transparent)]
    Filter(#[from] FilterRefusal),
    /// The server itself has nothing to sync.
    #[error("this needs a user")]
    NoUser,
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// Why an answer that has begun has no end.
#[derive(Debug, thiserror::Error)]
pub enum AnswerFault {
    /// A room cannot be read any more whose state is half told.
    #[error("room {} went while its state was told", .0.0)]
    RoomGone(RoomNumber),
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl From<PresenceReadError> for SyncError {
    fn from(error: PresenceReadError) -> Self {
        match error {
            PresenceReadError::Read(error) => error.into(),
            // Who syncs acts for themselves.
            PresenceReadError::Forbidden(_) => Self::NoUser,
        }
    }
}

impl From<ReadError> for SyncError {
    fn from(error: ReadError) -> Self {
        Self::Store(error.into())
    }
}
