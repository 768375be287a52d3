//! Opening a database: on a folder or in memory, which identity, from where positions go on.
//!
//! The steps of [`Db::open`], each of which may refuse before the next one changes anything: the folder is looked at and
//! locked ([`crate::folder`]); the engine recovers its log; what it recovered is compared with what was acknowledged
//! ([`crate::acknowledged`]); the identity and the start of the positions are settled; what is missing of the migrations runs
//! ([`crate::migrate`]).

use std::io;
use std::path::PathBuf;

use plop_base::{Exit, Random};

use crate::acknowledged::Acknowledged;
use crate::codec::{CodecError, decode, encode};
use crate::committer::{Hooks, run_as_task, run_on_thread};
use crate::db::{Db, Parts};
use crate::engine::{Engine, EngineError, EngineOptions, MemoryDisk, Write};
use crate::folder::{Folder, FolderError, Label, State};
use crate::keyspace::{Keyspace, KeyspaceInfo, Registry, RegistryError, stored_key};
use crate::meta::{Identity, IdentityRow, LastCommit, OWN_KEYSPACES, Schema, SchemaRow};
use crate::migrate::{self, FIRST_SCHEMA, MigrateError, Migration};
use crate::position::{Position, PositionBase};
use crate::space::Space;

/// How a database is opened.
pub struct Options {
    /// The database's folder; made if it is missing.
    pub path: PathBuf,
    /// The keyspaces of every part of the program.
    pub registry: Vec<KeyspaceInfo>,
    /// From schema 1 to the newest, in their order.
    pub migrations: Vec<Box<dyn Migration>>,
    /// Whether the answer to a durable batch waits for the sync. Without it a power cut loses the last answered requests.
    pub sync: bool,
    /// Open the database although its log lost acknowledged writes: the admin accepts their loss.
    pub accept_lost_writes: bool,
    /// Memory for blocks of tables, in bytes; what is being written takes its share from it.
    pub cache_bytes: usize,
    /// Bytes of the disk left to the engine: with less free, the store is read-only.
    pub keep_free_bytes: u64,
    pub hooks: Hooks,
}

impl Options {
    /// The default: synced, 64 MiB of cache, 128 MiB of the disk kept free, a failed sync ends the process with [`Exit::SyncFailed`].
    pub fn new(path: impl Into<PathBuf>, registry: Vec<KeyspaceInfo>) -> Options {
        Options {
            path: path.into(),
            registry,
            migrations: Vec::new(),
            sync: true,
            accept_lost_writes: false,
            cache_bytes: 64 << 20,
            keep_free_bytes: 128 << 20,
            hooks: Hooks::default(),
        }
    }
}

impl Default for Hooks {
    fn default() -> Self {
        Hooks {
            acknowledged: Box::new(|_| ()),
            #[expect(
                clippy::disallowed_methods,
                reason = "nothing may be flushed, synced or answered after a failed sync"
            )]
            sync_failed: Box::new(|_| std::process::exit(i32::from(Exit::SyncFailed as u8))),
        }
    }
}

