//! Users who come back after a restart, all at once, each from where its client had come to.
//!
//! What a server keeps in memory to answer quickly is gone then: this is what it costs to find it again.

use std::rc::Rc;

use crate::client::{Account, Room, Session};
use crate::http::Failure;
use crate::load::{for_each, measure};
use crate::measure::{Bounds, Measured};
use crate::scenarios::rooms::TEXT;
use crate::world::{ScenarioError, World, public_room};

const USERS: usize = 100;
const ROOMS: usize = 10;
/// Set-up requests that are open at once.
const WORKERS: usize = 8;
/// The answers are not waited for longer than this.
const SECONDS: f64 = 120.0;

pub async fn sync(world: &mut World) -> Result<Measured, ScenarioError> {
    if world.managed.is_none() {
        return Err(ScenarioError::NotHere("needs --launcher"));
    }
    let accounts = world.accounts("returners", world.scaled(USERS, 10)).await?;
    let mut talker = Session::new(&world.target, Rc::clone(&accounts[0]));
    let rooms = rooms(world, &mut talker, &accounts).await?;
    let mut workers = vec![(); WORKERS];
    let tokens = for_each(&world.progress, &mut workers, accounts.iter(), async |(), account| {
        let answer = Session::new(&world.target, Rc::clone(account)).sync(None, 0).await?;
        Ok(answer.next_batch)
    });
    let tokens = tokens.await?;
    // While they were away.
    let event = talker.send(&rooms[0], "while-away", TEXT).await?;
    world.restart().await?;
    let session = |account| Session::new(&world.target, account);
    let mut returners: Vec<_> = accounts.into_iter().map(session).zip(tokens).collect();
    let bounds = Bounds::time(SECONDS).operations(returners.len() as u64);
    Ok(measure(&world.meter, &world.progress, bounds, &mut returners, async |(session, token), _| {
        let answer = session.sync(Some(token), 0).await?;
        if answer.shows(&event) {
            Ok(())
        } else {
            Err(Failure::Unexpected(format!("the answer lacks {event}")))
        }
    })
    .await)
}

/// Rooms of the first of these users, in which all of them are.
async fn rooms(
    world: &World,
    creator: &mut Session,
    accounts: &[Rc<Account>],
) -> Result<Vec<Room>, ScenarioError> {
    let mut rooms = Vec::new();
    for number in 0..world.scaled(ROOMS, 2) {
        let room = creator.create_room(&public_room(&format!("Meeting {number}"))).await?;
        creator.send(&room, &format!("welcome-{number}"), TEXT).await?;
        rooms.push(room);
    }
    let mut workers = vec![(); WORKERS];
    for_each(&world.progress, &mut workers, accounts[1..].iter(), async |(), account| {
        let mut session = Session::new(&world.target, Rc::clone(account));
        for room in &rooms {
            session.join(room).await?;
        }
        Ok(())
    })
    .await?;
    Ok(rooms)
}
