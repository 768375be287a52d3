//! Letting others run.
//!
//! Owns: when a long loop gives way. What it goes through may all be in memory: then nothing in it waits, and nobody else would get a turn.

/// Lets others run after each `at_once` steps.
pub async fn take_turns(step: usize, at_once: usize) {
    if step % at_once == at_once - 1 {
        tokio::task::yield_now().await;
    }
}
