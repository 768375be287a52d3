//! `/sync`: first, incremental, idle, and as the delivery of a message to many who wait.

use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::client::{Account, Room, Session, SyncAnswer, login};
use crate::http::{Connection, Failure};
use crate::load::{for_each, measure};
use crate::measure::{Bounds, Measured, Tally};
use crate::scenarios::big_room::Crowd;
use crate::scenarios::rooms::TEXT;
use crate::world::{ScenarioError, World, public_room};

const MESSAGES_IN_A_ROOM: usize = 5;
const POLLERS: usize = 100;
/// Long polls time out later than any delivery takes.
const POLL_MS: u32 = 60_000;
/// Between a delivery to all and the next message, for the long polls to arrive.
const SETTLE: Duration = Duration::from_millis(100);
/// No initial sync is waited for longer than this in all.
const SYNC_SECONDS: f64 = 60.0;

/// A user in many rooms, each shared with one other who talks there.
pub struct Reader {
    pub account: Rc<Account>,
    talker: Rc<Account>,
    pub rooms: Vec<Room>,
}

/// The reader of so many rooms. The same for all scenarios of a size: it is kept in the world by its groups' rooms.
pub async fn reader(world: &mut World, rooms: usize) -> Result<Reader, ScenarioError> {
    let (reader_group, talker_group) = match rooms {
        0..=50 => ("reader-50", "talker-50"),
        51..=500 => ("reader-500", "talker-500"),
        _ => ("reader-5000", "talker-5000"),
    };
    let messages = if rooms <= 500 { MESSAGES_IN_A_ROOM } else { 1 };
    let account = world.accounts(reader_group, 1).await?.remove(0);
    let talker = world.accounts(talker_group, 1).await?.remove(0);
    let count = world.scaled(rooms, 5);
    let joined = Session::new(&world.target, Rc::clone(&account)).joined_rooms().await?;
    if joined.len() >= count {
        let rooms = joined.into_iter().take(count).map(Room::new).collect();
        return Ok(Reader { account, talker, rooms });
    }
    let session = |account: &Rc<Account>| Session::new(&world.target, Rc::clone(account));
    let mut workers: Vec<_> = (0..8).map(|_| (session(&talker), session(&account))).collect();
    let rooms = for_each(&world.progress, &mut workers, 0..count, async |(talker, reader), number| {
        let room = talker.create_room(&public_room(&format!("Room {number}"))).await?;
        reader.join(&room).await?;
        for message in 0..messages {
            talker.send(&room, &format!("{number}-{message}"), TEXT).await?;
        }
        Ok(room)
    });
    let rooms = rooms.await?;
    Ok(Reader { account, talker, rooms })
}

pub async fn initial(world: &mut World, rooms: usize) -> Result<Measured, ScenarioError> {
    let reader = reader(world, rooms).await?;
    let times = world.scaled(if rooms <= 50 { 20 } else { 10 }, 3);
    first_syncs(world, &reader.account, times, async |session| session.sync(None, 0).await).await
}

/// The member is in no other room.
pub async fn initial_in_crowd(world: &mut World) -> Result<Measured, ScenarioError> {
    let (_, group) = Crowd::Named(2_000).room(world).await?;
    let account = member(world, group).await?;
    let times = world.scaled(20, 3);
    first_syncs(world, &account, times, async |session| session.sync_lazily(None, 0).await).await
}

/// Each initial sync is made by a new device, so that no server can answer from a cache of answers.
async fn first_syncs(
    world: &World,
    account: &Account,
    times: usize,
    sync: impl AsyncFn(&mut Session) -> Result<SyncAnswer, Failure>,
) -> Result<Measured, ScenarioError> {
    let mut connections = [Connection::new(&world.target)];
    let devices = for_each(&world.progress, &mut connections, 0..times, async |connection, _| {
        login(connection, &account.user_id, &account.password).await.map(Rc::new)
    });
    let devices = devices.await?;
    let bounds = Bounds::time(SYNC_SECONDS).operations(devices.len() as u64);
    Ok(measure(&world.meter, &world.progress, bounds, &mut [()], async |(), number| {
        let device = Rc::clone(&devices[number as usize]);
        sync(&mut Session::new(&world.target, device)).await.map(drop)
    })
    .await)
}

pub async fn incremental(world: &mut World, rooms: usize) -> Result<Measured, ScenarioError> {
    let reader = reader(world, rooms).await?;
    let mut talker = Session::new(&world.target, reader.talker);
    let mut session = Session::new(&world.target, reader.account);
    let token = session.sync(None, 0).await?.next_batch;
    let rooms = reader.rooms;
    follow(
        world,
        world.scaled(100, 10),
        token,
        async |number| {
            talker.send(&rooms[number % rooms.len()], &format!("incremental-{number}"), TEXT).await
        },
        async |token| session.sync(Some(token), POLL_MS).await,
    )
    .await
}

