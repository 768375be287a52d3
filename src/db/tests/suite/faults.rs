//! A disk that fails: whichever operation it is, nothing panics, nothing acknowledged is lost, a failed sync ends the process.

use plop_base::{Clock, Exit, Random};
use plop_db::{Db, StoreState};

use crate::bed::runtime;
use crate::ledger::{self, Ledger, Until};
use plop_powerloss::{Class, Cut, Dice, Fault, Lab, child_folder, drain};

const OPEN_REFUSED: i32 = 3;
const SYNC_FAILED: i32 = Exit::SyncFailed as i32;

#[test]
#[ignore = "a child of the tests below"]
fn child() {
    let Some(folder) = child_folder() else { return };
    runtime().block_on(async {
        match ledger::open(&folder) {
            Ok(db) => {
                ledger::write(&db, Until::Batches(12)).await;
                // Reads go on, whatever the writes met.
                ledger::rows::<ledger::Cells>(&db).await.unwrap();
                db.close().await;
            }
            Err(error) => {
                println!("\nopen refused: {error}");
                std::process::exit(OPEN_REFUSED);
            }
        }
    });
}

struct Run {
    lab: Lab,
    ledger: Ledger,
    said: String,
    code: i32,
}

/// Runs the child with a fault. It must end by itself and never panic.
fn run(mut lab: Lab, mut ledger: Ledger, fault: Option<Fault>) -> Run {
    let mut command = lab.child("faults::child");
    lab.fail(fault);
    let mut child = command.spawn().unwrap();
    let errors = child.stderr.take();
    let errors = std::thread::spawn(move || drain(errors));
    let said = drain(child.stdout.take());
    let status = child.wait().unwrap();
    let errors = errors.join().unwrap();
    let code = status.code().unwrap_or_else(|| panic!("{fault:?}: {status}\n{said}{errors}"));
    assert!([0, OPEN_REFUSED, SYNC_FAILED].contains(&code), "{fault:?}: {status}\n{said}{errors}");
    assert!(!errors.contains("panicked") && !said.contains("panicked"), "{fault:?}: {said}{errors}");
    ledger.read(&said).unwrap();
    Run { lab, ledger, said, code }
}

impl Run {
    /// Opens what is left, with a disk that works, and compares it with what was acknowledged.
    fn compare(&mut self, fault: &Fault) {
        let db = ledger::open(&self.lab.database()).unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        runtime().block_on(async {
            self.ledger
                .compare(&db)
                .await
                .unwrap_or_else(|error| panic!("{fault:?}: {error}\n{}", self.said));
            db.close().await;
        });
    }
}

/// Fails the k-th operation of a class, in a database that is being made and in one that is opened again.
fn every_kth(class: Class, errno: i32, partial: bool, step: usize) {
    for existing in [false, true] {
        let fresh = || match existing {
            false => (Lab::new(), Ledger::default()),
            true => {
                let first = run(Lab::new(), Ledger::default(), None);
                (first.lab, first.ledger)
            }
        };
        let (lab, ledger) = fresh();
        let operations = run(lab, ledger, None).lab.seen(class);
        assert!(operations > 0);
        for from in (1..=operations).step_by(step) {
            let fault = Fault { class, from, times: 1, errno, partial, name: "" };
            let (lab, ledger) = fresh();
            let mut run = run(lab, ledger, Some(fault));
            // What a disk that failed once holds after a power cut is only what it synced.
            if from % 2 == 0 {
                run.lab.cut_power(Cut::All, &mut Dice(from));
            }
            run.compare(&fault);
        }
    }
}

#[test]
fn every_kth_write_fails() {
    every_kth(Class::Write, libc::EIO, true, 5);
}

#[test]
fn every_kth_write_finds_the_disk_full() {
    every_kth(Class::Write, libc::ENOSPC, true, 7);
}

#[test]
fn every_kth_sync_fails() {
    every_kth(Class::Sync, libc::EIO, false, 3);
}

