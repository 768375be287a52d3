//! Bounded pools for work that keeps a thread: disk reads, password hashes, long resolutions.
//!
//! Owns: the bound. Does not own: what is done when too much waits (its owner counts that).
//!
//! Invariant: no more threads than the pool's bound work at any time, also when those who asked have stopped waiting.

use std::panic::resume_unwind;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Runs closures on threads of their own, so many at a time and no more. Clones share the bound.
#[derive(Clone, Debug)]
pub struct BlockingPool {
    turns: Arc<Semaphore>,
}

/// The runtime has ended; the work was not done, or nobody knows its outcome.
#[derive(Debug, thiserror::Error)]
#[error("the server is stopping")]
pub struct PoolEnded;

impl BlockingPool {
    /// `threads` is how many may work at the same time.
    pub fn new(threads: usize) -> Self {
        Self { turns: Arc::new(Semaphore::new(threads)) }
    }

    /// Waits for a turn. Who gets what the work needs only then holds it for no longer than the work takes.
    pub async fn turn(&self) -> Result<Turn, PoolEnded> {
        self.turns.clone().acquire_owned().await.map(Turn).map_err(|_| PoolEnded)
    }

    /// Waits for a turn and for the work. Work that has begun is finished, and keeps its turn, also if the caller stops waiting; a panic in
    /// it goes on in the caller.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PoolEnded> {
        self.turn().await?.run(work).await
    }
}

/// The right to keep one thread of a pool.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

impl Turn {
    /// Waits for the work, as [`BlockingPool::run`] does.
    #[expect(clippy::disallowed_methods, reason = "these are the bounded pools: a permit for each thread")]
    pub async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PoolEnded> {
        let work = move || {
            let _turn = self;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => PoolEnded,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use futures_util::FutureExt as _;

    use super::BlockingPool;

    /// A client that goes away does not make room for another disk read while its own still runs.
    #[tokio::test]
    async fn work_keeps_its_turn_when_nobody_waits_for_it() {
        let pool = BlockingPool::new(1);
        let (begun, has_begun) = sync_channel(0);
        let (end, ends) = sync_channel::<()>(0);
        let first = pool.run(move || {
            begun.send(()).expect("the test waits");
            ends.recv().expect("the test says when")
        });
        assert!(first.boxed().now_or_never().is_none());
        has_begun.recv().expect("the work has begun");
        let second = pool.run(|| 2);
        let mut second = Box::pin(second);
        assert!(second.as_mut().now_or_never().is_none(), "the pool is full");
        end.send(()).expect("the work still runs");
        assert_eq!(second.await.expect("a turn"), 2);
    }

    #[tokio::test]
    #[should_panic(expected = "in the work")]
    async fn a_panic_reaches_the_caller() {
        let _ = BlockingPool::new(1).run(|| panic!("in the work")).await;
    }
}
