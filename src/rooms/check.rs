//! What `plop check` asks of the rooms: that the rows which name each other agree.
//!
//! Owns: the reference checks of this crate's keyspaces. Repairs nothing.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;
use plop_db::{KeyRange, Keyspace, Pages, Problems, ReadError, ReferenceCheck, Snapshot};
use plop_state_store::{EventNumber, RoomNumber};

use crate::schema::{
    Arrivals, EventNumbers, Events, Heads, History, Members, Mentions, Outcome, RoomIds, Rooms, ThreadTotals,
    Timeline, UserRooms,
};

const PAGE: usize = 1000;

/// The checks of this crate's rows.
pub fn reference_checks() -> Vec<Box<dyn ReferenceCheck>> {
    vec![
        Box::new(RoomsHaveNumbers),
        Box::new(HeadsStandOnEvents),
        Box::new(EventsHaveNumbers),
        Box::new(ArrivalsAreAccepted),
        Box::new(CountedEventsArrived),
        Box::new(HistoryIsThere),
        Box::new(MembersHaveRooms),
    ]
}

/// Which of these events are not stored.
async fn absent(
    snapshot: &Snapshot,
    keys: &[(RoomNumber, EventNumber)],
) -> Result<BTreeSet<(RoomNumber, EventNumber)>, ReadError> {
    let rows = snapshot.get_many::<Events>(keys).await?;
    Ok(keys.iter().zip(rows).filter(|(_, row)| row.is_none()).map(|(key, _)| *key).collect())
}

/// All pages of a keyspace.
fn pages<K: Keyspace>() -> Pages<K> {
    Pages::new(KeyRange::all(), PAGE)
}

/// Ids and numbers of rooms lead to each other.
struct RoomsHaveNumbers;

impl ReferenceCheck for RoomsHaveNumbers {
    fn name(&self) -> &'static str {
        "numbers of rooms"
    }

    fn run<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        problems: &'a mut Problems,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async move {
            let mut ids = pages::<RoomIds>();
            while let Some(rows) = ids.next(snapshot).await? {
                let numbers: Vec<RoomNumber> = rows.iter().map(|(_, number)| *number).collect();
                for ((id, number), room) in rows.iter().zip(snapshot.get_many::<Rooms>(&numbers).await?) {
                    if room.is_none_or(|room| room.id != *id) {
                        problems.report(
                            self.name(),
                            format_args!("{id} is {number:?}, which is another room or none"),
                        );
                    }
                }
            }
            let mut rooms = pages::<Rooms>();
            while let Some(rows) = rooms.next(snapshot).await? {
                let ids: Vec<_> = rows.iter().map(|(_, room)| room.id.clone()).collect();
                for ((number, room), found) in rows.iter().zip(snapshot.get_many::<RoomIds>(&ids).await?) {
                    if found != Some(*number) {
                        problems
                            .report(self.name(), format_args!("{} is {found:?} and not {number:?}", room.id));
                    }
                }
            }
            Ok(())
        })
    }
}

/// A head belongs to a room, and its forward extremities are stored.
struct HeadsStandOnEvents;

impl ReferenceCheck for HeadsStandOnEvents {
    fn name(&self) -> &'static str {
        "heads of rooms"
    }

    fn run<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        problems: &'a mut Problems,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async move {
            let mut heads = pages::<Heads>();
            while let Some(rows) = heads.next(snapshot).await? {
                for (room, head) in rows {
                    if snapshot.get::<Rooms>(&room).await?.is_none() {
                        problems.report(self.name(), format_args!("{room:?} has a head and is no room"));
                    }
                    let tips: Vec<_> = head.extremities.iter().map(|event| (room, *event)).collect();
                    for (room, event) in absent(snapshot, &tips).await? {
                        problems.report(
                            self.name(),
                            format_args!("extremity {event:?} of {room:?} is not stored"),
                        );
                    }
                    if tips.iter().any(|(_, event)| *event >= head.next_event) {
                        problems.report(self.name(), format_args!("{room:?} gives numbers that are taken"));
                    }
                }
            }
            Ok(())
        })
    }
}

/// Ids and numbers of events lead to each other.
struct EventsHaveNumbers;

impl ReferenceCheck for EventsHaveNumbers {
    fn name(&self) -> &'static str {
        "numbers of events"
    }

    fn run<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        problems: &'a mut Problems,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async move {
            let mut events = pages::<Events>();
            while let Some(rows) = events.next(snapshot).await? {
                let ids: Vec<_> = rows.iter().map(|((room, _), row)| (*room, row.event_id.clone())).collect();
                for (((room, number), row), found) in
                    rows.iter().zip(snapshot.get_many::<EventNumbers>(&ids).await?)
                {
                    if found != Some(*number) {
                        let id = &row.event_id;
                        problems.report(
                            self.name(),
                            format_args!("{id} of {room:?} is {found:?}, not {number:?}"),
                        );
                    }
                }
            }
            let mut numbers = pages::<EventNumbers>();
            while let Some(rows) = numbers.next(snapshot).await? {
                let keys: Vec<_> = rows.iter().map(|((room, _), number)| (*room, *number)).collect();
                for (room, event) in absent(snapshot, &keys).await? {
                    problems.report(
                        self.name(),
                        format_args!("{event:?} of {room:?} has an id and is not stored"),
                    );
                }
            }
            Ok(())
        })
    }
}

