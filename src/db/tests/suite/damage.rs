//! Damage: a flipped bit, a log that lost its end, a file that is gone. It is refused or found, never silent, and nothing is wiped.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use plop_base::Random;
use plop_db::{Db, FolderError, OpenError, Position};
use tempfile::TempDir;

use crate::bed::{copy_folder, runtime};
use crate::ledger::{self, Ledger};
use plop_powerloss::Dice;

/// A closed database with rows in tables and in the log, and what it must hold.
fn made() -> (TempDir, Ledger) {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::default();
    let db = ledger::open(&dir.path().join("db")).unwrap();
    runtime().block_on(async {
        for number in 0..120 {
            for writer in 0..ledger::WRITERS {
                let committed = db.commit(ledger::batch(writer, number)).await.unwrap();
                ledger.acknowledge(writer, number, committed.position);
            }
        }
        db.close().await;
    });
    (dir, ledger)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() { found.extend(files(&entry.path())) } else { found.push(entry.path()) }
    }
    found.sort();
    found
}

fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files(folder).into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn with_extension(folder: &Path, extension: &str) -> Vec<PathBuf> {
    files(folder).into_iter().filter(|path| path.extension().is_some_and(|e| e == extension)).collect()
}

/// How a damaged database showed it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shown {
    Refused,
    Found,
    /// The damage was where nothing is.
    Harmless,
}

fn open_damaged(folder: &Path, ledger: &mut Ledger) -> Shown {
    let Ok(db) = ledger::open(folder) else { return Shown::Refused };
    runtime().block_on(async {
        let report = db.check(&[]).await;
        let compared = ledger.compare(&db).await;
        db.close().await;
        match (report.is_sound(), compared) {
            (true, Ok(())) => Shown::Harmless,
            (false, _) => Shown::Found,
            (true, Err(lost)) => panic!("{}: silent loss: {lost}", folder.display()),
        }
    })
}

#[test]
fn a_flipped_bit_anywhere_is_never_silent() {
    let (dir, mut ledger) = made();
    let mut dice = Dice(11);
    let mut shown: BTreeMap<Shown, u32> = BTreeMap::new();
    let names = files(&dir.path().join("db"));
    for trial in 0..60 {
        let folder = dir.path().join(format!("trial{trial}"));
        copy_folder(&dir.path().join("db"), &folder);
        let name = names[trial % names.len()].strip_prefix(dir.path().join("db")).unwrap();
        let mut bytes = fs::read(folder.join(name)).unwrap();
        if bytes.is_empty() {
            continue;
        }
        let at = dice.below(bytes.len() as u64) as usize;
        bytes[at] ^= 1 << dice.below(8);
        fs::write(folder.join(name), bytes).unwrap();
        *shown.entry(open_damaged(&folder, &mut ledger)).or_default() += 1;
        fs::remove_dir_all(folder).unwrap();
    }
    assert!(shown.contains_key(&Shown::Refused) && shown.contains_key(&Shown::Found), "{shown:?}");
}

#[test]
fn corrupt_value_is_found_by_check_and_answers_reads_with_an_error() {
    let (dir, _) = made();
    let original = dir.path().join("db");
    // What the log holds goes into tables when it is read at the next start.
    runtime().block_on(ledger::open(&original).unwrap().close());
    let mut tables = with_extension(&original, "sst");
    // Which table holds rows of which keyspace, and where, depends on when each was written. The large ones have values.
    tables.sort_by_key(|table| Reverse(fs::metadata(table).unwrap().len()));
    let found = tables.iter().any(|table| {
        (1..8).any(|eighth| {
            let folder = dir.path().join("damaged");
            copy_folder(&original, &folder);
            let table = folder.join(table.strip_prefix(&original).unwrap());
            let mut bytes = fs::read(&table).unwrap();
            let at = bytes.len() * eighth / 8;
            bytes[at] ^= 0x10;
            fs::write(&table, bytes).unwrap();
            let found = damage_of_cells_is_found(&folder);
            fs::remove_dir_all(folder).unwrap();
            found
        })
    });
    assert!(found, "{} tables", tables.len());
}

