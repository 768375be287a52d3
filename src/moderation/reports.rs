//! Reports to the administrators (client-server API, "Reporting Content").
//!
//! Owns: who may report what, and keeping it. Does not own: what becomes of it.
//!
//! Invariants: an answer tells nothing about rooms and users: a report about one is taken whether there is such a one or not, at the same
//! cost. An event is reported by those who are in its room and see it; to all others there is none. A user has [`MAX_OF_USER`] reports,
//! the newest.

use plop_base::{Actor, Clock};
use plop_db::{Batch, CommitError, Db, Direction, KeyRange, Position, ReadError};
use plop_rooms::reader::access::{ReadRefusal, Standing};
use plop_rooms::{Rooms, StoreFault};
use ruma::{EventId, OwnedUserId, RoomId, UserId};

use crate::schema::{ReportRow, Reports as ReportRows, ReportsByUser};

/// Reports of one user that are kept.
pub const MAX_OF_USER: usize = 500;
/// Bytes of what a user says about it.
pub const MAX_REASON_BYTES: usize = 4096;
/// Rows above the limit that one report deletes: what requests at one moment may have added.
const SURPLUS: usize = 50;

/// Why nothing was reported.
#[derive(Debug, thiserror::Error)]
pub enum NotReported {
    /// There is no such event, the user does not see it, or is not in the room.
    #[error("the event was not found, or you are not in the room")]
    NoSuchEvent,
    #[error("guests may not do this")]
    Guest,
    /// The server itself has nobody to report to.
    #[error("this needs a user")]
    NoUser,
    #[error("the reason is longer than {MAX_REASON_BYTES} bytes")]
    ReasonTooLong,
    #[error(transparent)]
    Store(StoreFault),
}

impl From<ReadError> for NotReported {
    fn from(error: ReadError) -> Self {
        Self::Store(error.into())
    }
}

impl From<CommitError> for NotReported {
    fn from(error: CommitError) -> Self {
        Self::Store(error.into())
    }
}

/// What is reported.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'r> {
    Room(&'r RoomId),
    Event(&'r RoomId, &'r EventId),
    User(&'r UserId),
}

/// The reports. Cheap to clone.
#[derive(Clone)]
pub struct Reports {
    db: Db,
    clock: Clock,
    rooms: Rooms,
}

impl Reports {
    pub fn new(db: Db, clock: Clock, rooms: Rooms) -> Self {
        Self { db, clock, rooms }
    }

    /// Takes a report. One by somebody who is heard by nobody is answered and not kept.
    pub async fn report(
        &self,
        actor: &Actor,
        subject: Subject<'_>,
        reason: Option<&str>,
    ) -> Result<(), NotReported> {
        let reporter = reporter(actor)?;
        if reason.is_some_and(|reason| reason.len() > MAX_REASON_BYTES) {
            return Err(NotReported::ReasonTooLong);
        }
        let mut row = ReportRow {
            at: self.clock.now(),
            reporter: reporter.to_owned(),
            room: None,
            event: None,
            user: None,
            reason: reason.filter(|reason| !reason.is_empty()).map(ToOwned::to_owned),
        };
        match subject {
            Subject::Room(room) => row.room = Some(room.to_owned()),
            Subject::Event(room, event) => {
                self.check_event(actor, room, event).await?;
                (row.room, row.event) = (Some(room.to_owned()), Some(event.to_owned()));
            }
            Subject::User(user) => row.user = Some(user.to_owned()),
        }
        if actor.reaches_others() { self.keep(&row).await } else { Ok(()) }
    }

    /// "Servers MUST verify that the reporting user is currently joined to the room the event is in."
    async fn check_event(&self, actor: &Actor, room: &RoomId, event: &EventId) -> Result<(), NotReported> {
        match self.rooms.reader_of_event(actor, room, event).await {
            Ok((reader, _)) if reader.standing() == Standing::Joined => Ok(()),
            Ok(_)
            | Err(ReadRefusal::NotInRoom | ReadRefusal::NoSuchEvent | ReadRefusal::UnknownVersion(_)) => {
                Err(NotReported::NoSuchEvent)
            }
            Err(ReadRefusal::NoUser) => Err(NotReported::NoUser),
            Err(ReadRefusal::Store(fault)) => Err(NotReported::Store(fault)),
        }
    }

    /// Writes a report, and deletes the oldest ones of its user where there are too many.
    async fn keep(&self, row: &ReportRow) -> Result<(), NotReported> {
        let own = KeyRange::<ReportsByUser>::prefix(&row.reporter);
        let kept = self.db.snapshot().scan(own, Direction::Forward, MAX_OF_USER + SURPLUS).await?.rows;
        let mut batch = Batch::durable();
        for ((user, position), ()) in kept.iter().take((kept.len() + 1).saturating_sub(MAX_OF_USER)) {
            batch.delete::<ReportsByUser>(&(user.clone(), *position));
            batch.delete::<ReportRows>(position);
        }
        let position = Position::pending(0);
        batch.put::<ReportRows>(&position, row);
        batch.put::<ReportsByUser>(&(OwnedUserId::clone(&row.reporter), position), &());
        self.db.commit(batch).await?;
        Ok(())
    }
}

/// Who reports. Guests are not among those whom the specification lets report.
fn reporter(actor: &Actor) -> Result<&UserId, NotReported> {
    match actor {
        Actor::User { user, .. }
        | Actor::AppService { user, .. }
        | Actor::AdminAs { user, .. }
        | Actor::ShadowBanned { user, .. }
        | Actor::ServerAs { user } => Ok(user),
        Actor::Guest { .. } => Err(NotReported::Guest),
        Actor::Server => Err(NotReported::NoUser),
    }
}
