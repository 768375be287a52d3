//! The handle: what every operation on accounts needs.
//!
//! Owns: the parts and how they are put together. Does not own: any operation; each file of this crate adds its own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plop_base::{Clock, Random};
use plop_db::{Batch, CommitError, Committed, Db, Guard, Guards, ReadError, Snapshot};
use quick_cache::sync::Cache;
use ruma::{OwnedServerName, OwnedUserId, UserId};

use crate::attempts::AttemptLimits;
use crate::expiring::Expiring;
use crate::parameters::Parameters;
use crate::passwords::{ImpossibleCost, PasswordHasher};
use crate::schema::{UserRow, Users};
use crate::secrets::SecretHash;
use crate::tokens::Session;
use crate::uia_session::UiaSession;
use crate::validation_session::ValidationSession;

/// A person needs minutes for the stages.
const UIA_LIFETIME: Duration = Duration::from_secs(15 * 60);
const MOST_UIA_SESSIONS: usize = 10_000;
/// A program asks for a nonce and uses it at once.
const NONCE_LIFETIME: Duration = Duration::from_secs(60);
const MOST_NONCES: usize = 1_000;
/// The time that the specification's example gives (client-server API, `POST /login/get_token`).
pub(crate) const LOGIN_TOKEN_LIFETIME: Duration = Duration::from_secs(120);
const MOST_LOGIN_TOKENS: usize = 10_000;
/// More than the mails that may be sent in the longest time that one is valid.
const MOST_VALIDATIONS: usize = 50_000;

/// The accounts of one server. Cheap to clone.
#[derive(Clone)]
pub struct Accounts(Arc<Parts>);

pub(crate) struct Parts {
    pub db: Db,
    pub clock: Clock,
    pub random: Random,
    pub server: OwnedServerName,
    pub parameters: Parameters,
    pub hasher: PasswordHasher,
    pub limits: AttemptLimits,
    /// One for each user: see the crate's invariants.
    pub user_guards: Guards,
    /// One for each registration token.
    pub token_guards: Guards,
    /// One for each push key.
    pub pusher_guards: Guards,
    /// Valid sessions by the hash of their token. Written under the user's guard only, so that it never holds what was revoked.
    pub sessions: Cache<SecretHash, Arc<Session>>,
    pub uia: Mutex<Expiring<UiaSession>>,
    pub nonces: Mutex<Expiring<()>>,
    pub login_tokens: Mutex<Expiring<OwnedUserId>>,
    /// Proofs of e-mail addresses that are being made, by the id of the session.
    pub validations: Mutex<Expiring<ValidationSession>>,
    /// What these ids are made with.
    pub validation_key: [u8; 32],
}

impl Accounts {
    /// The accounts in a database. Hashes a password once, to see that its cost is possible.
    pub fn new(
        db: Db,
        clock: Clock,
        random: Random,
        server: OwnedServerName,
        parameters: Parameters,
    ) -> Result<Self, ImpossibleCost> {
        let link_lifetime = parameters.email.as_ref().map_or(Duration::ZERO, |email| email.link_lifetime);
        Ok(Self(Arc::new(Parts {
            hasher: PasswordHasher::new(parameters.passwords, random.clone())?,
            sessions: Cache::new(parameters.cached_sessions),
            limits: AttemptLimits::new(),
            user_guards: Guards::default(),
            token_guards: Guards::default(),
            pusher_guards: Guards::default(),
            uia: Mutex::new(Expiring::new(UIA_LIFETIME, MOST_UIA_SESSIONS)),
            nonces: Mutex::new(Expiring::new(NONCE_LIFETIME, MOST_NONCES)),
            login_tokens: Mutex::new(Expiring::new(LOGIN_TOKEN_LIFETIME, MOST_LOGIN_TOKENS)),
            validations: Mutex::new(Expiring::new(link_lifetime, MOST_VALIDATIONS)),
            validation_key: random.bytes(),
            db,
            clock,
            random,
            server,
            parameters,
        })))
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.0
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.0.db.snapshot()
    }

    /// The row of a user whose account is not deactivated.
    pub(crate) async fn active_user(
        &self,
        snapshot: &Snapshot,
        user: &UserId,
    ) -> Result<Option<UserRow>, ReadError> {
        let row = snapshot.get::<Users>(&user.to_owned()).await?;
        Ok(row.filter(|row| row.deactivated.is_none()))
    }

    /// Commits what ends sessions or changes what they may do, under the user's guard. They leave the cache with the commit, whether the request
    /// is still waiting for it or not; until then nobody else loads a session of the user.
    pub(crate) async fn commit_ending(
        &self,
        batch: Batch,
        sessions: Vec<SecretHash>,
        guard: &Guard,
    ) -> Result<(), CommitError> {
        self.commit_ending_under(batch, sessions, Arc::clone(guard)).await
    }

    /// The same under further guards besides that of the user.
    pub(crate) async fn commit_ending_under(
        &self,
        batch: Batch,
        sessions: Vec<SecretHash>,
        guards: impl Send + 'static,
    ) -> Result<(), CommitError> {
        let parts = Arc::clone(&self.0);
        let forget = move |_: &Committed| {
            for session in &sessions {
                if let Some((_, session)) = parts.sessions.remove(session) {
                    session.until_changed.close();
                }
            }
            drop(guards);
        };
        self.0.db.submit(batch, forget).await?.await.map(drop)
    }
}

/// Locks what lives in memory. The holder of such a lock only moves whole entries, so another one's panic leaves them valid.
pub(crate) fn lock<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
