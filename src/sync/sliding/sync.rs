//! The request: its connection, and the loop in which it waits.
//!
//! Owns: when an answer is given, and which positions can be gone on from. Does not own: what is in it ([`super::pass`]).
//!
//! Invariants: a request that begins after a write was acknowledged answers with it. One that finds nothing waits; each of its looks goes on from the
//! one before. In the end it gets the position that it came with, and nothing is written, unless looking from there again would cost something: then it
//! gets a new one. The connection has the answer before it is sent, so whoever comes with its position is understood.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use plop_base::Actor;
use plop_db::Position;
use plop_ephemeral::{Connection, LivePosition};
use plop_rooms::StoreFault;
use plop_state_store::RoomNumber;
use ruma::{OwnedRoomId, UserId};

use super::answer::SlidingAnswer;
use super::connection::Told;
use super::connections::Open;
use super::extensions;
use super::pass::{Pass, PassResult};
use super::pos::Pos;
use super::reached::Reached;
use super::request::{RoomConfig, SlidingError, SlidingRequest};
use super::schema::MarkRow;
use super::windows::NumberedRequest;
use crate::context::RequestContext;
use crate::request::{MAX_TIMEOUT, StateAt};
use crate::sent_members::{AnswerNumber, Sending};
use crate::shared::{Parts, Shared};
use crate::sync::{Syncing, syncing_user};
use crate::waiters::Waiter;

/// What is new for a connection, before it is told.
pub struct Found<'a> {
    request: Request<'a>,
    result: PassResult,
    /// What the connection has sent with the answer; `None`: the client stays where it is.
    told: Option<Told>,
}

impl Found<'_> {
    /// The rooms that the client gets as ones that it does not have.
    pub fn initial_rooms(&self) -> usize {
        self.result.initial
    }

    /// The answer. The connection has it from here on.
    pub async fn answer(self) -> Result<SlidingAnswer, SlidingError> {
        let Self { request, result, told } = self;
        let pos = request.pos_after(&result, told).await?;
        Ok(SlidingAnswer::new(pos.to_string(), request.asked.request, result))
    }
}

/// A request with its connection.
struct Request<'a> {
    shared: &'a Arc<Shared>,
    actor: &'a Actor,
    user: &'a UserId,
    asked: NumberedRequest<'a>,
    open: Arc<Open>,
    /// The position that the client has come with, and its answer.
    pos: Option<Pos>,
    came_with: MarkRow,
    sending: Sending,
    to_device: Option<Position>,
    /// The user is there as long as the request is.
    _present: Connection,
}

impl Syncing {
    /// What is new for a connection since its position; waits for something if there is nothing.
    pub async fn sliding_sync<'r>(
        &'r self,
        actor: &'r Actor,
        request: &'r SlidingRequest,
    ) -> Result<Found<'r>, SlidingError> {
        let user = syncing_user(actor).map_err(|_| SlidingError::NoUser)?;
        let shared = self.shared();
        let (open, pos, came_with) = connection(shared, actor, user, request).await?;
        let present = shared.parts.presence.connect(actor, user, request.set_presence.0).await?;
        let process = shared.parts.typing.position().start;
        let members = pos.as_ref().and_then(|pos| pos.members_of(process));
        let id = Some(open.connection.row.id);
        let sending = shared.sent_members.sending(user, actor.device_id(), id, members);
        let asked = NumberedRequest::new(request, subscriptions(shared, request).await?)?;
        let mut request = Request {
            shared,
            actor,
            user,
            asked,
            open,
            pos,
            came_with,
            sending,
            to_device: None,
            _present: present,
        };
        if let Some(to_device) = &request.asked.request.extensions.to_device {
            request.to_device = Some(extensions::acknowledge(&request.context().await?, to_device).await?);
        }
        request.find().await
    }

    /// Deletes what is kept of connections that nobody will use. To be run now and then.
    pub async fn sweep(&self) -> Result<(), StoreFault> {
        self.shared().sliding.connections.sweep().await
    }
}

/// The connection of a request, and the answer that it goes on from.
async fn connection(
    shared: &Shared,
    actor: &Actor,
    user: &UserId,
    request: &SlidingRequest,
) -> Result<(Arc<Open>, Option<Pos>, MarkRow), SlidingError> {
    let connections = &shared.sliding.connections;
    let Some(pos) = request.pos.as_deref().filter(|pos| !pos.is_empty()) else {
        let open = connections.begin(actor, user, &request.connection).await?;
        let mark = open.connection.row.current.clone();
        return Ok((open, None, mark));
    };
    let pos: Pos = pos.parse().map_err(|_| SlidingError::UnknownPos)?;
    let published = shared.changes.now().1;
    if pos.database != shared.parts.db.identity() || pos.position > published {
        return Err(SlidingError::UnknownPos);
    }
    let open = connections.find(actor, user, &request.connection, pos.connection).await?;
    let mark = open.connection.mark(pos.answer).filter(|mark| mark.position == pos.position);
    let mark = mark.cloned().ok_or(SlidingError::UnknownPos)?;
    Ok((open, Some(pos), mark))
}