/// Users join who were not in the room; a member who was there before them sees each.
pub async fn after_joins(world: &mut World, crowd: Crowd) -> Result<Measured, ScenarioError> {
    let (room, group) = crowd.room(world).await?;
    let mut joiners = world.sessions("newcomers", world.scaled(50, 5)).await?;
    let watcher = member(world, group).await?;
    let mut session = Session::new(&world.target, watcher);
    let token = session.sync_lazily(None, 0).await?.next_batch;
    follow(
        world,
        joiners.len(),
        token,
        async |number| {
            let joiner = &mut joiners[number];
            joiner.join(&room).await?;
            Ok(joiner.account.user_id.clone())
        },
        async |token| session.sync_lazily(Some(token), POLL_MS).await,
    )
    .await
}

/// A member of a crowd, not the one who made the room.
async fn member(world: &mut World, group: &'static str) -> Result<Rc<Account>, ScenarioError> {
    Ok(world.accounts(group, 2).await?.remove(1))
}

/// Does something, so many times, and looks for it with the next `/sync`. Only the time of the `/sync` is taken, from when what was done was
/// acknowledged. `act` gives an id that the answer then has.
async fn follow(
    world: &World,
    times: usize,
    mut token: String,
    mut act: impl AsyncFnMut(usize) -> Result<String, Failure>,
    mut sync: impl AsyncFnMut(&str) -> Result<SyncAnswer, Failure>,
) -> Result<Measured, ScenarioError> {
    let mut tally = Tally::default();
    let start = world.meter.read();
    world.progress.begin_setup(times);
    for number in 0..times {
        let id = act(number).await?;
        let acted = Instant::now();
        let outcome = match sync(&token).await {
            Ok(answer) if answer.shows(&id) => {
                token = answer.next_batch;
                Ok(())
            }
            Ok(_) => Err(Failure::Unexpected(format!("the answer lacks {id}"))),
            Err(failure) => Err(failure),
        };
        tally.record(acted.elapsed(), &outcome);
        world.progress.advance();
    }
    // A rate would count what was done as well.
    Ok(Measured { concurrency: 1, rate: None, ..world.meter.measured(&start, &tally) })
}

pub async fn idle(world: &mut World) -> Result<Measured, ScenarioError> {
    let reader = reader(world, 500).await?;
    let mut session = Session::new(&world.target, reader.account);
    let token = session.sync(None, 0).await?.next_batch;
    let bounds = Bounds::time(world.seconds(5.0));
    Ok(measure(
        &world.meter,
        &world.progress,
        bounds,
        &mut [(session, token)],
        async |(session, token), _| {
            *token = session.sync(Some(token), 0).await?.next_batch;
            Ok(())
        },
    )
    .await)
}

/// Members of one room wait in long polls; one sends; each delivery is an operation.
pub async fn fan_out(world: &mut World) -> Result<Measured, ScenarioError> {
    let pollers = world.scaled(POLLERS, 10);
    let room = world.room_of("pollers", pollers + 1).await?.room;
    let mut sessions = world.sessions("pollers", pollers + 1).await?;
    let mut sender = sessions.remove(0);
    let tokens = join_all(sessions.iter_mut().map(async |session| session.sync(None, 0).await)).await;
    let mut tokens =
        tokens.into_iter().map(|answer| Ok(answer?.next_batch)).collect::<Result<Vec<_>, Failure>>()?;
    let messages = world.scaled(30, 5);
    world.progress.begin_setup(messages);
    let mut tally = Tally::default();
    let start = world.meter.read();
    for number in 0..messages {
        let began = Instant::now() + SETTLE;
        let polls = sessions.iter_mut().zip(&mut tokens).map(async |(session, token)| {
            let event = deliver(session, token, number).await;
            (began.elapsed(), event)
        });
        let send = async {
            tokio::time::sleep_until(began.into()).await;
            sender.send(&room, &format!("fan-out-{number}"), &marker(number)).await
        };
        let (deliveries, sent) = futures_util::join!(join_all(polls), send);
        sent?;
        for (took, outcome) in deliveries {
            tally.record(took, &outcome);
        }
        world.progress.advance();
    }
    // A rate would count the pauses between the messages.
    Ok(Measured { concurrency: pollers, rate: None, ..world.meter.measured(&start, &tally) })
}

/// Polls until the message of that number is there.
async fn deliver(session: &mut Session, token: &mut String, number: usize) -> Result<(), Failure> {
    // Earlier joins and messages may come first, but not without end.
    for _ in 0..100 {
        let answer = session.sync(Some(token), POLL_MS).await?;
        let delivered = answer.shows(&marker(number));
        *token = answer.next_batch;
        if delivered {
            return Ok(());
        }
    }
    Err(Failure::Unexpected("the message never came".to_owned()))
}

fn marker(number: usize) -> String {
    format!("message number {number}.")
}
