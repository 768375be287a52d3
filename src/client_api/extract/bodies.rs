//! How bodies are read: how large one may be, how long it may take, how much of all of them may be here at a time.
//!
//! Owns: the limits and the budget. Does not own: what a body means ([`super::body`]).
//!
//! Invariants: what counts is what has come, not what was announced. Strangers, whose requests have no session, are believed little: their bodies are
//! small, and they have a part of the budget that is theirs, so that they cannot take that of users.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::FromRef;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use plop_base::Clock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a client may take to send a body after its head. The largest body is a megabyte, unless an administrator chose otherwise.
const DEADLINE: Duration = Duration::from_secs(60);
/// The same for a stranger: a name and a password come with the head.
const STRANGER_DEADLINE: Duration = Duration::from_secs(15);
/// Which part of the budget is that of strangers.
const STRANGERS_PART: usize = 4;

/// What an administrator chose about bodies, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// The largest body of a user's request.
    pub user: usize,
    /// The largest body of a request without a session.
    pub stranger: usize,
    /// All bodies that are being read, those of strangers apart, which may have a quarter of it.
    pub all: usize,
}

/// The reader of bodies. Cheap to clone.
#[derive(Clone)]
pub struct Bodies {
    clock: Clock,
    users: Readers,
    strangers: Readers,
}

/// The state of routes that read bodies.
pub trait HasBodies: Sync {
    fn bodies(&self) -> Bodies;
}

impl<S: Sync> HasBodies for S
where
    Bodies: FromRef<S>,
{
    fn bodies(&self) -> Bodies {
        Bodies::from_ref(self)
    }
}

/// Who is limited together.
#[derive(Clone)]
struct Readers {
    most: usize,
    deadline: Duration,
    budget: Arc<Semaphore>,
}

/// A body that is here whole. It counts until it is dropped.
pub struct ReadBody {
    pub bytes: Bytes,
    _counted: Option<OwnedSemaphorePermit>,
}

/// Why a body is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    TooLarge,
    /// Not in time.
    Late,
    /// So many others are being read that there is no room.
    Busy,
    /// The connection or its framing broke.
    Broken,
}

impl Bodies {
    pub fn new(limits: BodyLimits, clock: &Clock) -> Self {
        let readers = |most, all: usize, deadline| Readers {
            most,
            deadline,
            // Else the largest body could never be read.
            budget: Arc::new(Semaphore::new(all.max(most).min(Semaphore::MAX_PERMITS))),
        };
        Self {
            clock: clock.clone(),
            users: readers(limits.user, limits.all, DEADLINE),
            strangers: readers(
                limits.stranger.min(limits.user),
                limits.all / STRANGERS_PART,
                STRANGER_DEADLINE,
            ),
        }
    }

    /// Reads a body whole.
    pub async fn read(&self, body: Body, is_strangers: bool) -> Result<ReadBody, Unread> {
        let readers = if is_strangers { &self.strangers } else { &self.users };
        self.clock.timeout(readers.deadline, readers.read(body)).await.unwrap_or(Err(Unread::Late))
    }
}

impl Readers {
    async fn read(&self, mut body: Body) -> Result<ReadBody, Unread> {
        // Who says so is not waited for.
        if body.size_hint().lower() > self.most as u64 {
            return Err(Unread::TooLarge);
        }
        let (mut bytes, mut counted) = (BytesMut::new(), None::<OwnedSemaphorePermit>);
        while let Some(frame) = body.frame().await {
            // Trailers say nothing.
            let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
            if data.len() > self.most.saturating_sub(bytes.len()) {
                return Err(Unread::TooLarge);
            }
            let more = u32::try_from(data.len()).map_err(|_| Unread::TooLarge)?;
            let more = Arc::clone(&self.budget).try_acquire_many_owned(more).map_err(|_| Unread::Busy)?;
            match &mut counted {
                Some(counted) => counted.merge(more),
                None => counted = Some(more),
            }
            bytes.extend_from_slice(&data);
        }
        Ok(ReadBody { bytes: bytes.freeze(), _counted: counted })
    }
}
