//! `plop-bench run`: prepares the server, runs the chosen scenarios in the order of the table, writes the report.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;

use crate::client::Registration;
use crate::http::{Target, TargetError};
use crate::measure::{Measured, Meter};
use crate::process::Processes;
use crate::report::{self, Run};
use crate::scenarios::{self, SCENARIOS, Scenario};
use crate::server::{Launcher, ServerError, require_empty};
use crate::world::{Managed, World};

#[derive(Debug, Args)]
pub struct Options {
    /// A launcher script (bench/servers/): the generator starts and stops the server itself.
    #[arg(long, required_unless_present = "url", conflicts_with = "url", requires = "data")]
    launcher: Option<PathBuf>,
    /// A server that runs already, as http://host:port.
    #[arg(long)]
    url: Option<String>,
    /// The server's data folder: empty or absent with --launcher, else only weighed.
    #[arg(long)]
    data: Option<PathBuf>,
    /// With --launcher: where the server is to listen.
    #[arg(long, default_value = "127.0.0.1:18008")]
    bind: String,
    /// With --url: process ids of the server; their descendants count too.
    #[arg(long)]
    pid: Vec<u32>,
    /// With --url: process ids of what the server needs beside it (a database). Counts for CPU, not for memory.
    #[arg(long)]
    helper_pid: Vec<u32>,
    /// The secret of /_synapse/admin/v1/register.
    #[arg(long, default_value = "plop-bench", env = "SHARED_SECRET", hide_env_values = true)]
    shared_secret: String,
    /// Register with m.login.dummy instead of the shared secret.
    #[arg(long)]
    open_registration: bool,
    /// The server is not on this machine, and it is yours.
    #[arg(long)]
    remote: bool,
    /// Multiplies all sizes and durations: 0.1 for a quick look.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Only these scenarios (comma-separated); all by default.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Begin no further scenario after so many minutes.
    #[arg(long, default_value_t = 60)]
    minutes: u64,
    /// No scenario with its set-up may take longer, in minutes. A slow server needs half an hour for a user in 5,000 rooms.
    #[arg(long, default_value_t = 15)]
    scenario_minutes: u64,
    /// The report, as JSON lines. It is overwritten.
    #[arg(long)]
    json: Option<PathBuf>,
    /// The server's name in tables.
    #[arg(long, default_value = "server")]
    label: String,
}

/// Why a run could not begin or its report not be written.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("no scenario is called {0}; `plop-bench list` shows them")]
    Scenario(String),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("the report cannot be written: {0}")]
    Report(#[from] io::Error),
    #[error("--url is missing")]
    NoServer,
}

pub async fn run(options: Options) -> Result<ExitCode, RunError> {
    let chosen = chosen(&options.only)?;
    let mut report = options.json.as_ref().map(File::create).transpose()?;
    write_line(&mut report, &about(&options))?;
    let mut world = prepare(&options).await?;
    println!("{}", report::table_head());
    let began = Instant::now();
    let mut failed = false;
    for scenario in chosen {
        let measured = if began.elapsed() < Duration::from_secs(60 * options.minutes) {
            one(&mut world, scenario, Duration::from_secs(60 * options.scenario_minutes)).await
        } else {
            skipped(format!("{} minutes are over", options.minutes))
        };
        let measured =
            Measured { scenario: scenario.name.to_owned(), what: scenario.what.to_owned(), ..measured };
        failed |= measured.errors > 0 || measured.skipped.is_some();
        world.progress.print(&report::table_row(&measured));
        write_line(&mut report, &measured)?;
    }
    world.progress.finish();
    if let Some(managed) = world.managed.take() {
        if let Some(running) = managed.running {
            running.stop().await?;
        }
        managed.launcher.stop_helpers()?;
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn one(world: &mut World, scenario: &Scenario, limit: Duration) -> Measured {
    world.progress.scenario(scenario.name);
    match tokio::time::timeout(limit, (scenario.run)(world)).await {
        Ok(Ok(measured)) => measured,
        Ok(Err(error)) => skipped(error.to_string()),
        Err(_) => skipped(format!("not done in {limit:?}")),
    }
}

fn skipped(reason: String) -> Measured {
    Measured { skipped: Some(reason), ..Measured::default() }
}

fn chosen(only: &[String]) -> Result<Vec<&'static Scenario>, RunError> {
    if let Some(unknown) = only.iter().find(|name| scenarios::find(name).is_none()) {
        return Err(RunError::Scenario(unknown.clone()));
    }
    let wanted = |scenario: &&Scenario| only.is_empty() || only.iter().any(|name| name == scenario.name);
    Ok(SCENARIOS.iter().filter(wanted).collect())
}

/// Starts the server, or looks at the one that runs.
async fn prepare(options: &Options) -> Result<World, RunError> {
    let registration = if options.open_registration {
        Registration::Open
    } else {
        Registration::SharedSecret(options.shared_secret.clone())
    };
    let run_id = format!("{:x}", now().as_millis() % 0x1000_0000);
    let Some((script, data)) = options.launcher.clone().zip(options.data.clone()) else {
        let url = options.url.as_ref().ok_or(RunError::NoServer)?;
        let mut world =
            World::new(Target::resolve(url, options.remote)?, registration, options.scale, run_id);
        let processes = Processes { server: options.pid.clone(), helpers: options.helper_pid.clone() };
        world.meter = Meter { processes, data: options.data.clone() };
        return Ok(world);
    };
    require_empty(&data)?;
    let data = std::path::absolute(data)?;
    let launcher = Launcher {
        script,
        data: data.clone(),
        bind: options.bind.clone(),
        shared_secret: options.shared_secret.clone(),
        environment: Vec::new(),
    };
    launcher.setup()?;
    let (running, first_start) = launcher.start().await?;
    let mut world = World::new(launcher.target()?, registration, options.scale, run_id);
    world.meter = Meter { processes: launcher.processes(&running)?, data: Some(data) };
    world.managed = Some(Managed { launcher, running: Some(running), first_start });
    Ok(world)
}

fn about(options: &Options) -> Run {
    Run {
        label: options.label.clone(),
        command: std::env::args().collect(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        scale: options.scale,
        started: now().as_secs(),
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn write_line(report: &mut Option<File>, line: &impl serde::Serialize) -> io::Result<()> {
    if let Some(file) = report {
        serde_json::to_writer(&mut *file, line)?;
        file.write_all(b"\n")?;
    }
    Ok(())
}
