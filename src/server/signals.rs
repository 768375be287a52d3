//! The operating system's requests to stop.

use std::io;

use plop_base::{Exit, TaskKind, Tasks};
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

/// Shuts down on SIGTERM and SIGINT.
pub fn stop_on_signal(tasks: &Tasks) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stopping = tasks.clone();
    tasks.spawn_once(TaskKind::Listener, "signals", async move {
        tokio::select! {
            _ = terminate.recv() => info!("SIGTERM"),
            _ = interrupt.recv() => info!("SIGINT"),
            _ = stopping.shutdown_requested() => {}
        }
        stopping.shut_down(Exit::Clean);
        Ok(())
    });
    Ok(())
}
