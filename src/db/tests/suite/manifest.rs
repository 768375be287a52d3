//! The engine's list of its files after a power cut: records that were never wholly written are cut off, damaged ones are refused.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::bed::{copy_folder, runtime};
use crate::ledger::{self, Ledger};

const SECTOR: usize = 512;
const BLOCK: usize = 32 << 10;
const HEAD: usize = 7;

/// A closed database that was opened a few times, each time with logs to recover and to delete, and what it must hold.
fn made() -> (TempDir, Ledger) {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::default();
    for opening in 0..2 {
        let db = ledger::open(&dir.path().join("db")).unwrap();
        runtime().block_on(async {
            for number in opening * 40..(opening + 1) * 40 {
                for writer in 0..ledger::WRITERS {
                    let committed = db.commit(ledger::batch(writer, number)).await.unwrap();
                    ledger.acknowledge(writer, number, committed.position);
                }
            }
            db.close().await;
        });
    }
    // Beside other work the engine compacts more often, and notes each time what it did. Opened again it begins a list of what is there.
    if fs::metadata(manifest(&dir.path().join("db"))).unwrap().len() > (BLOCK / 2) as u64 {
        let db = ledger::open(&dir.path().join("db")).unwrap();
        runtime().block_on(db.close());
    }
    (dir, ledger)
}

fn manifest(folder: &Path) -> PathBuf {
    let engine = folder.join("engine");
    let current = fs::read_to_string(engine.join("CURRENT")).unwrap();
    engine.join(current.trim_end())
}

/// Where its records are; it is smaller than a block, so each is of one piece.
fn records(bytes: &[u8]) -> Vec<Range<usize>> {
    assert!(bytes.len() < BLOCK);
    let mut records: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let length = u16::from_le_bytes([bytes[at + 4], bytes[at + 5]]);
        records.push(at..at + HEAD + usize::from(length));
        at = records.last().unwrap().end;
    }
    records
}

/// A copy of the database with another manifest.
fn with_manifest(dir: &TempDir, bytes: &[u8]) -> PathBuf {
    let folder = dir.path().join("trial");
    let _ = fs::remove_dir_all(&folder);
    copy_folder(&dir.path().join("db"), &folder);
    fs::write(manifest(&folder), bytes).unwrap();
    folder
}

/// Whether it opens; then everything has to be there.
fn opens(folder: &Path, ledger: &mut Ledger, what: &str) -> Result<(), String> {
    let db = ledger::open(folder).map_err(|error| error.to_string())?;
    runtime().block_on(async {
        ledger.compare(&db).await.unwrap_or_else(|lost| panic!("{what}: {lost}"));
        assert!(db.check(&[]).await.is_sound(), "{what}");
        db.close().await;
    });
    Ok(())
}

#[test]
fn records_torn_by_a_power_cut_are_cut_off_and_kept_aside() {
    let (dir, mut ledger) = made();
    let synced = fs::read(manifest(&dir.path().join("db"))).unwrap();
    let largest = records(&synced).into_iter().max_by_key(Range::len).unwrap();
    // A larger record than the engine made here, so that each sector of it can be missing, and a whole one after it.
    let record = [&[0xa5; 4][..], &1500u16.to_le_bytes(), &[1], &[0xa5; 1500], &synced[largest]].concat();
    let appended = [&synced[..], &record].concat();
    let torn_end = synced.len() + HEAD + 1500;
    for sector in (synced.len() / SECTOR * SECTOR..torn_end).step_by(SECTOR) {
        let mut bytes = appended.clone();
        bytes[sector.max(synced.len())..torn_end.min(sector + SECTOR)].fill(0);
        let folder = with_manifest(&dir, &bytes);
        let aside = manifest(&folder).with_extension("torn");
        opens(&folder, &mut ledger, "torn")
            .unwrap_or_else(|error| panic!("without sector {sector}: {error}"));
        assert_eq!(fs::read(aside).unwrap(), bytes, "what was cut is kept");
    }
    // The same record without a missing sector was damaged by something else.
    let error = opens(&with_manifest(&dir, &appended), &mut ledger, "damaged").unwrap_err();
    assert!(error.contains("checksum mismatch"), "{error}");
}
