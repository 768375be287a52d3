//! Commands on the database of a server that is not running: backup, restore, check.
//!
//! Owns: opening and closing the database (and for the check the store of files) around each of them, and the sentence that reports it. A running server holds
//! its folder, so it cannot be met by surprise: the command is refused.

use std::future::Future;
use std::path::Path;

use plop_base::{Exit, Random};
use plop_config::Config;
use plop_db::{CheckReport, Db};
use plop_media::{BlobCheckError, BlobReport, check_blobs};

use crate::server::{database, media};

/// Why a command did not do what it was asked for.
pub struct Refusal {
    pub exit: Exit,
    pub text: String,
}

impl Refusal {
    fn failed(error: impl ToString) -> Self {
        Self { exit: Exit::Failed, text: error.to_string() }
    }
}

/// Copies the database into `target`, which must not exist, and verifies the copy.
pub fn backup(config: &Config, target: &Path) -> Result<String, Refusal> {
    with_database(config, async |db| {
        let report = plop_db::backup(db, target).await.map_err(Refusal::failed)?;
        Ok(format!("{}: {} rows, all read and sound", target.display(), report.rows))
    })
}

/// Makes the configured database, which must not exist, from a backup.
pub fn restore(config: &Config, backup: &Path) -> Result<String, Refusal> {
    let target = &config.database.path;
    block_on(async {
        let (keyspaces, migrations) = (database::keyspaces(), database::migrations());
        let report = plop_db::restore(backup, target, keyspaces, &migrations, &Random::system())
            .await
            .map_err(Refusal::failed)?;
        Ok(format!("{}: {} rows, all read and sound", target.display(), report.rows))
    })
}

/// Reads every row, follows every reference, and looks for the blob of every file.
pub fn check(config: &Config) -> Result<String, Refusal> {
    with_database(config, async |db| {
        let report = db.check(&database::reference_checks()).await;
        let text = describe(&report);
        let store = media::existing_blobs(config).map_err(BlobCheckError::from);
        let blobs = match store {
            Ok(store) => check_blobs(db, &store).await,
            Err(error) => Err(error),
        };
        let (blobs_are_sound, of_blobs) = match &blobs {
            Ok(blobs) => (blobs.is_sound(), describe_blobs(blobs)),
            Err(error) => (false, format!("the blobs of files cannot be checked: {error}")),
        };
        let text = format!("{text}\n{of_blobs}");
        if report.is_sound() && blobs_are_sound { Ok(text) } else { Err(Refusal::failed(text)) }
    })
}

fn describe_blobs(report: &BlobReport) -> String {
    let BlobReport { blobs, bytes, broken, unnamed, unnamed_bytes } = report;
    let mut lines: Vec<String> = broken.kept.iter().chain(&unnamed.kept).cloned().collect();
    lines.push(format!(
        "{blobs} blobs of {bytes} bytes, {} problems; {} more of {unnamed_bytes} bytes belong to no file",
        broken.count, unnamed.count
    ));
    lines.join("\n")
}

fn describe(report: &CheckReport) -> String {
    let mut lines: Vec<String> = report
        .keyspaces
        .iter()
        .map(|keyspace| format!("{:>12} rows {:>14} bytes  {}", keyspace.rows, keyspace.bytes, keyspace.name))
        .collect();
    lines.extend(report.problems.iter().map(ToString::to_string));
    lines.push(format!("{} rows, {} problems", report.rows(), report.problem_count));
    lines.join("\n")
}

fn with_database(
    config: &Config,
    work: impl AsyncFnOnce(&Db) -> Result<String, Refusal>,
) -> Result<String, Refusal> {
    block_on(async {
        let db = database::open(&config.database, false, &Random::system())
            .map_err(|error| Refusal { exit: Exit::DatabaseRefused, text: error.to_string() })?;
        let outcome = work(&db).await;
        db.close().await;
        outcome
    })
}

fn block_on<T>(work: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(Refusal::failed)?.block_on(work)
}
