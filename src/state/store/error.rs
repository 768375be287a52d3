//! Why the state store has no answer.

use plop_db::{CommitError, ReadError};
use ruma::OwnedEventId;

use crate::numbers::{EventNumber, Grove, RoomNumber};
use crate::secret::NodeName;

/// A failed read or resolution. All but `Incomplete` mean damage or a disk that does not answer.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the secret of the database cannot be written: {0}")]
    Commit(#[from] CommitError),
    #[error("the state of {0} forks cannot be resolved at once")]
    TooManyForks(usize),
    #[error("state node {name:?} of {grove:?} does not exist")]
    MissingNode { grove: Grove, name: NodeName },
    #[error("state node {name:?} of {grove:?} does not hold what its name says")]
    AlteredNode { grove: Grove, name: NodeName },
    /// The auth chain of the event is not known to its end, so there is nothing to be said about it.
    #[error("the auth chain of event {event:?} in room {room:?} is not complete")]
    Incomplete { room: RoomNumber, event: EventNumber },
    /// An event that a state or an auth chain names does not exist.
    #[error("event {event:?} of room {room:?} does not exist")]
    MissingEvent { room: RoomNumber, event: EventNumber },
    /// An event that the resolution depends on does not exist, so no state can be given that other servers would have too.
    #[error("event {event} of room {room:?} is needed to resolve its state and is not known")]
    MissingEventId { room: RoomNumber, event: OwnedEventId },
    #[error("the process is stopping")]
    Stopping,
}