/// Rooms that are subscribed to, those that this server knows.
async fn subscriptions<'r>(
    shared: &Shared,
    request: &'r SlidingRequest,
) -> Result<BTreeMap<RoomNumber, &'r RoomConfig>, StoreFault> {
    if request.subscriptions.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids: Vec<OwnedRoomId> = request.subscriptions.iter().map(|(id, _)| id.clone()).collect();
    let numbers = shared.ids.numbers(&ids).await?;
    let configs = request.subscriptions.iter().map(|(_, config)| config);
    Ok(numbers.into_iter().zip(configs).filter_map(|(number, config)| Some((number?, config))).collect())
}

impl<'a> Request<'a> {
    async fn find(self) -> Result<Found<'a>, SlidingError> {
        let Parts { clock, tasks, .. } = &self.shared.parts;
        let timeout = self.asked.request.timeout.min(MAX_TIMEOUT);
        // A new connection is answered at once.
        let timeout = if self.pos.is_some() { timeout } else { Duration::ZERO };
        let deadline = clock.monotonic().saturating_add(timeout);
        // Entered before the first look: what comes after it wakes.
        let connection = Some(self.open.connection.row.id);
        let waiter = self
            .pos
            .is_some()
            .then(|| self.shared.waiters.enter(self.user, self.actor.device_id(), connection));
        let typing = self.pos.map(|pos| pos.typing);
        let mut reached = Reached::new(&self.open.connection, &self.came_with, typing);
        loop {
            let mut result = self.pass(&reached).run(self.context().await?).await?;
            if waiter.as_ref().is_some_and(Waiter::has_ended) {
                // The newer request tells it. Were it told here too, that one's answer would be given up.
                result.say_nothing();
                return Ok(Found { request: self, result, told: None });
            }
            let left = deadline.saturating_sub(clock.monotonic());
            let waiter = waiter.as_ref().filter(|_| !result.is_news && !left.is_zero());
            let Some(waiter) = waiter.filter(|_| !tasks.is_stopping()) else {
                let told = self.to_tell(reached, &mut result);
                return Ok(Found { request: self, result, told });
            };
            reached.go_on(&mut result, clock.now()).map_err(|_| SlidingError::UnknownPos)?;
            tokio::select! {
                // Each of them leads to another look, and that to the end where its time has come.
                woken = clock.timeout(left, waiter.woken()) => reached.has_passed |= woken.is_some(),
                _ = tasks.shutdown_requested() => {}
            }
        }
    }

    fn pass<'r>(&'r self, reached: &'r Reached) -> Pass<'r> {
        Pass {
            asked: &self.asked,
            connection: &reached.connection,
            came_with: &reached.mark,
            client: self.pos.map(|pos| pos.position),
            typing: reached.typing,
            to_device: self.to_device,
        }
    }

    async fn context(&self) -> Result<RequestContext, StoreFault> {
        Ok(RequestContext {
            shared: Arc::clone(self.shared),
            actor: self.actor.clone(),
            user: self.user.to_owned(),
            filter: Arc::clone(self.shared.filters.everything()),
            state_at: StateAt::End,
            ignored: self.shared.ignored.of(self.user, &self.shared.changes).await?,
            sending: Some(self.sending.clone()),
            notified: None,
        })
    }

    /// What the connection has sent with the answer. Where nothing was found the client stays where it is, unless it would be looked at again and again
    /// what was passed over.
    fn to_tell(&self, reached: Reached, result: &mut PassResult) -> Option<Told> {
        let is_near = || self.shared.changes.now().0.logs.are_near(self.came_with.position);
        let stays = self.pos.is_some() && !result.is_news && !reached.has_passed && is_near();
        (!stays).then(|| reached.told.then(std::mem::take(&mut result.told)))
    }

    /// Where the client goes on from.
    async fn pos_after(&self, result: &PassResult, told: Option<Told>) -> Result<Pos, SlidingError> {
        let Some(told) = told else { return self.pos.ok_or(SlidingError::UnknownPos) };
        let connections = &self.shared.sliding.connections;
        let open = connections.answer(&self.open, &self.came_with, result.to, told).await?;
        Ok(self.pos_of(&open, result.typing))
    }

    fn pos_of(&self, open: &Open, typing: LivePosition) -> Pos {
        let row = &open.connection.row;
        let members: AnswerNumber = self.sending.number();
        Pos {
            database: self.shared.parts.db.identity(),
            connection: row.id,
            answer: row.current.answer,
            position: row.current.position,
            typing,
            members,
        }
    }
}
