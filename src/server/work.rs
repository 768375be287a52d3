//! What the parts do by themselves.
//!
//! Owns: which of their loops run, what becomes of each at the stop, how often what is old is swept away. Does not own: what they do.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use plop_base::tasks::TaskError;
use plop_base::{Clock, TaskKind, Tasks};
use plop_config::Config;
use plop_db::Db;
use plop_rooms::ops::transactions;
use plop_rooms::redaction;
use plop_rooms::upkeep::Upkeep;

use super::domain::Domain;

/// Starts all of it.
pub fn spawn(domain: &Domain, config: &Config, tasks: &Tasks, db: &Db, clock: &Clock) {
    in_memory(domain, tasks);
    follow(domain, tasks);
    let every = Duration::from_secs(config.database.sweep_minutes.get().saturating_mul(60));
    sweep(domain, tasks, clock, every);
    forget(db, tasks, clock, every);
    forget_ended(domain, tasks, clock, every);
}

/// What lives in memory, and ends with the process.
fn in_memory(domain: &Domain, tasks: &Tasks) {
    let typing = Arc::clone(&domain.typing);
    tasks.spawn(TaskKind::Maintenance, "typing", move || {
        endless(typing.clone(), async |typing| typing.run().await)
    });
    let presence = Arc::clone(&domain.presence);
    tasks.spawn(TaskKind::Maintenance, "presence", move || {
        endless(presence.clone(), async |presence| presence.run().await)
    });
    let presence = Arc::clone(&domain.presence);
    tasks.spawn(TaskKind::Maintenance, "presence storing", move || {
        endless(presence.clone(), async |presence| presence.run_storing().await)
    });
    let sync = domain.sync.clone();
    tasks.spawn(TaskKind::Follower, "sync", move || {
        let sync = sync.clone();
        async move { sync.run().await }
    });
    let sync = domain.sync.clone();
    tasks.spawn(TaskKind::Follower, "sync of presence and device lists", move || {
        let sync = sync.clone();
        async move { sync.run_gathering().await }
    });
}

/// What follows rows and streams; each goes on from its own progress after a stop.
fn follow(domain: &Domain, tasks: &Tasks) {
    let (upkeep, stopping) = (Upkeep::new(domain.rooms.clone(), domain.accounts.clone()), tasks.clone());
    tasks.spawn(TaskKind::Follower, "rooms follow accounts", move || {
        let upkeep = upkeep.clone();
        until_stopped(async move { upkeep.run().await }, stopping.clone())
    });
    let (rooms, stopping) = (domain.rooms.clone(), tasks.clone());
    tasks.spawn(TaskKind::Follower, "guests leave", move || {
        let rooms = rooms.clone();
        until_stopped(async move { rooms.run_dismissing_guests().await }, stopping.clone())
    });
    let (directory, stopping) = (domain.directory.clone(), tasks.clone());
    tasks.spawn(TaskKind::Follower, "user directory", move || {
        let directory = directory.clone();
        until_stopped(async move { directory.run().await }, stopping.clone())
    });
    let (search, stopping) = (domain.search.clone(), tasks.clone());
    tasks.spawn(TaskKind::Follower, "search index", move || {
        let search = search.clone();
        until_stopped(async move { search.run().await }, stopping.clone())
    });
    let (delayed, stopping) = (domain.delayed.clone(), tasks.clone());
    tasks.spawn(TaskKind::Follower, "delayed events", move || {
        let delayed = delayed.clone();
        until_stopped(async move { delayed.run().await }, stopping.clone())
    });
}

