//! The table of scenarios, in the order in which they run: what each sets up, does, and is expected to reach.
//!
//! The goals are ratios to Synapse in the same run, on the same machine (`compare`); where no peer has been measured yet there is none. Sizes stand
//! for scale 1.

mod big_room;
mod ephemeral;
mod footprint;
mod keys;
mod lists;
mod media;
mod returning;
mod rooms;
mod small;
mod sync;

use futures_util::future::LocalBoxFuture;

use crate::measure::Measured;
use crate::scenarios::big_room::Crowd;
use crate::world::{ScenarioError, World};

/// What a scenario must reach. Ratios are "times better than the other server".
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// Ratio of the rates.
    Rate(f64),
    /// Ratio of the median times.
    Median(f64),
    /// Median time, in milliseconds.
    Below(f64),
    /// Resident memory, in MiB.
    Resident(f64),
    /// Disk for 10,000 messages: ratio, and MiB.
    Disk(f64, f64),
    /// No goal, since there is no peer's figure; median times are compared.
    Unset,
}

/// One row of the table.
pub struct Scenario {
    pub name: &'static str,
    /// Set-up, operation, concurrency, and what ends it.
    pub what: &'static str,
    pub goal: Goal,
    pub run: for<'a> fn(&'a mut World) -> Outcome<'a>,
}

/// The figures of a scenario, once it ran.
pub type Outcome<'a> = LocalBoxFuture<'a, Result<Measured, ScenarioError>>;

use Goal::{Below, Disk, Median, Rate, Resident, Unset};

macro_rules! scenario {
    ($name:literal, $goal:expr, $what:literal, $function:path $(, $argument:expr)*) => {
        Scenario {
            name: $name,
            what: $what,
            goal: $goal,
            run: |world| Box::pin($function(world $(, $argument)*)),
        }
    };
}

