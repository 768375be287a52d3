//! The end of the read-only state: a test write, tried again and again, that succeeds.

use std::time::Duration;

use plop_base::Clock;

use crate::commit::StoreState;
use crate::db::Db;

/// The first pause before a test write, doubled up to the longest.
const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(10);

impl Db {
    /// Makes the store writable again whenever it has become read-only and a test write succeeds. Runs as a task beside the
    /// database, and returns once the store has stopped.
    pub async fn keep_writable(&self, clock: &Clock) {
        let mut state = self.state();
        loop {
            let changed =
                state.wait_for(|state| *state != StoreState::Writable).await.map(|state| state.clone());
            match changed {
                Ok(StoreState::ReadOnly { .. }) => self.revive(clock).await,
                Ok(StoreState::Writable) => {}
                Ok(StoreState::Stopped) | Err(_) => return,
            }
        }
    }

    async fn revive(&self, clock: &Clock) {
        let mut pause = SHORTEST;
        while matches!(*self.state().borrow(), StoreState::ReadOnly { .. }) {
            clock.sleep(pause).await;
            match self.probe().await {
                Ok(()) => tracing::info!("the store takes writes again"),
                Err(error) => tracing::warn!(%error, "the store is still read-only"),
            }
            pause = LONGEST.min(pause * 2);
        }
    }
}