/// What has had its time goes, now and then.
fn sweep(domain: &Domain, tasks: &Tasks, clock: &Clock, every: Duration) {
    let (accounts, pause) = (domain.accounts.clone(), clock.clone());
    tasks.spawn(TaskKind::Maintenance, "ending idle guests", move || {
        let accounts = accounts.clone();
        again_and_again(pause.clone(), every, async move || accounts.sweep_guests().await)
    });
    let (delayed, pause) = (domain.delayed.clone(), clock.clone());
    tasks.spawn(TaskKind::Maintenance, "forgetting delayed events", move || {
        let delayed = delayed.clone();
        again_and_again(pause.clone(), every, async move || delayed.sweep().await)
    });
    let (media, pause) = (domain.media.clone(), clock.clone());
    tasks.spawn(TaskKind::Maintenance, "media", move || {
        let media = media.clone();
        again_and_again(pause.clone(), every, async move || media.sweep().await)
    });
}

/// What rooms keep for a time only goes, now and then: originals of redacted events, answered transactions.
fn forget(db: &Db, tasks: &Tasks, clock: &Clock, every: Duration) {
    let (db_of_originals, pause) = (db.clone(), clock.clone());
    tasks.spawn(TaskKind::Maintenance, "destroying originals", move || {
        let (db, clock) = (db_of_originals.clone(), pause.clone());
        again_and_again(pause.clone(), every, async move || {
            redaction::destroy_originals(&db, clock.now()).await
        })
    });
    let (db, pause) = (db.clone(), clock.clone());
    tasks.spawn(TaskKind::Maintenance, "forgetting transactions", move || {
        let (db, clock) = (db.clone(), pause.clone());
        again_and_again(pause.clone(), every, async move || transactions::forget_old(&db, clock.now()).await)
    });
}

/// What parts keep for devices and accounts goes, now and then, some time after these: each reads the streams of ends with a cursor of its own, and
/// what all have read is trimmed.
fn forget_ended(domain: &Domain, tasks: &Tasks, clock: &Clock, every: Duration) {
    let (to_device, pause) = (domain.to_device.clone(), clock.clone());
    tasks.spawn(TaskKind::Maintenance, "forgetting messages to devices", move || {
        let to_device = to_device.clone();
        again_and_again(pause.clone(), every, async move || to_device.sweep().await)
    });
    let (keys, pause) = (domain.keys.clone(), clock.clone());
    tasks.spawn(TaskKind::Maintenance, "forgetting keys", move || {
        let (keys, clock) = (keys.clone(), pause.clone());
        again_and_again(pause.clone(), every, async move || keys.sweep(clock.now()).await)
    });
    let (backups, pause) = (domain.key_backups.clone(), clock.clone());
    tasks.spawn(TaskKind::Maintenance, "forgetting key backups", move || {
        let backups = backups.clone();
        again_and_again(pause.clone(), every, async move || backups.sweep().await)
    });
    let (sync, pause) = (domain.sync.clone(), clock.clone());
    tasks.spawn(TaskKind::Maintenance, "forgetting connections of sliding sync", move || {
        let sync = sync.clone();
        again_and_again(pause.clone(), every, async move || sync.sweep().await)
    });
    let (accounts, pause) = (domain.accounts.clone(), clock.clone());
    tasks.spawn(TaskKind::Maintenance, "trimming the streams of ends", move || {
        let accounts = accounts.clone();
        again_and_again(pause.clone(), every, async move || accounts.trim_ends().await)
    });
}

/// A loop of a part as a task; it ends with the process.
async fn endless<T, F: Future<Output = ()>>(
    part: Arc<T>,
    run: impl Fn(Arc<T>) -> F,
) -> Result<(), TaskError> {
    run(part).await;
    Ok(())
}

/// Until the process stops; what is then undone is on disk still.
async fn until_stopped<E>(follow: impl Future<Output = Result<(), E>>, tasks: Tasks) -> Result<(), TaskError>
where
    TaskError: From<E>,
{
    tokio::select! {
        ended = follow => Ok(ended?),
        _ = tasks.shutdown_requested() => Ok(()),
    }
}

/// With a pause after each time.
async fn again_and_again<E>(
    clock: Clock,
    every: Duration,
    sweep: impl AsyncFn() -> Result<(), E>,
) -> Result<(), TaskError>
where
    TaskError: From<E>,
{
    loop {
        sweep().await?;
        clock.sleep(every).await;
    }
}
