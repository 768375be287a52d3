//! Migrations: a stored database of schema 1 becomes one of the newest schema, whatever cuts the way short.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::BoxFuture;
use plop_base::Random;
use plop_db::{
    Batch, CodecError, Db, Direction, FolderError, KeyRange, MigrateError, Migration, OpenError, Options,
    ReadError, Snapshot, Step,
};

use crate::bed::{copy_folder, runtime};
use crate::ledger::rows;

plop_db::keyspaces! {
    const KEYSPACES;
    /// Schema 1: a name for each number.
    OldNames = 110 "old_names" Scan { u64 => String }
    /// Schema 2: with its length.
    NewNames = 111 "new_names" Scan { u64 => (String, u64) }
}

const ROWS: u64 = 100;
const ROWS_OF_A_STEP: usize = 9;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/schema-1")
}

/// Writes the stored database. Only ever run for a new schema; the folder of a released one stays as it is.
#[test]
#[ignore = "makes the fixture"]
fn make_the_fixture() {
    let folder = fixture();
    assert!(!folder.exists(), "a stored database is never written again");
    // Half of the rows end up in tables, when the second opening recovers the log, half in the log.
    for half in [0..ROWS / 2, ROWS / 2..ROWS] {
        let db = Db::open(Options::new(&folder, KEYSPACES.to_vec()), &Random::seeded(1)).unwrap();
        runtime().block_on(async {
            let mut batch = Batch::durable();
            for number in half {
                batch.put::<OldNames>(&number, &name(number));
            }
            db.commit(batch).await.unwrap();
            db.close().await;
        });
    }
    // The engine's diary names this machine.
    for entry in fs::read_dir(folder.join("engine")).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().starts_with("LOG") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}

fn name(number: u64) -> String {
    "n".repeat(number as usize % 17)
}

/// Moves rows from the old keyspace to the new one; fails before step `fail_at`, counted over all runs.
struct MoveNames {
    steps: Arc<AtomicU64>,
    fail_at: u64,
}

impl Migration for MoveNames {
    fn to(&self) -> u32 {
        2
    }

    fn name(&self) -> &'static str {
        "move the names"
    }

    fn step<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        done: Option<&'a [u8]>,
    ) -> BoxFuture<'a, Result<Step, ReadError>> {
        Box::pin(async move {
            if self.steps.fetch_add(1, Ordering::Relaxed) == self.fail_at {
                return Err(ReadError::Corrupt { keyspace: "old_names", error: CodecError::Truncated });
            }
            let last = done.map(|done| u64::from_be_bytes(done.try_into().unwrap()));
            let mut range = KeyRange::<OldNames>::all();
            if let Some(last) = last {
                range = range.after(&last);
            }
            let page = snapshot.scan(range, Direction::Forward, ROWS_OF_A_STEP).await?;
            let mut batch = Batch::durable();
            for (number, name) in &page.rows {
                batch.expect::<NewNames>(number, None);
                batch.put::<NewNames>(number, &(name.clone(), name.len() as u64));
                batch.delete::<OldNames>(number);
            }
            Ok(match page.rows.last() {
                Some((number, _)) if page.more => Step::More { batch, done: number.to_be_bytes().to_vec() },
                _ => Step::Last { batch },
            })
        })
    }
}

fn stored() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("db");
    copy_folder(&fixture(), &folder);
    (dir, folder)
}

fn open(folder: &Path, migrations: Vec<Box<dyn Migration>>) -> Result<Db, OpenError> {
    let mut options = Options::new(folder, KEYSPACES.to_vec());
    options.migrations = migrations;
    Db::open(options, &Random::system())
}

async fn assert_migrated(db: &Db) {
    assert!(rows::<OldNames>(db).await.unwrap().is_empty());
    let expected: Vec<_> =
        (0..ROWS).map(|number| (number, (name(number), name(number).len() as u64))).collect();
    assert_eq!(rows::<NewNames>(db).await.unwrap(), expected);
    assert!(db.check(&[]).await.is_sound());
}

#[test]
fn a_stored_database_of_schema_1_still_opens() {
    let (_dir, folder) = stored();
    let db = open(&folder, Vec::new()).unwrap();
    runtime().block_on(async {
        let expected: Vec<_> = (0..ROWS).map(|number| (number, name(number))).collect();
        assert_eq!(rows::<OldNames>(&db).await.unwrap(), expected);
        db.close().await;
    });
}

#[test]
fn a_migration_that_fails_at_any_step_goes_on_there() {
    let all = ROWS.div_ceil(ROWS_OF_A_STEP as u64);
    for fail_at in 0..=all {
        let (_dir, folder) = stored();
        let steps = Arc::new(AtomicU64::new(0));
        let migrations =
            || -> Vec<Box<dyn Migration>> { vec![Box::new(MoveNames { steps: steps.clone(), fail_at })] };
        let first = open(&folder, migrations());
        let db = if fail_at < all {
            assert!(matches!(first, Err(OpenError::Migrate(MigrateError::Read { .. }))));
            // An older program must not touch what is half migrated.
            assert!(matches!(
                open(&folder, Vec::new()),
                Err(OpenError::Folder(FolderError::Newer { found: 2, .. }))
            ));
            open(&folder, migrations()).unwrap()
        } else {
            first.unwrap()
        };
        runtime().block_on(async {
            assert_migrated(&db).await;
            db.close().await;
        });
        assert_eq!(steps.load(Ordering::Relaxed), all + u64::from(fail_at < all), "no step is done twice");
        // Once only.
        let db = open(&folder, migrations()).unwrap();
        runtime().block_on(db.close());
        assert_eq!(steps.load(Ordering::Relaxed), all + u64::from(fail_at < all));
    }
}

#[test]
fn migrations_are_numbered_without_gaps() {
    let (_dir, folder) = stored();
    let steps = Arc::new(AtomicU64::new(0));
    let twice =
        [0, 0].map(|_| Box::new(MoveNames { steps: steps.clone(), fail_at: 99 }) as Box<dyn Migration>);
    let error = open(&folder, twice.into()).err().unwrap();
    assert!(matches!(error, OpenError::Migrate(MigrateError::Misnumbered { expected: 3, .. })), "{error}");
}
