//! New rooms.
//!
//! Owns: from the content of a create event to a room with an id, a number and its first events. Does not own: what those events are (the
//! operations).
//!
//! Invariants: the room's first batch holds the room's rows, the create event and all that the caller adds: there is no room before it, and no
//! part of one after a refusal.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use plop_base::clock::UnixMillis;
use plop_db::{CommitError, Keyspace};
use plop_state::auth::{self, AuthError};
use plop_state::builder::{BuildError, EventBuilder};
use plop_state::json::Object;
use plop_state::{Pdu, Rules};
use plop_state_store::RoomNumber;
use ruma::{OwnedRoomId, OwnedUserId, RoomId};

use crate::fault::StoreFault;
use crate::operation::Operation;
use crate::rooms::{Rooms, settle};
use crate::schema::{RoomIds, RoomRecords, RoomRow};
use crate::slot::{Ahead, RoomSlot};
use crate::view::RoomView;
use crate::writer::RoomWriter;

/// How many times are tried for the create event. In version 12 its hash is the room's id, so that two rooms of one creator with the same
/// content need different times.
const ATTEMPTS: u64 = 16;

/// The room to make.
pub struct NewRoom {
    pub creator: OwnedUserId,
    /// The content of the create event.
    pub content: Object,
    pub rules: &'static Rules,
}

/// The create event is none.
#[derive(Debug, thiserror::Error)]
pub enum NotARoom {
    /// `additional_creators` that are no user ids, say.
    #[error("the create event is refused: {0}")]
    Create(AuthError),
    #[error("not an event: {0}")]
    Event(BuildError),
}

/// A room that was made.
pub struct Founded<T> {
    pub number: RoomNumber,
    pub id: OwnedRoomId,
    /// What the work answered.
    pub outcome: T,
}

impl Rooms {
    /// Makes a room and waits until it is on disk. `work` adds what belongs to its first batch; it may run more than once, each time for another
    /// room id.
    ///
    /// # Errors
    /// What `work` refuses; there is no room then.
    pub async fn found<C, T, E>(
        &self,
        new: &NewRoom,
        request: &C,
        work: impl for<'a> Fn(&'a mut Operation<'_>, &'a C) -> BoxFuture<'a, Result<T, E>>,
    ) -> Result<Founded<T>, E>
    where
        E: From<NotARoom> + From<StoreFault>,
    {
        let mut attempt = 0;
        loop {
            let at = self.core().clock.now().plus(Duration::from_millis(attempt));
            let create = self.create_event(new, at)?;
            let id = create.room_id().to_owned();
            let number = self.registry().new_number();
            let mut view = RoomView::empty(number, id.clone(), new.rules);
            view.position = self.core().db.published();
            let slot = Arc::new(RoomSlot::new(Ahead::empty(view)));
            let mut writer = RoomWriter::of_slot(self.shared_core(), Arc::clone(&slot)).await;
            let mut operation = writer.begin();
            operation.append_authorised(create, None).await?;
            let row = RoomRow { id: id.clone(), version: new.rules.version.as_str().to_owned(), since: at };
            let batch = operation.batch();
            batch.expect::<RoomRecords>(&number, None);
            batch.put::<RoomRecords>(&number, &row);
            batch.expect::<RoomIds>(&id, None);
            batch.put::<RoomIds>(&id, &number);
            let outcome = work(&mut operation, request).await?;
            let introduced = self.registry().introduce(number, slot);
            let submitted = operation.submit().await;
            if submitted.is_ok() {
                introduced.stays();
            }
            drop(writer);
            match settle(submitted).await {
                Ok(_) => return Ok(Founded { number, id, outcome }),
                Err(StoreFault::Commit(CommitError::Conflict { keyspace, .. }))
                    if keyspace == RoomIds::NAME && attempt < ATTEMPTS =>
                {
                    attempt += 1;
                }
                Err(fault) => return Err(fault.into()),
            }
        }
    }

    /// The first event, whose id is the room's in version 12.
    fn create_event(&self, new: &NewRoom, at: UnixMillis) -> Result<Pdu, NotARoom> {
        let core = self.core();
        let chosen_id = !new.rules.spec.authorization.room_create_event_id_as_room_id;
        // A server name that is too long for an id leaves none, and building refuses the event.
        let room = chosen_id.then(|| RoomId::parse(core.new_id('!')).ok()).flatten();
        let mut builder = EventBuilder::new(room, "m.room.create", new.creator.clone(), new.content.clone());
        builder.state_key = Some(String::new());
        builder.origin_server_ts = at.0;
        builder.event_id = core.new_event_id(new.rules);
        let create = builder.build(new.rules, &core.key).map_err(NotARoom::Event)?;
        auth::check(&create, new.rules, |_| None).map_err(NotARoom::Create)?;
        Ok(create)
    }
}
