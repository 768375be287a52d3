//! `plop-bench crash`: mixed load, `kill -9` at a random moment, restart, and a look at whether everything that was
//! acknowledged is there and nothing was done twice. The power can be cut at that moment as well.
//!
//! Each cycle checks what was acknowledged since the last; every hundredth and the last check everything. The state file
//! keeps what was acknowledged, so that a run can be resumed.

mod check;
mod devices;
mod facts;
mod files;
mod journal;
mod power;
mod values;
mod workload;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::client::{Registration, register};
use crate::http::{Connection, Failure, Target};
use crate::progress::Progress;
use crate::server::{Launcher, Running, ServerError};
use check::{Checker, Violation};
use facts::{Facts, KnownAccount, Record};
use journal::{Journal, JournalError};
use power::Power;
use values::CellKind;
use workload::{Worker, account_record, room_body, room_records, session};

#[derive(Debug, Args)]
pub struct Options {
    /// A launcher script (bench/servers/).
    #[arg(long)]
    launcher: PathBuf,
    /// The server's data folder; kept at the end.
    #[arg(long)]
    data: PathBuf,
    /// Where the server is to listen.
    #[arg(long, default_value = "127.0.0.1:18009")]
    bind: String,
    /// The secret of /_synapse/admin/v1/register.
    #[arg(long, default_value = "plop-bench", env = "SHARED_SECRET", hide_env_values = true)]
    shared_secret: String,
    /// What was acknowledged. If it is there, the run goes on where it stopped.
    #[arg(long)]
    state: PathBuf,
    /// The cycle to end after, counted from the first run.
    #[arg(long, default_value_t = 20)]
    cycles: u64,
    /// The longest time under load before a kill, in milliseconds. A slow server needs more to do anything in it.
    #[arg(long, default_value_t = 400)]
    load_ms: u64,
    #[arg(long, default_value_t = 8)]
    workers: usize,
    /// The seed of the load and of the moments of the kills; random by default. It is printed.
    #[arg(long)]
    seed: Option<u64>,
    /// Cut the power as well: after each kill the data folder loses, wholly or in part, what was not synced.
    #[arg(long)]
    power_cuts: bool,
}

