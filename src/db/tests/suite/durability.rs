//! Crashes: what was acknowledged survives a killed process and a power cut, whole; without syncing it does not.

use std::io::{BufRead as _, BufReader};
use std::process::Child;

use plop_base::Random;
use plop_db::Db;

use crate::bed::runtime;
use crate::ledger::{self, Ledger, Until};
use plop_powerloss::{Class, Cut, Dice, Fault, Lab, child_folder, drain};

const NO_SYNC: &str = "POWERLOSS_NO_SYNC";

#[test]
#[ignore = "a child of the tests below"]
fn child() {
    let Some(folder) = child_folder() else { return };
    let mut options = ledger::options(&folder);
    options.sync = std::env::var_os(NO_SYNC).is_none();
    runtime().block_on(async {
        let db = Db::open(options, &Random::system()).unwrap();
        ledger::write(&db, Until::Refused).await;
    });
}

/// How a cycle ends.
enum End {
    /// After so many acknowledgements.
    Acknowledged(u64),
    /// At this operation on the disk.
    Operation(Class, u64),
}

fn random_end(dice: &mut Dice) -> End {
    match dice.below(4) {
        0 => End::Operation(Class::Write, 1 + dice.below(600)),
        1 => End::Operation(Class::Sync, 1 + dice.below(300)),
        // Now and then long enough for compactions and for logs that are used again.
        2 if dice.below(6) == 0 => End::Acknowledged(6000),
        _ => End::Acknowledged(1 + dice.below(600)),
    }
}

/// Runs the child until its end, and returns what it printed.
fn run(lab: &mut Lab, end: End, sync: bool) -> String {
    let mut command = lab.child("durability::child");
    if !sync {
        command.env(NO_SYNC, "1");
    }
    let mut until = u64::MAX;
    match end {
        End::Acknowledged(count) => until = count,
        End::Operation(class, from) => {
            lab.fail(Some(Fault { class, from, times: 1, errno: 0, partial: false, name: "" }))
        }
    }
    let mut child: Child = command.spawn().unwrap();
    let errors = child.stderr.take();
    let errors = std::thread::spawn(move || drain(errors));
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let (mut said, mut count) = (String::new(), 0);
    while count < until && lines.read_line(&mut said).unwrap() > 0 {
        count += u64::from(said.rsplit('\n').nth(1).is_some_and(|line| line.starts_with("ack ")));
    }
    child.kill().unwrap();
    // What is still in the pipe was acknowledged too.
    said.push_str(&drain(Some(lines)));
    let status = child.wait().unwrap();
    assert!(!status.success() && status.code().is_none(), "{status} {said} {}", errors.join().unwrap());
    said
}

/// Cycles of a child that is ended at a random moment, a cut, and the comparison with all that was acknowledged. `Err`
/// says what was lost.
fn cycles(count: u64, seed: u64, cuts: Option<&[Cut]>, sync: bool, report: bool) -> Result<(), String> {
    let mut dice = Dice(seed);
    let (mut lab, mut ledger) = (Lab::new(), Ledger::default());
    let (mut acknowledged, mut databases) = (0, 1);
    for cycle in 1..=count {
        if cycle % 10 == 1 && cycle > 1 {
            databases += 1;
            (lab, ledger) = (Lab::new(), Ledger::default());
        }
        ledger.relaxed_too = cuts.is_none();
        let said = run(&mut lab, random_end(&mut dice), sync);
        let now = ledger.read(&said)?;
        acknowledged += now;
        let lost = cuts.map_or("nothing cut".to_owned(), |cuts| {
            lab.cut_power(cuts[dice.below(cuts.len() as u64) as usize], &mut dice)
        });
        if report {
            println!("cycle {cycle:3}: {now:4} acknowledged; {lost}");
        }
        // Every third cycle the next child recovers by itself, and may be cut while it does.
        if cycle % 3 != 0 || cycle == count {
            let failed = |what: String| format!("seed {seed}, cycle {cycle}: {what}");
            let db = ledger::open(&lab.database()).map_err(|error| failed(error.to_string()))?;
            runtime().block_on(async {
                ledger.compare(&db).await.map_err(failed)?;
                db.close().await;
                Ok::<_, String>(())
            })?;
        }
    }
    if report {
        println!(
            "{count} cycles, {databases} databases, {acknowledged} durable batches acknowledged, none lost"
        );
    }
    Ok(())
}

const CUTS: [Cut; 4] = [Cut::All, Cut::Some, Cut::Some, Cut::Torn];

fn cycles_from_env(or: u64) -> u64 {
    std::env::var("POWERLOSS_CYCLES").ok().and_then(|n| n.parse().ok()).unwrap_or(or)
}

fn seed_from_env(or: u64) -> u64 {
    std::env::var("POWERLOSS_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(or)
}

#[test]
fn kill_loses_nothing_that_was_answered() {
    cycles(12, 1, None, true, false).unwrap();
}

#[test]
fn power_cut_loses_nothing_that_was_acknowledged() {
    cycles(12, 2, Some(&CUTS), true, false).unwrap();
}

#[test]
fn power_cut_does_lose_it_when_syncing_is_off() {
    let lost = (0..8).map(|seed| cycles(3, seed, Some(&[Cut::All]), false, false)).find_map(Result::err);
    let lost = lost.expect("without syncing, acknowledged batches get lost");
    assert!(lost.contains("is lost"), "{lost}");
}

/// The long run: `POWERLOSS_CYCLES` (200), `POWERLOSS_SEED`.
#[test]
#[ignore = "minutes; run by hand, its output is kept"]
fn power_cut_200_cycles() {
    cycles(cycles_from_env(200), seed_from_env(7), Some(&CUTS), true, true).unwrap();
}

/// The long run without a cut.
#[test]
#[ignore = "minutes; run by hand"]
fn kill_200_cycles() {
    cycles(cycles_from_env(200), seed_from_env(8), None, true, true).unwrap();
}
