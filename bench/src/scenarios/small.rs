//! Requests that touch no room: what a bare exchange and a token look-up cost.

use crate::load::measure;
use crate::measure::{Bounds, Measured};
use crate::world::{ScenarioError, World};

const CONNECTIONS: usize = 16;

pub async fn versions(world: &mut World) -> Result<Measured, ScenarioError> {
    let mut sessions = world.sessions("small", CONNECTIONS).await?;
    let bounds = Bounds::time(world.seconds(10.0));
    Ok(measure(&world.meter, &world.progress, bounds, &mut sessions, async |session, _| {
        session.versions().await
    })
    .await)
}

pub async fn whoami(world: &mut World) -> Result<Measured, ScenarioError> {
    let mut sessions = world.sessions("small", CONNECTIONS).await?;
    let bounds = Bounds::time(world.seconds(10.0));
    Ok(measure(&world.meter, &world.progress, bounds, &mut sessions, async |session, _| {
        session.whoami().await.map(drop)
    })
    .await)
}
