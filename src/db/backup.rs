//! Backup and restore.
//!
//! Owns: making a complete copy of an open database, turning one back into a database. Does not own: when, how many, and where to.
//!
//! Invariants:
//! - A backup holds every commit acknowledged before it began. It was read row by row before it got its name: until then it lies
//!   beside as `<name>.unfinished`, as does a restore, so neither is ever seen in part.
//! - A restored database has a new id and the next restore generation: its positions are above those in its rows, and nobody takes a
//!   position for one that the original gave out after the backup was made.
//! - A restore changes nothing of the backup, and needs a target that is empty or missing.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use plop_base::Random;

use crate::check::{self, Problem};
use crate::db::Db;
use crate::engine::{Engine, EngineError, EngineOptions};
use crate::folder::{self, FolderError, Label, State, io_error};
use crate::keyspace::{Keyspace, KeyspaceInfo, Registry, RegistryError};
use crate::meta::{IdentityRow, LastCommit, OWN_KEYSPACES};
use crate::migrate::{self, MigrateError, Migration};
use crate::open::{OpenError, identity_of, read_row, row, settle};
use crate::position::Position;
use crate::snapshot::Snapshot;

/// Memory for reading a copy once, in bytes.
const CACHE_BYTES: usize = 16 << 20;

/// A finished backup or restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupReport {
    /// Everything up to this position is in it.
    pub position: Position,
    /// Rows read to verify it.
    pub rows: u64,
}

/// Why there is no backup, or nothing was restored. The target is as it was.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Migrations(#[from] MigrateError),
    #[error("{} is in the way", path.display())]
    InTheWay { path: PathBuf },
    #[error("{} is not a backup", folder.display())]
    NotABackup { folder: PathBuf },
    #[error("a database in memory has no files")]
    InMemory,
    #[error("the copy is not sound: {count} problems, the first is {first}")]
    Unsound { first: Problem, count: u64 },
    #[error("the copying was cut short: {0}")]
    CutShort(String),
}

/// Copies an open database into `target`, which must not exist. Writing goes on meanwhile.
pub async fn backup(db: &Db, target: &Path) -> Result<BackupReport, BackupError> {
    let (engine, registry, folder) = db.parts_for_backup();
    let label = folder.ok_or(BackupError::InMemory)?.label();
    beside(target, |copy| async move {
        Label { state: State::Unfinished, ..label }.store(&copy)?;
        let (engine, to) = (engine.clone(), folder::engine_of(&copy));
        blocking(move || engine.checkpoint(&to).map_err(BackupError::from)).await?;
        let engine = open_copy(&copy)?;
        let report = verify(&engine, registry).await?;
        close(engine).await?;
        folder::make_acknowledged(&copy, label.database_id, report.position.commit())?;
        Label { state: State::Backup, ..label }.store(&copy)?;
        Ok(report)
    })
    .await
}

/// Makes a database in `target`, which must be empty or missing, from a backup.
pub async fn restore(
    backup: &Path,
    target: &Path,
    registry: Vec<KeyspaceInfo>,
    migrations: &[Box<dyn Migration>],
    random: &Random,
) -> Result<BackupReport, BackupError> {
    let registry = Registry::new(OWN_KEYSPACES, registry)?;
    let original = folder::look(backup, migrate::newest_schema(migrations)?)?;
    let original = original.filter(|label| label.state == State::Backup);
    let original = original.ok_or_else(|| BackupError::NotABackup { folder: backup.to_owned() })?;
    let label = Label { database_id: random.bytes(), ..folder::next_generation(backup, original)? };
    beside(target, |copy| async move {
        Label { state: State::Unfinished, ..label }.store(&copy)?;
        let (from, to) = (folder::engine_of(backup), folder::engine_of(&copy));
        blocking(move || copy_files(&from, &to)).await?;
        let engine = open_copy(&copy)?;
        let report = verify(&engine, &registry).await?;
        engine.write(&[row::<IdentityRow>(&identity_of(&label))]).map_err(EngineError::from)?;
        let base = settle(&engine, &label, false)?;
        close(engine).await?;
        folder::make_acknowledged(&copy, label.database_id, base.last())?;
        Label { state: State::Live, ..label }.store(&copy)?;
        Ok(report)
    })
    .await
}

