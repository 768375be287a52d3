//! Passwords: hashing and verifying, away from the runtime's threads.
//!
//! Owns: the bounded pool, the cost, the format. Does not own: whose password it is.
//!
//! Invariants: stored hashes are tagged PHC strings and carry their own cost, so that a hash of other parameters stays valid and is
//! made anew at the next login. Verifying for a user who does not exist costs the same as a wrong password. At most `concurrent_hashes`
//! run at a time and a bounded number waits: a flood of logins takes neither the processor nor the memory. Passwords are never printed and are
//! overwritten when dropped.

use std::fmt;
use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use plop_base::{BlockingPool, Random};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// Longest password in bytes. More has no use and would be hashed for nothing.
pub const MAX_PASSWORD_BYTES: usize = 1_024;

/// Logins that wait for a thread, for each that has one. With 20 ms a hash, the last one waits about a second.
const WAITING_PER_THREAD: usize = 50;

/// A secret that a person or an administrator chose.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// What can be set as a password.
    pub(crate) fn check(&self) -> Result<(), PasswordRejected> {
        match self.0.len() {
            0 => Err(PasswordRejected::Empty),
            1..=MAX_PASSWORD_BYTES => Ok(()),
            _ => Err(PasswordRejected::TooLong),
        }
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<&str> for Password {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// A password that cannot be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRejected {
    #[error("the password is empty")]
    Empty,
    #[error("the password is longer than {MAX_PASSWORD_BYTES} bytes")]
    TooLong,
}

/// What a hash costs (argon2id, RFC 9106).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub iterations: u32,
    pub parallelism: u32,
    /// Most hashes at the same time.
    pub concurrent_hashes: u32,
}

impl Default for PasswordCost {
    fn default() -> Self {
        Self { memory_kib: 19_456, iterations: 2, parallelism: 1, concurrent_hashes: 2 }
    }
}

/// Costs that argon2 does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the cost of password hashes is not possible: {0}")]
pub struct ImpossibleCost(String);

/// So many wait for a hash already that one more would wait too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked")]
pub struct Busy;

/// How a password compares with a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Right,
    /// Right, and hashed with other parameters than today's.
    RightButOutdated,
    Wrong,
}

/// The pool.
pub(crate) struct PasswordHasher {
    argon2: Argon2<'static>,
    random: Random,
    running: BlockingPool,
    waiting: Arc<Semaphore>,
    /// What a password is compared with when there is no user: no password has this hash.
    nobody: Arc<str>,
}

impl PasswordHasher {
    /// Hashes once, to have something to compare with for users who do not exist.
    pub fn new(cost: PasswordCost, random: Random) -> Result<Self, ImpossibleCost> {
        let impossible = |error: argon2::Error| ImpossibleCost(error.to_string());
        let PasswordCost { memory_kib, iterations, parallelism, concurrent_hashes } = cost;
        let params = Params::new(memory_kib, iterations, parallelism, None).map_err(impossible)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let unguessable = random.bytes::<32>();
        let nobody = argon2
            .hash_password_with_salt(&unguessable, &random.bytes::<16>())
            .map_err(|error| ImpossibleCost(error.to_string()))?;
        // More threads than tokio's blocking pool has would not run at a time anyway.
        let threads = usize::try_from(concurrent_hashes).map_or(usize::MAX, |threads| threads.clamp(1, 256));
        Ok(Self {
            argon2,
            random,
            running: BlockingPool::new(threads),
            waiting: Arc::new(Semaphore::new(threads * (1 + WAITING_PER_THREAD))),
            nobody: nobody.to_string().into(),
        })
    }

    /// A hash to store, as a PHC string.
    pub async fn hash(&self, password: Password) -> Result<String, Busy> {
        let argon2 = self.argon2.clone();
        let salt = self.random.bytes::<16>();
        let hashed = self.run(move || {
            argon2.hash_password_with_salt(password.as_bytes(), &salt).map(|hash| hash.to_string())
        });
        // The parameters were tried in `new`, the salt has a fixed length, a password is below 4 GiB.
        hashed.await?.map_err(|_| Busy)
    }

    /// Compares with a stored hash; with no hash, spends the same and answers [`Comparison::Wrong`].
    pub async fn verify(&self, password: Password, hash: Option<String>) -> Result<Comparison, Busy> {
        let argon2 = self.argon2.clone();
        let nobody = self.nobody.clone();
        self.run(move || {
            let exists = hash.is_some();
            let comparison = verify(&argon2, &password, hash.as_deref().unwrap_or(&nobody));
            if exists { comparison } else { Comparison::Wrong }
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        // The semaphore is never closed, and the pool lives as long as the runtime: both errors are those of a runtime that ends.
        let _waiting = self.waiting.try_acquire().map_err(|_| Busy)?;
        self.running.run(work).await.map_err(|_| Busy)
    }
}

fn verify(argon2: &Argon2<'_>, password: &Password, hash: &str) -> Comparison {
    let parsed = match PasswordHash::new(hash) {
        Ok(parsed) => parsed,
        Err(error) => {
            tracing::error!(%error, "a stored password hash cannot be read");
            return Comparison::Wrong;
        }
    };
    if argon2.verify_password(password.as_bytes(), &parsed).is_err() {
        return Comparison::Wrong;
    }
    let current = parsed.algorithm == Algorithm::Argon2id.ident()
        && Params::try_from(&parsed).is_ok_and(|params| same_cost(&params, argon2.params()));
    if current { Comparison::Right } else { Comparison::RightButOutdated }
}

/// The length of the output is stored with a hash and not part of its cost.
fn same_cost(one: &Params, other: &Params) -> bool {
    let cost = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
    cost(one) == cost(other)
}

#[cfg(test)]
mod tests;
