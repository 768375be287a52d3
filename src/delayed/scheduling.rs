//! Scheduling an event.
//!
//! Owns: what may be scheduled, and that a repeated request schedules no second one. Does not own: whether the room will take the event: that is
//! asked when it is sent (MSC4140, "Power levels are evaluated at the point of sending").
//!
//! Invariant: a request is decided under the guard of its user, so no number of requests at once is more than the limit.

use std::time::Duration;

use plop_base::Actor;
use plop_base::limits::{MAX_ID_BYTES, MAX_PDU_BYTES};
use plop_db::codec::Tail;
use plop_db::{Batch, Direction, KeyRange};
use plop_rooms::reader::access::{ReadRefusal, Standing};
use plop_state::StateKey;
use plop_state::json::{Object, Value, canonical};
use ruma::{OwnedEventId, RoomId, UserId};

use crate::delayed::{Delayed, NAME_LETTERS};
use crate::finalising::put;
use crate::refusal::DelayRefusal;
use crate::schema::{DelayedOfUser, DelayedRequest, DelayedRequests, DelayedRow};
use crate::sender::{owner, scheduled_by};

/// An event that somebody wants to be sent later.
#[derive(Debug, Clone)]
pub struct NewDelayed<'r> {
    pub room: &'r RoomId,
    pub kind: &'r str,
    /// Makes it a state event.
    pub state_key: Option<&'r str>,
    pub content: Object,
    pub delay: Duration,
    pub transaction: Option<&'r str>,
}

impl Delayed {
    /// Schedules an event; its name, by which it can be sent, restarted and cancelled.
    ///
    /// # Errors
    /// `Off`, `NoDelay`, `TooLong`, `TooMany`, `TooLarge`, `IdTooLong`; `Unseen` for one who is not in the room.
    pub async fn schedule(&self, actor: &Actor, new: NewDelayed<'_>) -> Result<String, DelayRefusal> {
        let user = owner(actor)?;
        let content = canonical(&Value::Object(new.content.clone()));
        self.check(&new, &content)?;
        let request = new.transaction.map(|id| request(actor, user, new.room, new.kind, id));
        let parts = self.parts();
        let guard = parts.users.lock(user.as_str()).await;
        if let Some(request) = &request
            && let Some(known) = parts.db.snapshot().get::<DelayedRequests>(request).await?
        {
            return Ok(known);
        }
        self.check_count(user).await?;
        let replaces = self.current(actor, &new).await?;
        let since = parts.clock.now();
        let row = DelayedRow {
            user: user.to_owned(),
            device: actor.device_id().map_or_else(String::new, ToString::to_string),
            by: scheduled_by(actor)?,
            room: new.room.to_owned(),
            kind: new.kind.to_owned(),
            state_key: new.state_key.map(ToOwned::to_owned),
            delay: u64::try_from(new.delay.as_millis()).unwrap_or(u64::MAX),
            since,
            due: since.plus(new.delay),
            request,
            replaces,
            finalised: None,
            content: Tail(content),
        };
        let id = parts.random.token(NAME_LETTERS);
        let mut batch = Batch::durable();
        put(&mut batch, &id, &row);
        if let Some(request) = &row.request {
            batch.put::<DelayedRequests>(request, &id);
        }
        parts.db.commit_under(guard, batch).await?;
        parts.earlier.notify_one();
        Ok(id)
    }

    /// The event that the first of several equal requests scheduled, as long as it is remembered.
    pub async fn scheduled_by(
        &self,
        actor: &Actor,
        room: &RoomId,
        kind: &str,
        transaction: &str,
    ) -> Result<Option<String>, DelayRefusal> {
        check_length("transaction id", transaction)?;
        check_length("event type", kind)?;
        let request = request(actor, owner(actor)?, room, kind, transaction);
        Ok(self.parts().db.snapshot().get::<DelayedRequests>(&request).await?)
    }

    fn check(&self, new: &NewDelayed<'_>, content: &str) -> Result<(), DelayRefusal> {
        let max = self.limits().max_delay;
        if max.is_zero() {
            return Err(DelayRefusal::Off);
        }
        if new.delay.is_zero() {
            return Err(DelayRefusal::NoDelay);
        }
        if new.delay > max {
            return Err(DelayRefusal::TooLong { max });
        }
        if content.len() > MAX_PDU_BYTES {
            return Err(DelayRefusal::TooLarge);
        }
        check_length("event type", new.kind)?;
        check_length("state key", new.state_key.unwrap_or_default())?;
        check_length("transaction id", new.transaction.unwrap_or_default())
    }

    async fn check_count(&self, user: &UserId) -> Result<(), DelayRefusal> {
        let parts = self.parts();
        let own = KeyRange::<DelayedOfUser>::prefix(&(user.to_owned(), false));
        let max = parts.limits.max_scheduled;
        let scheduled = parts.db.snapshot().scan(own, Direction::Forward, max.max(1)).await?.rows;
        match scheduled.first() {
            Some(((_, _, due, _), ())) if scheduled.len() >= max => {
                Err(DelayRefusal::TooMany { next: due.since(parts.clock.now()) })
            }
            _ => Ok(()),
        }
    }

    /// The state event that is current now, where the new one is one. Refuses who is not in the room.
    async fn current(
        &self,
        actor: &Actor,
        new: &NewDelayed<'_>,
    ) -> Result<Option<OwnedEventId>, DelayRefusal> {
        let reader = self.parts().rooms.reader(actor, new.room).await?;
        if reader.standing() != Standing::Joined {
            return Err(ReadRefusal::NotInRoom.into());
        }
        let Some(state_key) = new.state_key else { return Ok(None) };
        let current = reader.state_event(&StateKey::new(new.kind, state_key)).await?;
        Ok(current.map(|event| event.pdu.event_id_owned().clone()))
    }
}

fn request(actor: &Actor, user: &UserId, room: &RoomId, kind: &str, transaction: &str) -> DelayedRequest {
    DelayedRequest {
        user: user.to_owned(),
        device: actor.device_id().map_or_else(String::new, ToString::to_string),
        room: room.to_owned(),
        kind: kind.to_owned(),
        transaction: transaction.to_owned(),
    }
}

fn check_length(what: &'static str, id: &str) -> Result<(), DelayRefusal> {
    if id.len() <= MAX_ID_BYTES { Ok(()) } else { Err(DelayRefusal::IdTooLong(what)) }
}
