//! How a client finds its way: lists of rooms (sliding sync), search, and what a user in thousands of rooms costs.

use std::cell::Cell;
use std::rc::Rc;

use crate::client::Session;
use crate::http::Failure;
use crate::load::{for_each, measure};
use crate::measure::{Bounds, Measured};
use crate::scenarios::rooms::CHATTERS;
use crate::scenarios::sync::reader;
use crate::world::{ScenarioError, World};

const SEARCHED: usize = 100_000;
/// Words that messages are made of; each message has three, so that two of them together are in one of some hundred.
const WORDS: [&str; 32] = [
    "anchor", "basket", "candle", "desert", "engine", "forest", "garden", "harbor", "island", "jacket",
    "kettle", "ladder", "market", "needle", "orange", "pepper", "quarry", "ribbon", "saddle", "tunnel",
    "urgent", "velvet", "window", "yellow", "zipper", "bridge", "cherry", "dragon", "falcon", "guitar",
    "hammer", "iceberg",
];

/// The first answer on a connection of its own, each time: nothing is known of what the client has.
pub async fn first_rooms(world: &mut World, rooms: usize, window: usize) -> Result<Measured, ScenarioError> {
    let reader = reader(world, rooms).await?;
    let expected = reader.rooms.len().min(window);
    let mut session = [Session::new(&world.target, reader.account)];
    let bounds = Bounds::time(world.seconds(10.0)).operations(world.scaled(200, 5) as u64);
    let run = world.run_id.clone();
    let connection = Cell::new(0_u64);
    Ok(measure(&world.meter, &world.progress, bounds, &mut session, async |session, _| {
        connection.set(connection.get() + 1);
        let name = format!("{run}-{rooms}-{window}-{}", connection.get());
        let (_, came) = session.first_rooms(&name, window).await?;
        if came < expected {
            return Err(Failure::Unexpected(format!("{came} rooms of {expected}")));
        }
        Ok(())
    })
    .await)
}

/// The user's name changes, in every room: the time until the request is answered.
pub async fn profile(world: &mut World, rooms: usize) -> Result<Measured, ScenarioError> {
    let reader = reader(world, rooms).await?;
    let mut session = [Session::new(&world.target, reader.account)];
    let bounds = Bounds::time(world.seconds(60.0)).operations(5);
    Ok(measure(&world.meter, &world.progress, bounds, &mut session, async |session, number| {
        session.set_displayname(&format!("Name {number}")).await
    })
    .await)
}

/// Two words, in the messages of one room.
pub async fn search(world: &mut World) -> Result<Measured, ScenarioError> {
    let room = world.room_of("chatters", CHATTERS).await?.room;
    let mut sessions = world.sessions("chatters", CHATTERS).await?;
    let count = world.scaled(SEARCHED, 1_000);
    let word = |number: usize, step: usize| WORDS[(number / step.max(1)).wrapping_mul(7) % WORDS.len()];
    for_each(&world.progress, &mut sessions, 0..count, async |session, number| {
        let text = format!("{} {} {}", word(number, 1), word(number, 32), word(number, 1_024));
        session.send(&room, &format!("searched-{number}"), &text).await
    })
    .await?;
    let mut searcher = [Session::new(&world.target, Rc::clone(&sessions[0].account))];
    // An index may follow behind the messages.
    let last = format!("{} {}", word(count - 1, 1), word(count - 1, 32));
    searcher[0].search(&last).await?;
    let bounds = Bounds::time(world.seconds(10.0));
    Ok(measure(&world.meter, &world.progress, bounds, &mut searcher, async |session, number| {
        let place = number as usize * 37 % count;
        match session.search(&format!("{} {}", word(place, 1), word(place, 32))).await? {
            0 => Err(Failure::Unexpected("nothing was found".to_owned())),
            _ => Ok(()),
        }
    })
    .await)
}
