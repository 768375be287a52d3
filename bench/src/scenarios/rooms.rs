//! Creating rooms, sending into small rooms, and reading their history.

use serde_json::json;

use crate::client::{Room, Session};
use crate::http::Failure;
use crate::load::{for_each, measure};
use crate::measure::{Bounds, Measured};
use crate::world::{ScenarioError, World, public_room};

/// The members of the room in which many talk.
pub const CHATTERS: usize = 16;
const ROOMS_EACH: usize = 4;
const HISTORY: usize = 1_000;

/// About as long as a chat message is.
pub const TEXT: &str = "The quick brown fox jumps over the lazy dog, and the dog does not mind.";

pub async fn create(world: &mut World) -> Result<Measured, ScenarioError> {
    let mut sessions = world.sessions("creators", 8).await?;
    let bounds = Bounds::time(world.seconds(10.0));
    Ok(measure(&world.meter, &world.progress, bounds, &mut sessions, async |session, number| {
        let body = json!({"preset": "private_chat", "name": format!("Room {number}")});
        session.create_room(&body).await.map(drop)
    })
    .await)
}

pub async fn send_alone(world: &mut World) -> Result<Measured, ScenarioError> {
    let room = world.room_of("alone", 1).await?.room;
    let sessions = world.sessions("alone", 1).await?;
    let bounds = Bounds::time(world.seconds(10.0));
    send(world, "alone", bounds, sessions.into_iter().map(|session| (session, vec![room.clone()]))).await
}

pub async fn send_one_room(world: &mut World) -> Result<Measured, ScenarioError> {
    let bounds = Bounds::time(world.seconds(10.0));
    send_as_chatters(world, "one", bounds).await
}

/// Lets the members of the chat room send, all at once.
pub async fn send_as_chatters(
    world: &mut World,
    label: &str,
    bounds: Bounds,
) -> Result<Measured, ScenarioError> {
    let room = world.room_of("chatters", CHATTERS).await?.room;
    let sessions = world.sessions("chatters", CHATTERS).await?;
    send(world, label, bounds, sessions.into_iter().map(|session| (session, vec![room.clone()]))).await
}

pub async fn send_many_rooms(world: &mut World) -> Result<Measured, ScenarioError> {
    let senders = world.sessions("chatters", CHATTERS).await?;
    let listeners = world.sessions("listeners", CHATTERS).await?;
    let pairs = senders.into_iter().zip(listeners);
    let mut workers = [(); 8];
    let owned = for_each(&world.progress, &mut workers, pairs, async |(), (mut sender, mut listener)| {
        let mut rooms = Vec::new();
        for _ in 0..ROOMS_EACH {
            let room = sender.create_room(&public_room("one of many")).await?;
            listener.join(&room).await?;
            rooms.push(room);
        }
        Ok((sender, rooms))
    });
    let owned = owned.await?.into_iter();
    let bounds = Bounds::time(world.seconds(10.0));
    send(world, "many", bounds, owned).await
}

/// Each sender sends into its rooms in turn.
async fn send(
    world: &World,
    label: &str,
    bounds: Bounds,
    senders: impl Iterator<Item = (Session, Vec<Room>)>,
) -> Result<Measured, ScenarioError> {
    let mut senders: Vec<_> = senders.collect();
    Ok(measure(&world.meter, &world.progress, bounds, &mut senders, async |(session, rooms), number| {
        rooms.rotate_left(1);
        session.send(&rooms[0], &format!("{label}-{number}"), TEXT).await.map(drop)
    })
    .await)
}

/// The chat room, with the ids of its newest `count` messages, oldest first. Sends what is missing.
pub async fn chat_with_messages(
    world: &mut World,
    count: usize,
) -> Result<(Room, Vec<String>), ScenarioError> {
    let room = world.room_of("chatters", CHATTERS).await?.room;
    let mut sessions = world.sessions("chatters", CHATTERS).await?;
    let existing = newest_messages(&mut sessions[0], &room, count).await?;
    if existing.len() == count {
        return Ok((room, existing));
    }
    let missing = existing.len()..count;
    for_each(&world.progress, &mut sessions, missing, async |session, number| {
        session.send(&room, &format!("history-{number}"), TEXT).await
    })
    .await?;
    let messages = newest_messages(&mut sessions[0], &room, count).await?;
    Ok((room, messages))
}

async fn newest_messages(session: &mut Session, room: &Room, count: usize) -> Result<Vec<String>, Failure> {
    let mut ids = Vec::new();
    let mut from = None;
    while ids.len() < count {
        let page = session.messages_back(room, from.as_deref(), 100).await?;
        let messages = page.chunk.iter().filter(|event| event["type"] == "m.room.message");
        ids.extend(messages.filter_map(|event| event["event_id"].as_str().map(str::to_owned)));
        match page.end {
            Some(end) => from = Some(end),
            None => break,
        }
    }
    ids.truncate(count);
    ids.reverse();
    Ok(ids)
}

pub async fn messages(world: &mut World) -> Result<Measured, ScenarioError> {
    let (room, _) = chat_with_messages(world, world.scaled(HISTORY, 200)).await?;
    let reader = world.sessions("chatters", 1).await?.remove(0);
    let pages = world.scaled(HISTORY, 200) / 100;
    let bounds = Bounds::time(world.seconds(5.0));
    let mut readers = [(reader, None::<String>)];
    Ok(measure(&world.meter, &world.progress, bounds, &mut readers, async |(session, from), number| {
        // After the last page, from the end again.
        let from_end = (number as usize).is_multiple_of(pages);
        let start = if from_end { None } else { from.as_deref() };
        let page = session.messages_back(&room, start, 100).await?;
        *from = page.end;
        Ok(())
    })
    .await)
}