/// The live stream holds accepted events only, each once.
struct ArrivalsAreAccepted;

impl ReferenceCheck for ArrivalsAreAccepted {
    fn name(&self) -> &'static str {
        "live streams of rooms"
    }

    fn run<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        problems: &'a mut Problems,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async move {
            let mut timelines = pages::<Timeline>();
            while let Some(rows) = timelines.next(snapshot).await? {
                let keys: Vec<_> = rows.iter().map(|((room, _), row)| (*room, row.event)).collect();
                let events = snapshot.get_many::<Events>(&keys).await?;
                let arrivals = snapshot.get_many::<Arrivals>(&keys).await?;
                for (((room, position), row), (event, arrival)) in
                    rows.iter().zip(events.into_iter().zip(arrivals))
                {
                    if event.is_none_or(|event| event.outcome != Outcome::Accepted) {
                        let event = row.event;
                        problems.report(
                            self.name(),
                            format_args!("{event:?} of {room:?} is not an accepted event"),
                        );
                    }
                    if arrival != Some(*position) {
                        let event = row.event;
                        problems.report(
                            self.name(),
                            format_args!("{event:?} of {room:?} arrived twice or never"),
                        );
                    }
                }
            }
            Ok(())
        })
    }
}

/// What is counted of threads and mentions is about the live event at that position.
struct CountedEventsArrived;

impl ReferenceCheck for CountedEventsArrived {
    fn name(&self) -> &'static str {
        "threads and mentions"
    }

    fn run<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        problems: &'a mut Problems,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async move {
            let mut threads = pages::<ThreadTotals>();
            while let Some(rows) = threads.next(snapshot).await? {
                let keys: Vec<_> = rows.iter().map(|((room, _, position), _)| (*room, *position)).collect();
                for (((room, root, position), _), found) in
                    rows.iter().zip(snapshot.get_many::<Timeline>(&keys).await?)
                {
                    if found.is_none_or(|row| row.thread.as_ref() != Some(root)) {
                        problems.report(
                            self.name(),
                            format_args!("what arrived in {room:?} at {position:?} is not in {root}"),
                        );
                    }
                }
            }
            let mut mentions = pages::<Mentions>();
            while let Some(rows) = mentions.next(snapshot).await? {
                let keys: Vec<_> = rows.iter().map(|((room, .., position), _)| (*room, *position)).collect();
                for (((room, user, ..), row), found) in
                    rows.iter().zip(snapshot.get_many::<Timeline>(&keys).await?)
                {
                    if found
                        .is_none_or(|found| (found.event, found.thread) != (row.event, row.thread.clone()))
                    {
                        let event = row.event;
                        problems.report(
                            self.name(),
                            format_args!("{event:?} of {room:?}, which mentions {user}, arrived elsewhere"),
                        );
                    }
                }
            }
            Ok(())
        })
    }
}

/// Every place in graph order holds an event that knows its place.
struct HistoryIsThere;

impl ReferenceCheck for HistoryIsThere {
    fn name(&self) -> &'static str {
        "graph order of rooms"
    }

    fn run<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        problems: &'a mut Problems,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async move {
            let mut history = pages::<History>();
            while let Some(rows) = history.next(snapshot).await? {
                let keys: Vec<_> = rows.iter().map(|((room, _), event)| (*room, *event)).collect();
                for (((room, rank), event), row) in rows.iter().zip(snapshot.get_many::<Events>(&keys).await?)
                {
                    if row.is_none_or(|row| row.rank != Some(*rank)) {
                        problems.report(
                            self.name(),
                            format_args!("{event:?} of {room:?} does not stand at {rank:?}"),
                        );
                    }
                }
            }
            Ok(())
        })
    }
}

/// Members by room and rooms by user say the same.
struct MembersHaveRooms;

impl ReferenceCheck for MembersHaveRooms {
    fn name(&self) -> &'static str {
        "members of rooms"
    }

    fn run<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        problems: &'a mut Problems,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async move {
            let mut members = pages::<Members>();
            while let Some(rows) = members.next(snapshot).await? {
                let keys: Vec<_> = rows.iter().map(|((room, user), _)| (user.clone(), *room)).collect();
                for (((room, user), row), found) in
                    rows.iter().zip(snapshot.get_many::<UserRooms>(&keys).await?)
                {
                    let agrees = |found: crate::schema::UserRoomRow| {
                        found.membership == row.membership && found.event == Some(row.event)
                    };
                    if !found.is_some_and(agrees) {
                        problems.report(self.name(), format_args!("{user} and {room:?} do not agree"));
                    }
                }
            }
            Ok(())
        })
    }
}
