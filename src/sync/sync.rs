//! The handle, and the loop of a request that waits.
//!
//! Owns: [`Syncing`], when an answer is given. Does not own: what is in it ([`crate::pass`]).
//!
//! Invariants: a request that begins after a write was acknowledged answers with it. One that finds nothing waits until something may concern it,
//! its time is over, a newer request takes its place or the process stops. Looking without finding reads nothing from the database, as long as
//! the changes since the client's position are remembered.

use std::sync::Arc;

use plop_base::Actor;
use plop_base::tasks::TaskError;
use ruma::UserId;

use crate::answer::SyncAnswer;
use crate::device_lists::{self, Reader};
use crate::pass::Pass;
use crate::request::{MAX_TIMEOUT, SyncError, SyncRequest};
use crate::response::DeviceLists;
use crate::shared::{Parts, Shared};
use crate::token::{Holder, SyncToken};
use crate::{to_device, wake};

/// The sync of this server. Cheap to clone.
#[derive(Clone)]
pub struct Syncing(Arc<Shared>);

impl Syncing {
    /// From here on changes are remembered. [`Syncing::run`] and [`Syncing::run_gathering`] wake those who wait.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Shared::new(parts)))
    }

    /// What every request needs.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }

    /// Wakes those who wait, until the process stops: for a background task.
    pub async fn run(&self) -> Result<(), TaskError> {
        wake::run(&self.0).await;
        Ok(())
    }

    /// Wakes those whom somebody's presence or device list concerns, until the process stops: for a background task.
    pub async fn run_gathering(&self) -> Result<(), TaskError> {
        wake::run_gathering(&self.0).await;
        Ok(())
    }

    /// What is new for a user since a position; waits for something if there is nothing.
    pub async fn sync(&self, actor: &Actor, request: &SyncRequest) -> Result<SyncAnswer, SyncError> {
        let user = syncing_user(actor)?;
        let shared = &self.0;
        let filter = shared.filters.get(actor, user, request.filter.as_deref()).await?;
        let since = request.since.as_deref().filter(|since| !since.is_empty());
        let since = since.map(str::parse::<SyncToken>).transpose().map_err(|_| SyncError::NoToken)?;
        // From here on a token that leads nowhere is none: it must delete nothing either.
        let published = shared.changes.now().1;
        let since = since.filter(|since| since.is_known_to(shared.parts.db.identity(), published));
        // The user is there as long as the request is.
        let _connection = shared.parts.presence.connect(actor, user, request.set_presence).await?;
        let position = to_device::since(since, Holder::new(user, actor.device_id()));
        to_device::acknowledge(shared, actor, position).await;
        let sending = (!filter.state.lazy_load.is_disabled()).then(|| {
            let process = shared.parts.typing.position().start;
            let came_with = since.and_then(|since| since.answer_of(process));
            shared.sent_members.sending(user, actor.device_id(), None, came_with)
        });
        self.answer(&Pass { shared, actor, user, filter: &filter, request, sending }, since).await
    }

    /// Whose device lists changed since an answer of `/sync` (client-server API, `GET /keys/changes`).
    pub async fn device_list_changes(&self, actor: &Actor, from: &str) -> Result<DeviceLists, SyncError> {
        let user = syncing_user(actor)?;
        let shared = &self.0;
        let to = shared.changes.now().1;
        let from = from.parse::<SyncToken>().ok();
        let from = from.filter(|from| from.is_known_to(shared.parts.db.identity(), to));
        let since = from.ok_or(SyncError::NoToken)?.position;
        let rooms = shared.memberships.of(user, &shared.changes).await?;
        let reader = Reader { actor, user, rooms: &rooms, since, to };
        Ok(device_lists::between(shared, reader).await?)
    }

    async fn answer(&self, pass: &Pass<'_>, mut since: Option<SyncToken>) -> Result<SyncAnswer, SyncError> {
        let Parts { clock, tasks, .. } = &self.0.parts;
        let timeout = pass.request.timeout.min(MAX_TIMEOUT);
        let deadline = clock.monotonic().saturating_add(timeout);
        // Entered before the first look: what comes after it wakes.
        let waiter =
            (!timeout.is_zero()).then(|| self.0.waiters.enter(pass.user, pass.actor.device_id(), None));
        loop {
            let result = pass.run(since).await?;
            let left = deadline.saturating_sub(clock.monotonic());
            let Some(waiter) = waiter.as_ref().filter(|_| !result.is_news && !left.is_zero()) else {
                return Ok(result.answer);
            };
            if tasks.is_stopping() || waiter.has_ended() {
                return Ok(result.answer);
            }
            // Nothing up to here concerned the client: the next look need not go back further.
            since = Some(result.next);
            tokio::select! {
                // Each of them leads to another look, and that to the end where its time has come.
                _ = clock.timeout(left, waiter.woken()) => {}
                _ = tasks.shutdown_requested() => {}
            }
        }
    }
}

/// The user who syncs. A shadow-banned user notices nothing.
pub fn syncing_user(actor: &Actor) -> Result<&UserId, SyncError> {
    match actor {
        Actor::User { user, .. }
        | Actor::AppService { user, .. }
        | Actor::Guest { user, .. }
        | Actor::AdminAs { user, .. }
        | Actor::ShadowBanned { user, .. }
        | Actor::ServerAs { user } => Ok(user),
        Actor::Server => Err(SyncError::NoUser),
    }
}