/// What keeps the driver from going on. Not what it looks for: that is a [`Violation`].
#[derive(Debug, thiserror::Error)]
pub enum CrashError {
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("set-up: {0}")]
    SetUp(#[from] Failure),
    #[error("{0}")]
    Path(#[from] std::io::Error),
    #[error("power cut: {0}")]
    Power(std::io::Error),
}

/// Everything is checked after so many cycles.
const CHECK_ALL: u64 = 100;
/// Rooms that a cycle works in.
const ROOMS: usize = 8;
/// One start in so many is killed as well, within this time.
const KILLED_STARTS: u32 = 8;
const START_MS: u64 = 300;

/// What happened so far.
#[derive(Debug, Default)]
struct Totals {
    kills: u64,
    acknowledged: BTreeMap<&'static str, u64>,
    in_doubt: u64,
    refused: BTreeMap<String, u64>,
    full_checks: u64,
}

struct Driver {
    launcher: Launcher,
    /// None where processes are killed and the machine goes on.
    power: Option<Power>,
    target: Target,
    registration: Registration,
    journal: Journal,
    facts: Facts,
    totals: Totals,
    progress: Progress,
    random: StdRng,
    options: Options,
    /// The first part of the names of this process's cycles: a resumed run never uses a transaction id again.
    epoch: u64,
}

pub async fn crash(options: Options) -> Result<ExitCode, CrashError> {
    let (journal, mut resumed) = Journal::open(&options.state)?;
    resumed.facts.devices.resume();
    let mut launcher = Launcher {
        script: options.launcher.clone(),
        data: std::path::absolute(&options.data)?,
        bind: options.bind.clone(),
        shared_secret: options.shared_secret.clone(),
        environment: Vec::new(),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = options.seed.unwrap_or(now.subsec_nanos().into());
    println!("seed {seed}, from cycle {} to {}", resumed.cycle + 1, options.cycles);
    launcher.setup()?;
    let power =
        options.power_cuts.then(|| Power::of(&launcher.data)).transpose().map_err(CrashError::Power)?;
    launcher.environment = power.as_ref().map(Power::environment).unwrap_or_default();
    resumed.facts.values.power_cuts = power.is_some();
    let mut driver = Driver {
        target: launcher.target().map_err(ServerError::from)?,
        launcher,
        registration: Registration::SharedSecret(options.shared_secret.clone()),
        power,
        journal,
        facts: resumed.facts,
        totals: Totals::default(),
        progress: Progress::new(),
        random: StdRng::seed_from_u64(seed.wrapping_add(resumed.cycle)),
        options,
        epoch: now.as_secs(),
    };
    let began = Instant::now();
    let ended = driver.cycles(resumed.cycle).await;
    driver.progress.finish();
    driver.launcher.stop_helpers()?;
    let violations = ended?;
    driver.summary(began.elapsed(), &violations);
    Ok(if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Driver {
    /// All cycles; ends early at the first that finds a violation.
    async fn cycles(&mut self, done: u64) -> Result<Vec<Violation>, CrashError> {
        self.power_on()?;
        let (mut running, _) = self.launcher.start().await?;
        if self.facts.rooms.is_empty() {
            self.set_up().await?;
        } else {
            let violations = self.check(&[], true).await?;
            if !violations.is_empty() {
                return Ok(violations);
            }
        }
        self.progress.scenario("crash");
        self.progress.begin_setup(self.options.cycles.saturating_sub(done) as usize);
        for number in done + 1..=self.options.cycles {
            let name = format!("{:x}-{number}", self.epoch);
            self.journal.began(number, &name, self.power.is_some())?;
            let records = self.load(&name, &mut running).await?;
            self.journal.ended(&name, &records)?;
            self.count(&records);
            records.iter().for_each(|record| self.facts.apply(record));
            self.facts.complete(&name);
            running = self.start().await?;
            let everything = number.is_multiple_of(CHECK_ALL) || number == self.options.cycles;
            let violations = self.check(&records, everything).await?;
            if !violations.is_empty() {
                self.progress.print(&format!("cycle {number} ({name}) found violations"));
                if let Some(lost) = self.power.as_ref().and_then(|power| power.last) {
                    self.progress.print(&format!("its power cut was {lost}"));
                }
                return Ok(violations);
            }
            self.progress.advance();
        }
        running.stop().await?;
        Ok(Vec::new())
    }

    /// The first accounts and rooms.
    async fn set_up(&mut self) -> Result<(), CrashError> {
        let name = format!("{:x}-0", self.epoch);
        self.journal.began(0, &name, false)?;
        let mut connection = Connection::new(&self.target);
        let mut records = Vec::new();
        for number in 0..self.options.workers {
            let made = register(&mut connection, &self.registration, &format!("{name}.{number}")).await?;
            records.push(account_record(&made));
        }
        records.iter().for_each(|record| self.facts.apply(record));
        let accounts: Vec<KnownAccount> = self.facts.accounts.clone();
        for account in accounts.iter().take(ROOMS) {
            let room = session(&self.target, account).create_room(&room_body(&name)).await?;
            let made = room_records(&room, &account.user_id);
            made.iter().for_each(|record| self.facts.apply(record));
            records.extend(made);
        }
        self.journal.ended(&name, &records)?;
        self.facts.complete(&name);
        Ok(())
    }

    /// Puts the server under load and kills it. Gives what was asked of it.
    async fn load(&mut self, name: &str, running: &mut Running) -> Result<Vec<Record>, CrashError> {
        let mut workers = self.workers(name);
        let moment = Duration::from_millis(self.random.random_range(20..=self.options.load_ms.max(20)));
        let killed = Cell::new(false);
        let kill = async {
            tokio::time::sleep(moment).await;
            let done = running.kill();
            killed.set(true);
            done
        };
        let work = join_all(workers.iter_mut().map(|worker| worker.work(|| killed.get())));
        let (done, _) = futures_util::join!(kill, work);
        done?;
        self.killed()?;
        let mut records = Vec::new();
        for worker in workers {
            records.extend(worker.records);
            for (refusal, count) in worker.refused {
                *self.totals.refused.entry(refusal).or_default() += count;
            }
        }
        Ok(records)
    }

    /// Workers with different accounts, in the same rooms.
    fn workers(&mut self, name: &str) -> Vec<Worker> {
        let rooms = newest_and_others(&mut self.random, &self.facts.rooms, ROOMS);
        let accounts = newest_and_others(&mut self.random, &self.facts.accounts, self.options.workers);
        let device = |account: &&KnownAccount| (account.user_id.clone(), account.device_id.clone());
        let peers: Vec<_> = accounts.iter().map(device).collect();
        let mut workers = Vec::with_capacity(accounts.len());
        for (number, account) in accounts.into_iter().enumerate() {
            let (prefix, seed) = (format!("{name}.{number}"), self.random.random());
            let (target, registration) = (&self.target, &self.registration);
            let mut worker = Worker::new(target, registration, &self.facts, account, &rooms, prefix, seed);
            worker.peers = peers.clone();
            workers.push(worker);
        }
        workers
    }

    /// Starts the server after a kill; some starts are killed themselves.
    async fn start(&mut self) -> Result<Running, CrashError> {
        if self.random.random_ratio(1, KILLED_STARTS) {
            self.power_on()?;
            let mut starting = self.launcher.spawn()?;
            tokio::time::sleep(Duration::from_millis(self.random.random_range(0..START_MS))).await;
            starting.kill()?;
            self.killed()?;
        }
        self.power_on()?;
        Ok(self.launcher.start().await?.0)
    }

    /// Before each start of the server.
    fn power_on(&mut self) -> Result<(), CrashError> {
        self.power.as_mut().map_or(Ok(()), Power::on).map_err(CrashError::Power)
    }

    /// The server's process is gone.
    fn killed(&mut self) -> Result<(), CrashError> {
        self.totals.kills += 1;
        let Some(power) = &mut self.power else { return Ok(()) };
        power.cut(&mut self.random).map_err(CrashError::Power)
    }

    async fn check(&mut self, records: &[Record], everything: bool) -> Result<Vec<Violation>, CrashError> {
        let mut checker = Checker::new(&self.target, &mut self.facts);
        checker.cycle(records).await;
        if everything {
            checker.everything().await;
            self.totals.full_checks += 1;
        }
        let (violations, resolved) = (checker.violations, checker.resolved);
        self.journal.resolved(&resolved)?;
        Ok(violations)
    }

    fn count(&mut self, records: &[Record]) {
        for record in records {
            let kind = match record {
                Record::Account { .. } => "accounts",
                Record::Room { .. } => "rooms",
                Record::Event { event_id: Some(_), .. } => "messages",
                Record::Value { acknowledged: true, cell, .. } => match cell.kind {
                    CellKind::State => "state changes",
                    CellKind::Membership => "membership changes",
                    CellKind::Receipt => "receipts",
                    CellKind::AccountData => "account data",
                    CellKind::Backup => "backed up keys",
                },
                Record::KeysUploaded { acknowledged: true, .. } => "uploads of keys",
                Record::KeyClaimed { acknowledged: true, .. } => "claims of keys",
                Record::ToDevice { acknowledged: true, .. } => "messages to devices",
                Record::File { acknowledged: true, .. } => "files",
                Record::Announced { name: Some(_), .. } => "announced files",
                _ => {
                    self.totals.in_doubt += 1;
                    continue;
                }
            };
            *self.totals.acknowledged.entry(kind).or_default() += 1;
        }
    }

    fn summary(&self, took: Duration, violations: &[Violation]) {
        let Totals { kills, acknowledged, in_doubt, refused, full_checks } = &self.totals;
        println!("{kills} kills and {full_checks} checks of everything in {:.0} s", took.as_secs_f64());
        if let Some(power) = &self.power {
            println!("{}", power.summary());
        }
        for (kind, count) in acknowledged {
            println!("  {count} {kind} acknowledged");
        }
        println!("  {in_doubt} requests without an answer");
        for (refusal, count) in refused {
            println!("  {count} requests refused: {refusal}");
        }
        println!("{} violations", violations.len());
        for violation in violations {
            println!("  {violation}");
        }
    }
}

/// So many different ones of `all` (or all): half of them the newest, the others by chance.
fn newest_and_others<'a, T>(random: &mut StdRng, all: &'a [T], count: usize) -> Vec<&'a T> {
    let mut chosen: BTreeSet<usize> = (all.len().saturating_sub(count / 2)..all.len()).collect();
    while chosen.len() < count.min(all.len()) {
        chosen.insert(random.random_range(0..all.len()));
    }
    chosen.into_iter().filter_map(|index| all.get(index)).collect()
}
