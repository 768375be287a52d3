//! Why something was not done with an event that is sent later.
//!
//! Owns: [`DelayRefusal`]. Knows no HTTP: the edge maps each to a status and an error code.

use std::time::Duration;

use plop_base::limits::{MAX_ID_BYTES, MAX_PDU_BYTES};
use plop_db::{CommitError, ReadError};
use plop_rooms::StoreFault;
use plop_rooms::ops::refusal::Refusal;
use plop_rooms::reader::access::ReadRefusal;

/// It was not done.
#[derive(Debug, thiserror::Error)]
pub enum DelayRefusal {
    /// The administrator wants none.
    #[error("events cannot be sent later on this server")]
    Off,
    #[error("a delay is at least a millisecond")]
    NoDelay,
    #[error("the delay is longer than {} ms", .max.as_millis())]
    TooLong { max: Duration },
    /// `next`: until the next one of the user's is sent.
    #[error("you have scheduled as many events as you may")]
    TooMany { next: Duration },
    /// Somebody does something with this event without end.
    #[error("too much is done with this event")]
    TooOften { wait: Duration },
    #[error("the event is larger than {MAX_PDU_BYTES} bytes")]
    TooLarge,
    #[error("the {0} is longer than {MAX_ID_BYTES} bytes")]
    IdTooLong(&'static str),
    /// There is none of this name, or it is somebody else's.
    #[error("there is no such delayed event")]
    NotFound,
    /// It was sent and cannot be cancelled, or the other way round.
    #[error("something else has become of it already")]
    Conflict,
    #[error("this needs a user")]
    NoUser,
    #[error("the account is locked or suspended")]
    Suspended,
    #[error("the account has ended")]
    AccountEnded,
    /// The room refuses the event.
    #[error(transparent)]
    Room(Refusal),
    /// The user cannot see the room.
    #[error(transparent)]
    Unseen(ReadRefusal),
    #[error(transparent)]
    Store(StoreFault),
}

impl From<ReadError> for DelayRefusal {
    fn from(error: ReadError) -> Self {
        Self::Store(error.into())
    }
}

impl From<CommitError> for DelayRefusal {
    fn from(error: CommitError) -> Self {
        Self::Store(error.into())
    }
}

impl From<Refusal> for DelayRefusal {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Store(fault) => Self::Store(fault),
            refusal => Self::Room(refusal),
        }
    }
}

impl From<ReadRefusal> for DelayRefusal {
    fn from(refusal: ReadRefusal) -> Self {
        match refusal {
            ReadRefusal::Store(fault) => Self::Store(fault),
            refusal => Self::Unseen(refusal),
        }
    }
}
