//! One room with thousands of local members: what joining, sending and listing cost there.
//!
//! All of it happens in the same room, which grows from one scenario to the next. Owns: which room that is, for the scenarios of `/sync` as well.

use std::rc::Rc;

use crate::client::Room;
use crate::load::measure;
use crate::measure::{Bounds, Measured};
use crate::scenarios::rooms::TEXT;
use crate::world::{ScenarioError, World};

/// Joins that are open at once.
const JOINERS: usize = 8;
/// A server that gets slower and slower is not waited for longer than this.
const JOIN_SECONDS: f64 = 240.0;
const MEMBERS: usize = 2_000;

/// A room with many members.
#[derive(Clone, Copy, Debug)]
pub enum Crowd {
    /// The room of this file with so many members.
    Named(usize),
    /// One without a name.
    Nameless(usize),
}

impl Crowd {
    /// The room, and the group of accounts that are in it.
    pub async fn room(self, world: &mut World) -> Result<(Room, &'static str), ScenarioError> {
        match self {
            Self::Named(members) => {
                let grown = world.room_of("crowd", world.scaled(members, 20)).await?;
                Ok((grown.room, "crowd"))
            }
            Self::Nameless(members) => {
                let grown = world.nameless_room_of("nameless", world.scaled(members, 20)).await?;
                Ok((grown.room, "nameless"))
            }
        }
    }
}

/// Lets the room grow from `from` to `to` members.
pub async fn join(world: &mut World, from: usize, to: usize) -> Result<Measured, ScenarioError> {
    let from = world.scaled(from, 1);
    let to = world.scaled(to, from + 1);
    let grown = world.room_of("crowd", from).await?;
    let accounts = world.accounts("crowd", to).await?;
    let joiners = &accounts[grown.members..];
    let bounds = Bounds::time(JOIN_SECONDS).operations(joiners.len() as u64);
    // A worker keeps its connection and changes its account.
    let mut workers = world.sessions("crowd", JOINERS.min(joiners.len())).await?;
    let measured = measure(&world.meter, &world.progress, bounds, &mut workers, async |worker, number| {
        worker.account = Rc::clone(&joiners[number as usize]);
        worker.join(&grown.room).await
    })
    .await;
    world.grew("crowd", grown.members + measured.operations as usize);
    Ok(measured)
}

pub async fn send(world: &mut World) -> Result<Measured, ScenarioError> {
    let room = world.room_of("crowd", world.scaled(MEMBERS, 20)).await?.room;
    let mut sessions = world.sessions("crowd", 1).await?;
    let bounds = Bounds::time(world.seconds(10.0));
    Ok(measure(&world.meter, &world.progress, bounds, &mut sessions, async |session, number| {
        session.send(&room, &format!("crowd-{number}"), TEXT).await.map(drop)
    })
    .await)
}

pub async fn members(world: &mut World) -> Result<Measured, ScenarioError> {
    let room = world.room_of("crowd", world.scaled(MEMBERS, 20)).await?.room;
    let mut sessions = world.sessions("crowd", 1).await?;
    let bounds = Bounds::time(world.seconds(5.0));
    Ok(measure(&world.meter, &world.progress, bounds, &mut sessions, async |session, _| {
        session.members(&room).await.map(drop)
    })
    .await)
}

pub async fn joined_members(world: &mut World) -> Result<Measured, ScenarioError> {
    let room = world.room_of("crowd", world.scaled(MEMBERS, 20)).await?.room;
    let mut sessions = world.sessions("crowd", 1).await?;
    let bounds = Bounds::time(world.seconds(5.0));
    Ok(measure(&world.meter, &world.progress, bounds, &mut sessions, async |session, _| {
        session.joined_members(&room).await.map(drop)
    })
    .await)
}
