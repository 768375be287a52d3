//! Migrations: how rows of an older schema become rows of the newest.
//!
//! Owns: the numbers, running what is missing, resuming what was cut short. Does not own: what a migration does to the keyspaces of
//! the part that declares it.
//!
//! Invariants:
//! - Schemas are numbered 1, 2, 3 ... without gaps; the migration to schema `n` takes a database of schema `n - 1`.
//! - A migration goes in steps, each one batch. The batch also holds how far the migration came, or for the last one the new schema, so a
//!   process that is killed at any moment resumes exactly behind the last step that was committed.
//! - Before its first step the folder says the new schema, so that an older program refuses it ([`crate::folder`]).

use futures_util::future::BoxFuture;

use crate::batch::Batch;
use crate::commit::CommitError;
use crate::db::Db;
use crate::meta::{Schema, SchemaRow};
use crate::snapshot::{ReadError, Snapshot};

/// The schema of the first release; a database that is made has the newest one at once.
pub const FIRST_SCHEMA: u32 = 1;

/// One migration.
pub trait Migration: Send + Sync {
    /// The schema that it leads to.
    fn to(&self) -> u32;

    /// For the log: `number the rooms`.
    fn name(&self) -> &'static str;

    /// The next step: reads, and says what to write. `done` is what the step before returned, `None` for the first.
    fn step<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        done: Option<&'a [u8]>,
    ) -> BoxFuture<'a, Result<Step, ReadError>>;
}

/// What a step of a migration writes. Its batch may be relaxed, but for the last one: an older step lost is done again.
pub enum Step {
    /// There is more to do; `done` is handed to the next step. At most [`MAX_DONE_BYTES`].
    More { batch: Batch, done: Vec<u8> },
    /// The last one.
    Last { batch: Batch },
}

/// A place to resume at is a key or two.
pub const MAX_DONE_BYTES: usize = 16 << 10;

/// The newest schema of a program with these migrations, which must be numbered 2, 3, 4 ...
pub(crate) fn newest_schema(migrations: &[Box<dyn Migration>]) -> Result<u32, MigrateError> {
    let mut newest = FIRST_SCHEMA;
    for migration in migrations {
        newest = newest.saturating_add(1);
        if migration.to() != newest {
            return Err(MigrateError::Misnumbered {
                name: migration.name(),
                to: migration.to(),
                expected: newest,
            });
        }
    }
    Ok(newest)
}

/// Why a migration did not end. What it committed so far stays, and the next start goes on there.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A mistake of the program.
    #[error("migration {name:?} leads to schema {to}, but {expected} is next")]
    Misnumbered { name: &'static str, to: u32, expected: u32 },
    #[error("migration {name:?}: {error}")]
    Read { name: &'static str, error: ReadError },
    #[error("migration {name:?}: {error}")]
    Commit { name: &'static str, error: CommitError },
    /// A mistake of the program.
    #[error("migration {name:?} notes {bytes} bytes to resume at; the limit is {MAX_DONE_BYTES}")]
    DoneTooLarge { name: &'static str, bytes: usize },
}

/// Runs what is missing.
pub(crate) async fn run(
    db: &Db,
    mut now: Schema,
    migrations: &[Box<dyn Migration>],
) -> Result<(), MigrateError> {
    for migration in migrations {
        if migration.to() <= now.schema {
            continue;
        }
        let name = migration.name();
        tracing::info!(name, to = migration.to(), resumed = now.done.is_some(), "migrating the database");
        while now.schema < migration.to() {
            let snapshot = db.snapshot();
            let step = migration.step(&snapshot, now.done.as_deref()).await;
            let (mut batch, next) = match step.map_err(|error| MigrateError::Read { name, error })? {
                Step::More { done, .. } if done.len() > MAX_DONE_BYTES => {
                    return Err(MigrateError::DoneTooLarge { name, bytes: done.len() });
                }
                Step::More { batch, done } => (batch, Schema { schema: now.schema, done: Some(done) }),
                Step::Last { batch } => (batch, Schema { schema: migration.to(), done: None }),
            };
            batch.expect::<SchemaRow>(&(), Some(&now));
            batch.put::<SchemaRow>(&(), &next);
            db.commit(batch).await.map_err(|error| MigrateError::Commit { name, error })?;
            now = next;
        }
    }
    Ok(())
}