/// Whether `check` finds that rows of `Cells` are damaged; then they must not be read. Damage elsewhere is no matter of this test.
fn damage_of_cells_is_found(folder: &Path) -> bool {
    let Ok(db) = ledger::open(folder) else { return false };
    runtime().block_on(async {
        let report = db.check(&[]).await;
        let problems: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
        let found = problems.iter().any(|problem| problem.starts_with("cells: "));
        if found {
            assert!(problems.iter().any(|problem| problem.contains("checksum mismatch")), "{problems:?}");
            assert!(ledger::rows::<ledger::Cells>(&db).await.is_err());
        }
        db.close().await;
        found
    })
}

#[test]
fn truncated_log_is_refused_with_both_figures_until_the_loss_is_accepted() {
    let (dir, mut ledger) = made();
    let folder = dir.path().join("db");
    // Of a log that is used again nobody can tell from outside where it ends: all lose nearly everything.
    for log in with_extension(&folder, "log") {
        let bytes = fs::read(&log).unwrap();
        fs::write(&log, &bytes[..bytes.len().min(64)]).unwrap();
    }

    for _ in 0..2 {
        let error = ledger::open(&folder).err().expect("it lost acknowledged writes");
        let text = error.to_string();
        match error {
            OpenError::LostWrites { acknowledged, recovered } => {
                assert!(recovered < acknowledged);
                assert!(
                    text.contains(&format!("{acknowledged:?}")) && text.contains(&format!("{recovered:?}"))
                );
            }
            error => panic!("{error}"),
        }
    }

    let mut options = ledger::options(&folder);
    options.accept_lost_writes = true;
    let db = Db::open(options, &Random::system()).unwrap();
    runtime().block_on(async {
        assert_eq!(db.identity().restore_generation, 1);
        assert!(db.published() > ledger.highest(), "positions of lost writes are not given out again");
        assert!(ledger.compare(&db).await.unwrap_err().contains("is lost"));
        assert!(db.check(&[]).await.is_sound());
        db.close().await;
    });
    let db = ledger::open(&folder).expect("the loss was accepted once");
    runtime().block_on(db.close());
}

#[test]
fn missing_files_are_refused_and_nothing_is_made_in_their_place() {
    let (dir, _) = made();
    let original = dir.path().join("db");
    let manifest = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("MANIFEST");
    let names: Vec<PathBuf> = files(&original)
        .into_iter()
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            ["CURRENT", "PLOP", "acknowledged"].contains(&name.as_str())
                || manifest(path)
                || path.extension().is_some_and(|e| e == "sst")
        })
        .collect();
    assert!(names.len() > 5);
    for name in names {
        let folder = dir.path().join("damaged");
        copy_folder(&original, &folder);
        let gone = folder.join(name.strip_prefix(&original).unwrap());
        fs::remove_file(&gone).unwrap();
        let rows = |folder: &Path| {
            let mut rows = contents(folder);
            // The engine's diary is not data.
            rows.retain(|path, _| !path.file_name().unwrap().to_string_lossy().starts_with("LOG"));
            rows
        };
        let before = rows(&folder);
        assert!(ledger::open(&folder).is_err(), "without {}", gone.display());
        let after = rows(&folder);
        assert!(!gone.exists(), "{} was made anew", gone.display());
        for (path, bytes) in before {
            let kept = after.get(&path).is_some_and(|kept| *kept == bytes);
            assert!(kept, "without {}: {} changed", gone.display(), path.display());
        }
        fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn foreign_and_newer_folders_are_refused_untouched() {
    let dir = tempfile::tempdir().unwrap();
    let foreign = dir.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("CURRENT"), "MANIFEST-000001\n").unwrap();
    let before = contents(dir.path());
    assert!(matches!(ledger::open(&foreign), Err(OpenError::Folder(FolderError::Foreign { .. }))));
    assert_eq!(contents(dir.path()), before);
}

#[test]
fn a_database_in_use_is_refused() {
    let (dir, _) = made();
    let folder = dir.path().join("db");
    let held = ledger::open(&folder).unwrap();
    assert!(matches!(ledger::open(&folder), Err(OpenError::Folder(FolderError::InUse { .. }))));
    runtime().block_on(held.close());
    assert!(ledger::open(&folder).unwrap().published() > Position::START);
}
