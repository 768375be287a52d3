//! Start-up time, memory and disk. These need a server that the generator starts itself, or its process id.

use std::time::Duration;

use crate::measure::{Bounds, Measured, Tally};
use crate::scenarios::rooms::send_as_chatters;
use crate::world::{ScenarioError, World};

const MESSAGES: usize = 10_000;
/// The messages are not waited for longer than this.
const MESSAGES_SECONDS: f64 = 400.0;
const RESTARTS: usize = 3;
/// The data is at rest when its size has not changed for so long.
const REST: Duration = Duration::from_secs(5);
/// It is not waited for longer than this.
const LONGEST_WORK: Duration = Duration::from_secs(120);

pub async fn first_start(world: &mut World) -> Result<Measured, ScenarioError> {
    let managed = world.managed.as_ref().ok_or(ScenarioError::NotHere("needs --launcher"))?;
    let mut tally = Tally::default();
    tally.succeeded(managed.first_start);
    Ok(starts(world, &tally))
}

pub async fn restart(world: &mut World) -> Result<Measured, ScenarioError> {
    let mut tally = Tally::default();
    world.progress.begin_setup(RESTARTS);
    for _ in 0..RESTARTS {
        tally.succeeded(world.restart().await?);
        world.progress.advance();
    }
    Ok(starts(world, &tally))
}

/// A rate or CPU time for each start would mean nothing: the process that spent it is new.
fn starts(world: &World, tally: &Tally) -> Measured {
    let measured = world.meter.measured(&world.meter.read(), tally);
    Measured {
        concurrency: 1,
        rate: None,
        cpu_ms_per_operation: None,
        generator_cpu_ms_per_operation: None,
        ..measured
    }
}

pub async fn memory_idle(world: &mut World) -> Result<Measured, ScenarioError> {
    tokio::time::sleep(Duration::from_secs(2)).await;
    memory_after(world).await
}

pub async fn memory_after(world: &mut World) -> Result<Measured, ScenarioError> {
    if world.meter.processes.is_empty() {
        return Err(ScenarioError::NotHere("needs --launcher or --pid"));
    }
    let mut measured = Measured::default();
    world.meter.weigh(&mut measured);
    Ok(measured)
}

/// Restarts the server before and after, so that what it holds in memory and in its log is written where it belongs, and waits until that is done.
pub async fn disk(world: &mut World) -> Result<Measured, ScenarioError> {
    if world.meter.data.is_none() {
        return Err(ScenarioError::NotHere("needs --launcher or --data"));
    }
    let messages = world.scaled(MESSAGES, 500);
    send_as_chatters(world, "warm-up", Bounds::time(60.0).operations(100)).await?;
    let mut before = Measured::default();
    world.restart().await?;
    weigh_at_rest(world, &mut before).await;
    let bounds = Bounds::time(MESSAGES_SECONDS).operations(messages as u64);
    let mut measured = send_as_chatters(world, "disk", bounds).await?;
    world.restart().await?;
    weigh_at_rest(world, &mut measured).await;
    let sent = (measured.operations - measured.errors) as f64;
    let grown = measured.data_mib.zip(before.data_mib).map(|(after, before)| after - before);
    measured.mib_per_10000 = grown.map(|grown| grown * 10_000.0 / sent.max(1.0));
    Ok(measured)
}

/// A server that has just started may be merging files: old and new ones are there at the same time.
async fn weigh_at_rest(world: &World, measured: &mut Measured) {
    world.meter.weigh(measured);
    let (mut quiet, mut waited) = (Duration::ZERO, Duration::ZERO);
    while quiet < REST && waited < LONGEST_WORK {
        let before = measured.data_mib;
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.meter.weigh(measured);
        waited += Duration::from_secs(1);
        quiet = if measured.data_mib == before { quiet + Duration::from_secs(1) } else { Duration::ZERO };
    }
}