/// Lets `make` fill a folder beside `target`, then syncs all of it and gives it its name. Nothing is left of what failed.
async fn beside<F: Future<Output = Result<BackupReport, BackupError>>>(
    target: &Path,
    make: impl FnOnce(PathBuf) -> F,
) -> Result<BackupReport, BackupError> {
    if !is_vacant(target)? {
        return Err(BackupError::InTheWay { path: target.to_owned() });
    }
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".unfinished");
    let copy = target.with_file_name(name);
    folder::create_dirs(folder::parent(target))?;
    match fs::create_dir(&copy) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(BackupError::InTheWay { path: copy });
        }
        made => made.map_err(io_error("make", &copy))?,
    }
    let made = match make(copy.clone()).await {
        Ok(report) => {
            let (copy, target) = (copy.clone(), target.to_owned());
            blocking(move || {
                sync_files(&copy)?;
                fs::rename(&copy, &target).map_err(io_error("name", &target))?;
                folder::sync_folder(folder::parent(&target))?;
                Ok(report)
            })
            .await
        }
        Err(error) => Err(error),
    };
    if made.is_err()
        && let Err(error) = fs::remove_dir_all(&copy)
    {
        tracing::warn!(folder = %copy.display(), %error, "an unfinished copy cannot be removed");
    }
    made
}

fn is_vacant(folder: &Path) -> Result<bool, BackupError> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(io_error("read", folder)(error).into()),
    }
}

fn open_copy(copy: &Path) -> Result<Engine, EngineError> {
    Engine::open(&folder::engine_of(copy), EngineOptions { cache_bytes: CACHE_BYTES, create: false })
}

/// Closing may write and wait for the disk.
async fn close(engine: Engine) -> Result<(), BackupError> {
    blocking(move || {
        drop(engine);
        Ok(())
    })
    .await
}

async fn verify(engine: &Engine, registry: &Registry) -> Result<BackupReport, BackupError> {
    let missing = || OpenError::Missing { row: LastCommit::NAME };
    let last = read_row::<LastCommit>(engine)?.ok_or_else(missing)?;
    let position = Position::end_of_commit(last);
    let report = check::check(&Snapshot::new(position, engine.view()), registry, &[]).await;
    match report.problems.first() {
        None => Ok(BackupReport { position, rows: report.rows() }),
        Some(first) => Err(BackupError::Unsound { first: first.clone(), count: report.problem_count }),
    }
}

fn copy_files(from: &Path, to: &Path) -> Result<(), BackupError> {
    fs::create_dir(to).map_err(io_error("make", to))?;
    for entry in fs::read_dir(from).map_err(io_error("read", from))? {
        let path = entry.map_err(io_error("read", from))?.path();
        let name = path.file_name().unwrap_or_default();
        fs::copy(&path, to.join(name)).map_err(io_error("copy", &path))?;
    }
    Ok(())
}

/// Makes a folder and all files in it and in the folders below durable.
fn sync_files(folder: &Path) -> Result<(), FolderError> {
    for entry in fs::read_dir(folder).map_err(io_error("read", folder))? {
        let path = entry.map_err(io_error("read", folder))?.path();
        if path.is_dir() {
            sync_files(&path)?;
        } else {
            File::open(&path).and_then(|file| file.sync_all()).map_err(io_error("sync", &path))?;
        }
    }
    folder::sync_folder(folder)
}

/// Runs work that waits for the disk where it blocks nobody.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "an admin asks for one backup at a time; it must not take turns with reads"
    )]
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(BackupError::CutShort(error.to_string())))
}
