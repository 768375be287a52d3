//! A disk that is really full: a small file system in memory. Skipped, with a reason, where mounting is not allowed.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use plop_base::{Clock, Random};
use plop_db::{CommitError, Db, Options, StoreState};

use crate::bed::runtime;
use crate::ledger::{self, KEYSPACES, Ledger};

struct SmallDisk {
    dir: tempfile::TempDir,
}

impl SmallDisk {
    fn mount() -> Option<SmallDisk> {
        let dir = tempfile::tempdir().unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=96m", "tmpfs"]).arg(dir.path()).output();
        match mounted {
            Ok(output) if output.status.success() => Some(SmallDisk { dir }),
            Ok(output) => {
                println!("skipped: mount: {}", String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(error) => {
                println!("skipped: mount: {error}");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Leaves no more than `free` bytes.
    fn fill(&self, free: u64) {
        let mut ballast = File::create(self.ballast()).unwrap();
        while ballast.write_all(&[1; 64 << 10]).is_ok() {}
        let size = ballast.metadata().unwrap().len();
        ballast.set_len(size.saturating_sub(free)).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// Writes until refused, looks around, makes room, writes again; then everything acknowledged is there.
fn fill_and_free(keep_free: u64, left: u64) -> Option<String> {
    let disk = SmallDisk::mount()?;
    let folder = disk.path().join("db");
    let options = || {
        let mut options: Options = ledger::options(&folder);
        options.keep_free_bytes = keep_free;
        options
    };
    let mut ledger = Ledger::default();
    let db = Db::open(options(), &Random::system()).unwrap();
    let reason = runtime().block_on(async {
        let mut state = db.state();
        let mut numbers = [0; ledger::WRITERS as usize];
        for _ in 0..50 {
            commit_one(&db, &mut ledger, &mut numbers).await.unwrap();
        }
        disk.fill(left);
        let refused = loop {
            match commit_one(&db, &mut ledger, &mut numbers).await {
                Ok(()) => {}
                Err(error) => break error,
            }
        };
        let CommitError::ReadOnly(reason) = refused else { panic!("{refused:?}") };
        assert!(matches!(&*state.borrow_and_update(), StoreState::ReadOnly { .. }));
        // Reads go on, further writes are refused at once, a probe says why.
        ledger.compare(&db).await.unwrap();
        assert!(matches!(commit_one(&db, &mut ledger, &mut numbers).await, Err(CommitError::ReadOnly(_))));
        // The engine may have tidied up meanwhile.
        disk.fill(0);
        assert!(db.probe().await.is_err());

        fs::remove_file(disk.ballast()).unwrap();
        let clock = Clock::system();
        tokio::select! {
            () = db.keep_writable(&clock) => panic!("the store stopped"),
            changed = state.wait_for(|state| *state == StoreState::Writable) => drop(changed.unwrap()),
        }
        // Nothing was lost, also where the process ends before the next commit.
        db.close().await;
        let db = Db::open(options(), &Random::system()).unwrap();
        for _ in 0..50 {
            commit_one(&db, &mut ledger, &mut numbers).await.unwrap();
        }
        ledger.compare(&db).await.unwrap();
        db.close().await;
        reason.to_string()
    });
    let db = Db::open(options(), &Random::system()).unwrap();
    runtime().block_on(async {
        ledger.compare(&db).await.unwrap();
        assert!(db.check(&[]).await.is_sound());
        db.close().await;
    });
    Some(reason)
}

async fn commit_one(
    db: &Db,
    ledger: &mut Ledger,
    numbers: &mut [u64; ledger::WRITERS as usize],
) -> Result<(), CommitError> {
    for (writer, number) in (0..).zip(numbers.iter_mut()) {
        let committed = db.commit(ledger::batch(writer, *number)).await?;
        ledger.acknowledge(writer, *number, committed.position);
        *number += 1;
    }
    Ok(())
}

#[test]
fn the_guard_stops_writes_while_the_engine_still_has_room() {
    if let Some(reason) = fill_and_free(16 << 20, 17 << 20) {
        assert!(reason.contains("are kept free"), "{reason}");
    }
}

#[test]
fn the_engine_itself_meets_the_end_of_the_disk() {
    if let Some(reason) = fill_and_free(0, 1 << 20) {
        assert!(reason.contains("No space left on device"), "{reason}");
    }
}

#[test]
fn a_full_disk_makes_no_database() {
    let Some(disk) = SmallDisk::mount() else { return };
    disk.fill(8 << 10);
    let folder = disk.path().join("db");
    assert!(Db::open(Options::new(&folder, KEYSPACES.to_vec()), &Random::system()).is_err());
    fs::remove_file(disk.ballast()).unwrap();
    // What was begun is begun again.
    let mut options = ledger::options(&folder);
    options.keep_free_bytes = 0;
    let db = Db::open(options, &Random::system()).unwrap();
    runtime().block_on(db.close());
}