/// All scenarios, in running order.
pub const SCENARIOS: &[Scenario] = &[
    scenario!(
        "cold-start-empty",
        Median(20.0),
        "process start to first answer on an empty folder, once",
        footprint::first_start
    ),
    scenario!("memory-idle", Resident(60.0), "resident memory 2 s after the start", footprint::memory_idle),
    scenario!("versions", Rate(25.0), "GET /versions, 16 connections, 10 s", small::versions),
    scenario!("whoami", Rate(25.0), "GET /account/whoami, 16 accounts, 10 s", small::whoami),
    scenario!("create-room", Rate(140.0), "createRoom (preset and name), 8 at once, 10 s", rooms::create),
    scenario!("send-alone", Median(60.0), "send, 1 sender, alone in 1 room, 10 s", rooms::send_alone),
    scenario!("send-one-room", Rate(100.0), "send, 16 senders in one room of 16, 10 s", rooms::send_one_room),
    scenario!(
        "send-64-rooms",
        Rate(120.0),
        "send, 16 senders, each in its own 4 of 64 rooms of 2, 10 s",
        rooms::send_many_rooms
    ),
    scenario!(
        "join-1000",
        Rate(120.0),
        "join, room growing to 1,000 members, 8 at once",
        big_room::join,
        1,
        1_000
    ),
    scenario!("send-2000", Median(150.0), "send, 1 sender in a room of 2,000 members, 10 s", big_room::send),
    scenario!("members-2000", Median(10.0), "GET /members of 2,000, 1 at once, 5 s", big_room::members),
    scenario!(
        "joined-members-2000",
        Median(4.0),
        "GET /joined_members of 2,000, 1 at once, 5 s",
        big_room::joined_members
    ),
    scenario!(
        "sync-lazy-2000",
        Unset,
        "initial /sync, members loaded lazily, in a room of 2,000, new device each time, 20 times",
        sync::initial_in_crowd
    ),
    scenario!(
        "sync-join-2000",
        Unset,
        "/sync of a member, lazily, after a join in a room of 2,000, 50 times; CPU is with the join",
        sync::after_joins,
        Crowd::Named(2_000)
    ),
    scenario!(
        "sync-join-nameless-500",
        Unset,
        "/sync of a member, lazily, after a join in a room of 500 without a name, 50 times; CPU is with the join",
        sync::after_joins,
        Crowd::Nameless(500)
    ),
    scenario!(
        "join-3000",
        Rate(120.0),
        "join, room growing from 2,000 to 3,000, 8 at once",
        big_room::join,
        2_000,
        3_000
    ),
    scenario!(
        "fan-out-100",
        Median(60.0),
        "send to delivery, 100 members of a room in long polls, 30 messages",
        sync::fan_out
    ),
    scenario!(
        "sync-initial-50",
        Median(40.0),
        "initial /sync, 50 rooms of 2, new device each time, 20 times",
        sync::initial,
        50
    ),
    scenario!(
        "sync-incremental-50",
        Median(20.0),
        "/sync after one event in one of 50 rooms, 100 times; CPU is with the send",
        sync::incremental,
        50
    ),
    scenario!(
        "sync-initial-500",
        Median(80.0),
        "initial /sync, 500 rooms of 2, new device each time, 10 times",
        sync::initial,
        500
    ),
    scenario!(
        "sync-incremental-500",
        Median(27.0),
        "/sync after one event in one of 500 rooms, 100 times; CPU is with the send",
        sync::incremental,
        500
    ),
    scenario!(
        "sync-idle-500",
        Median(25.0),
        "/sync?timeout=0 with nothing new, 500 rooms, 1 at once, 5 s",
        sync::idle
    ),
    scenario!(
        "messages-100",
        Median(15.0),
        "/messages backwards, pages of 100 of 1,000, 1 at once, 5 s",
        rooms::messages
    ),
    scenario!(
        "receipts",
        Rate(25.0),
        "receipts moving forwards over 1,000 events, 16 members of one room, 10 s",
        ephemeral::receipts
    ),
    scenario!("typing", Rate(25.0), "typing on and off, 16 members of one room, 10 s", ephemeral::typing),
    scenario!(
        "presence",
        Rate(280.0),
        "presence set, status changing, 16 accounts in one room, 10 s",
        ephemeral::presence
    ),
    scenario!(
        "keys-upload",
        Rate(40.0),
        "keys/upload of a new device with 50 one-time keys, 8 at once, 2,000 devices",
        keys::upload
    ),
    scenario!("keys-query-50", Rate(25.0), "keys/query of 50 users, 8 at once, 10 s", keys::query),
    scenario!("keys-claim", Rate(20.0), "keys/claim of one key, 8 at once, 10 s", keys::claim),
    scenario!(
        "sliding-first-20",
        Median(20.0),
        "sliding sync, first 20 of 500 rooms, new connection each time, 10 s",
        lists::first_rooms,
        500,
        20
    ),
    scenario!(
        "sliding-all-500",
        Median(40.0),
        "sliding sync, all 500 rooms, new connection each time, 10 s",
        lists::first_rooms,
        500,
        500
    ),
    scenario!("media-upload", Rate(3.0), "upload of 1 MiB, 4 at once, 10 s", media::upload),
    scenario!("media-download", Rate(5.0), "download of 1 MiB, 4 at once, 10 s", media::download),
    scenario!(
        "thumbnail-first",
        Unset,
        "first thumbnail (320 by 240) of 50 pictures of 1,200 by 900, 1 at once",
        media::first_thumbnail
    ),
    scenario!(
        "thumbnail-again",
        Rate(4.0),
        "thumbnail that has been asked for before, 4 at once, 10 s",
        media::thumbnail
    ),
    scenario!(
        "memory-after",
        Resident(200.0),
        "resident memory after everything above",
        footprint::memory_after
    ),
    scenario!(
        "disk-10000",
        Disk(40.0, 8.0),
        "10,000 messages, 16 senders in one room of 16; data growth between two restarts",
        footprint::disk
    ),
    scenario!(
        "sync-after-restart",
        Unset,
        "/sync of 100 users in 10 rooms, all at once, with the tokens of before a restart, once",
        returning::sync
    ),
    scenario!(
        "cold-start-full",
        Median(8.0),
        "process start to first answer after everything above, 3 times",
        footprint::restart
    ),
    scenario!(
        "sync-incremental-5000",
        Unset,
        "/sync after one event in one of 5,000 rooms, 100 times; CPU is with the send",
        sync::incremental,
        5_000
    ),
    scenario!(
        "sliding-first-20-of-5000",
        Unset,
        "sliding sync, first 20 of 5,000 rooms, new connection each time, 10 s",
        lists::first_rooms,
        5_000,
        20
    ),
    scenario!(
        "sliding-all-5000",
        Unset,
        "sliding sync, all 5,000 rooms, new connection each time, 10 s",
        lists::first_rooms,
        5_000,
        5_000
    ),
    scenario!(
        "profile-5000",
        Unset,
        "change of the name of a user in 5,000 rooms, until it is answered, 5 times",
        lists::profile,
        5_000
    ),
    scenario!(
        "search-100000",
        Below(50.0),
        "search for two words among 100,000 messages, 1 at once, 10 s",
        lists::search
    ),
];

/// The scenario of that name.
pub fn find(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), SCENARIOS.len());
    }
}