/// Why a database was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("the declared keyspaces do not fit together: {0}")]
    Registry(#[from] RegistryError),
    #[error("the database cannot be opened: {0}")]
    Engine(#[from] EngineError),
    #[error("the row {row} of the database cannot be read: {error}")]
    Corrupt { row: &'static str, error: CodecError },
    #[error("the row {row} of the database is missing")]
    Missing { row: &'static str },
    #[error("the engine's folder belongs to another database")]
    Mixed,
    #[error(
        "writes up to {acknowledged:?} were acknowledged, but the log ends at {recovered:?}: what lies between is lost. \
         Restore a backup, or accept the loss"
    )]
    LostWrites { acknowledged: Position, recovered: Position },
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    #[error("a thread cannot be started: {0}")]
    Thread(#[source] io::Error),
    #[error("the acknowledged position cannot be written: {0}")]
    Acknowledged(#[source] io::Error),
}

impl Db {
    /// Opens or makes the database in a folder. Blocks while the log is recovered and migrations run: for the start of the process.
    pub fn open(options: Options, random: &Random) -> Result<Db, OpenError> {
        let Options {
            path,
            registry,
            migrations,
            sync,
            accept_lost_writes,
            cache_bytes,
            keep_free_bytes,
            hooks,
        } = options;
        let registry = Registry::new(OWN_KEYSPACES, registry)?;
        let newest = migrate::newest_schema(&migrations)?;
        let mut folder = Folder::claim(&path, newest, random)?;
        let create = folder.label().state == State::Unfinished;
        let engine = Engine::open(&folder.engine(), EngineOptions { cache_bytes, create })?;
        if !create {
            compare_with_acknowledged(&engine, &mut folder, accept_lost_writes)?;
        }
        let base = settle(&engine, &folder.label(), create)?;
        if create {
            folder.complete()?;
        }
        let mut acknowledged = folder.acknowledged()?;
        acknowledged.advance(base.last()).map_err(OpenError::Acknowledged)?;
        let schema = read_row::<SchemaRow>(&engine)?.ok_or(OpenError::Missing { row: SchemaRow::NAME })?;
        if schema.schema < newest {
            folder.raise_schema(newest)?;
        }
        let space = Some(Space::new(&path, keep_free_bytes));
        let identity = identity_of(&folder.label());
        let hooks = noting(acknowledged, hooks);
        let folder = Some(folder);
        let (db, committer, queue) =
            Db::assemble(Parts { engine, registry, identity, base, sync, hooks, space, folder });
        std::thread::Builder::new()
            .name("plop-commit".to_owned())
            .spawn(move || run_on_thread(committer, queue))
            .map_err(OpenError::Thread)?;
        if schema.schema < newest {
            run_migrations(&db, schema, migrations)?;
        }
        Ok(db)
    }

    /// A database of its own in memory. To be called on a tokio runtime: the committer is a task of it.
    pub fn memory(registry: Vec<KeyspaceInfo>, random: &Random) -> Result<Db, OpenError> {
        Self::memory_on(&MemoryDisk::new(), registry, Hooks::default(), random)
    }

    /// A database on a simulated disk, which another one may open after this one is gone. To be called on a tokio runtime.
    pub fn memory_on(
        disk: &MemoryDisk,
        registry: Vec<KeyspaceInfo>,
        hooks: Hooks,
        random: &Random,
    ) -> Result<Db, OpenError> {
        let registry = Registry::new(OWN_KEYSPACES, registry)?;
        let engine = Engine::in_memory(disk);
        let stored = read_row::<IdentityRow>(&engine)?;
        let identity =
            stored.unwrap_or_else(|| Identity { database_id: random.bytes(), restore_generation: 0 });
        let label = Label {
            database_id: identity.database_id,
            schema: FIRST_SCHEMA,
            restore_generation: identity.restore_generation,
            state: State::Live,
        };
        let base = settle(&engine, &label, stored.is_none())?;
        let parts = Parts { engine, registry, identity, base, sync: true, hooks, space: None, folder: None };
        let (db, committer, queue) = Db::assemble(parts);
        #[expect(
            clippy::disallowed_methods,
            reason = "it ends with the last handle, and a simulation drives it itself"
        )]
        tokio::spawn(run_as_task(committer, queue));
        Ok(db)
    }
}

pub(crate) fn identity_of(label: &Label) -> Identity {
    Identity { database_id: label.database_id, restore_generation: label.restore_generation }
}

/// Refuses a database whose recovery ended below what was acknowledged, unless the loss is accepted: then a new generation begins, as
/// positions of lost writes are known outside.
fn compare_with_acknowledged(engine: &Engine, folder: &mut Folder, accept: bool) -> Result<(), OpenError> {
    let recovered = read_row::<LastCommit>(engine)?.ok_or(OpenError::Missing { row: LastCommit::NAME })?;
    let acknowledged = folder.acknowledged()?.commit();
    if recovered >= acknowledged {
        return Ok(());
    }
    let [acknowledged, recovered] = [acknowledged, recovered].map(|commit| Position::of_commit(commit, 0));
    if !accept {
        return Err(OpenError::LostWrites { acknowledged, recovered });
    }
    tracing::error!(?acknowledged, ?recovered, "acknowledged writes are lost; the admin accepted it");
    folder.raise_generation()?;
    Ok(())
}

/// Writes and syncs who the database is and where its positions start, so that a crash before the first commit does not hand them
/// out again.
pub(crate) fn settle(engine: &Engine, label: &Label, create: bool) -> Result<PositionBase, OpenError> {
    let base = match read_row::<LastCommit>(engine)? {
        None => PositionBase::fresh(),
        Some(last) => PositionBase::after_restart(label.restore_generation, last),
    };
    let identity = identity_of(label);
    let mut rows = vec![row::<IdentityRow>(&identity), row::<LastCommit>(&base.last())];
    if create {
        rows.push(row::<SchemaRow>(&Schema { schema: label.schema, done: None }));
    } else {
        let stored = read_row::<IdentityRow>(engine)?.ok_or(OpenError::Missing { row: IdentityRow::NAME })?;
        if stored.database_id != identity.database_id {
            return Err(OpenError::Mixed);
        }
    }
    engine.write(&rows).map_err(EngineError::from)?;
    engine.sync()?;
    Ok(base)
}

/// Notes each acknowledged position in its file before the caller's hook hears of it.
fn noting(mut acknowledged: Acknowledged, hooks: Hooks) -> Hooks {
    let Hooks { acknowledged: mut told, sync_failed } = hooks;
    let mut failing = false;
    let note = move |position: Position| {
        match acknowledged.advance(position.commit()) {
            Ok(()) => failing = false,
            // The writes themselves are on disk; only a later loss of them would go unnoticed.
            Err(error) if !std::mem::replace(&mut failing, true) => {
                tracing::error!(%error, "the acknowledged position cannot be noted");
            }
            Err(_) => {}
        }
        told(position);
    };
    Hooks { acknowledged: Box::new(note), sync_failed }
}

/// Runs on a runtime of its own, as the caller may be on one that must not be blocked twice.
fn run_migrations(db: &Db, from: Schema, migrations: Vec<Box<dyn Migration>>) -> Result<(), OpenError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(OpenError::Thread)?;
    let running = std::thread::scope(|scope| {
        let run = || {
            runtime.block_on(async {
                let migrated = migrate::run(db, from, &migrations).await;
                if migrated.is_err() {
                    // So that the next attempt finds the folder free.
                    db.clone().close().await;
                }
                migrated
            })
        };
        let thread = std::thread::Builder::new().name("plop-migrate".to_owned()).spawn_scoped(scope, run);
        thread.map(|thread| thread.join())
    });
    match running.map_err(OpenError::Thread)? {
        Ok(migrated) => Ok(migrated?),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

pub(crate) fn read_row<K: Keyspace<Key = ()>>(engine: &Engine) -> Result<Option<K::Value>, OpenError> {
    let stored = engine.read_latest(K::PROFILE, &stored_key::<K>(&()).bytes)?;
    let decoded = stored.map(|bytes| decode(&bytes)).transpose();
    decoded.map_err(|error| OpenError::Corrupt { row: K::NAME, error })
}

pub(crate) fn row<K: Keyspace<Key = ()>>(value: &K::Value) -> Write {
    Write::Put { table: K::PROFILE, key: stored_key::<K>(&()).bytes, value: encode(value) }
}
