//! What is sent all the time and stored briefly or not at all: receipts, typing, presence.

use crate::load::measure;
use crate::measure::{Bounds, Measured};
use crate::scenarios::rooms::{CHATTERS, chat_with_messages};
use crate::world::{ScenarioError, World};

/// A receipt that does not move forwards is no work, so there must be events to move over.
const EVENTS: usize = 1_000;

pub async fn receipts(world: &mut World) -> Result<Measured, ScenarioError> {
    let (room, events) = chat_with_messages(world, world.scaled(EVENTS, 100)).await?;
    let sessions = world.sessions("chatters", CHATTERS).await?;
    let mut readers: Vec<_> = sessions.into_iter().map(|session| (session, events.iter())).collect();
    let bounds = Bounds::time(world.seconds(10.0)).operations((events.len() * CHATTERS) as u64);
    Ok(measure(&world.meter, &world.progress, bounds, &mut readers, async |(session, events), _| {
        // One worker may be ahead of the others; at the end of its events it has nothing more to do.
        match events.next() {
            Some(event) => session.receipt(&room, event).await,
            None => Ok(()),
        }
    })
    .await)
}

pub async fn typing(world: &mut World) -> Result<Measured, ScenarioError> {
    let room = world.room_of("chatters", CHATTERS).await?.room;
    let sessions = world.sessions("chatters", CHATTERS).await?;
    let mut typists: Vec<_> = sessions.into_iter().map(|session| (session, false)).collect();
    let bounds = Bounds::time(world.seconds(10.0));
    Ok(measure(&world.meter, &world.progress, bounds, &mut typists, async |(session, typing), _| {
        *typing = !*typing;
        session.typing(&room, *typing).await
    })
    .await)
}

pub async fn presence(world: &mut World) -> Result<Measured, ScenarioError> {
    world.room_of("chatters", CHATTERS).await?;
    let mut sessions = world.sessions("chatters", CHATTERS).await?;
    let bounds = Bounds::time(world.seconds(10.0));
    Ok(measure(&world.meter, &world.progress, bounds, &mut sessions, async |session, number| {
        session.presence("online", &format!("at step {number}")).await
    })
    .await)
}