#[test]
fn every_kth_rename_fails() {
    every_kth(Class::Rename, libc::EIO, false, 1);
}

#[test]
#[ignore = "minutes; every operation instead of every third to seventh"]
fn every_single_operation_fails() {
    every_kth(Class::Write, libc::EIO, true, 1);
    every_kth(Class::Write, libc::ENOSPC, false, 1);
    every_kth(Class::Sync, libc::EIO, false, 1);
}

#[test]
fn a_failed_sync_of_the_log_ends_the_process_and_is_not_retried() {
    for from in [4, 5, 9] {
        let fault =
            Fault { class: Class::Sync, from, times: 1, errno: libc::EIO, partial: false, name: ".log" };
        let mut run = run(Lab::new(), Ledger::default(), Some(fault));
        assert_eq!(run.code, SYNC_FAILED, "{}", run.said);
        assert_eq!((run.lab.fired(), run.lab.seen(Class::Sync)), (1, from), "the log is not synced again");
        run.lab.cut_power(Cut::All, &mut Dice(from));
        run.compare(&fault);
    }
}

#[test]
#[ignore = "a child of the test below"]
fn recovering_child() {
    let Some(folder) = child_folder() else { return };
    runtime().block_on(async {
        let db = Db::open(ledger::options(&folder), &Random::system()).unwrap();
        let task = db.clone();
        tokio::spawn(async move { task.keep_writable(&Clock::system()).await });
        let mut state = db.state();
        println!("\nopen");
        // The parent fills the disk meanwhile.
        ledger::write(&db, Until::Refused).await;
        let read_only = matches!(&*state.borrow_and_update(), StoreState::ReadOnly { .. });
        ledger::rows::<ledger::Cells>(&db).await.unwrap();
        println!("\nrefused, read-only: {read_only}, reads go on");
        state.wait_for(|state| *state == StoreState::Writable).await.unwrap();
        ledger::write(&db, Until::Batches(5)).await;
        println!("\nwritable again");
        db.close().await;
    });
}

/// The disk refuses all writes for a while, and the engine meets that in the middle of its own work.
fn comes_back_from(errno: i32) {
    use std::io::BufRead as _;
    let mut lab = Lab::new();
    let mut child = lab.child("faults::recovering_child").spawn().unwrap();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap());
    let (mut said, mut acknowledged) = (String::new(), 0);
    let mut filled = false;
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).unwrap() == 0 {
            break;
        }
        acknowledged += u64::from(line.starts_with("ack "));
        if acknowledged == 200 && !filled {
            filled = true;
            let times = u64::MAX;
            lab.fail(Some(Fault {
                class: Class::Write,
                from: 1,
                times,
                errno,
                partial: true,
                name: "engine",
            }));
        }
        if line.starts_with("refused, ") {
            lab.fail(None);
        }
        said.push_str(&line);
    }
    let errors = drain(child.stderr.take());
    assert!(child.wait().unwrap().success(), "{said}{errors}");
    assert!(said.contains("\nrefused, read-only: true, reads go on\n"), "{said}");
    assert!(said.contains("\nwritable again\n"), "{said}");
    let mut ledger = Ledger::default();
    ledger.read(&said).unwrap();
    lab.cut_power(Cut::All, &mut Dice(1));
    let db = ledger::open(&lab.database()).unwrap();
    runtime().block_on(async {
        ledger.compare(&db).await.unwrap();
        db.close().await;
    });
}

#[test]
fn a_full_disk_makes_the_store_read_only_until_there_is_room() {
    comes_back_from(libc::ENOSPC);
}

/// From these RocksDB does not recover by itself.
#[test]
fn a_used_up_quota_and_an_input_output_error_make_it_read_only_until_writes_succeed() {
    for errno in [libc::EDQUOT, libc::EIO] {
        comes_back_from(errno);
    }
}
