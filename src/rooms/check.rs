//! What `plop check` asks of the rooms: that the rows which name each other agree.
//!
//! Owns: the references between this crate's keyspaces. Repairs nothing.

use plop_db::{Reference, ReferenceCheck};

use crate::schema::{
    Annotations, Arrivals, ClosedToGuests, Edits, EventNumbers, EventTimes, Events, Heads, History,
    IndirectRelations, Members, Membership, Mentions, OpenRooms, Outcome, PartialServers, Projecting,
    Related, Relations, RoomIds, RoomRecords, ThreadTotals, ThreadsByLatest, Timeline, UserRooms,
};

/// The checks of this crate's rows.
pub fn reference_checks() -> Vec<Box<dyn ReferenceCheck>> {
    [rooms(), heads(), events(), orders(), counted(), related()].into_iter().flatten().collect()
}

/// Ids and numbers of rooms lead to each other; members by room and rooms by user say the same.
fn rooms() -> Vec<Box<dyn ReferenceCheck>> {
    vec![
        Box::new(Reference::<RoomIds, RoomRecords> {
            name: "numbers of rooms",
            names: |_, number| vec![*number],
            agrees: |(id, _), (_, room)| room.id == *id,
        }),
        Box::new(Reference::<RoomRecords, RoomIds> {
            name: "numbers of rooms",
            names: |_, room| vec![room.id.clone()],
            agrees: |(number, _), (_, found)| found == number,
        }),
        Box::new(Reference::<OpenRooms, RoomRecords>::exists("open rooms", |room, ()| vec![*room])),
        Box::new(Reference::<ClosedToGuests, RoomRecords>::exists("rooms without guests", |room, _| {
            vec![*room]
        })),
        Box::new(Reference::<Members, UserRooms> {
            name: "members of rooms",
            names: |(room, user), _| vec![(user.clone(), *room)],
            // Of one who is joined the rooms of the user keep the join, whatever the profile is now.
            agrees: |(_, member), (_, of_user)| {
                let is_same = of_user.event == Some(member.event);
                of_user.membership == member.membership && (is_same || member.membership == Membership::Join)
            },
        }),
        Box::new(Reference::<UserRooms, Members> {
            name: "rooms of users",
            // Nothing is known of the event of an invite from elsewhere, and who was resolved away has none.
            names: |(user, room), of_user| of_user.event.map(|_| (*room, user.clone())).into_iter().collect(),
            agrees: |(_, of_user), (_, member)| of_user.membership == member.membership,
        }),
    ]
}

/// A head belongs to a room; its forward extremities are stored, and the next number is free.
fn heads() -> Vec<Box<dyn ReferenceCheck>> {
    vec![
        Box::new(Reference::<Heads, RoomRecords>::exists("heads of rooms", |room, _| vec![*room])),
        Box::new(Reference::<Projecting, Heads> {
            name: "heads of rooms",
            names: |room, _| vec![*room],
            agrees: |(_, behind), (_, head)| behind.since <= head.sequence,
        }),
        Box::new(Reference::<PartialServers, Heads>::exists("heads of rooms", |(room, _), ()| vec![*room])),
        Box::new(Reference::<Heads, Events> {
            name: "heads of rooms",
            names: |room, head| head.forward_extremities.iter().map(|event| (*room, *event)).collect(),
            agrees: |(_, head), ((_, event), _)| *event < head.next_event,
        }),
    ]
}

/// Ids and numbers of events lead to each other.
fn events() -> Vec<Box<dyn ReferenceCheck>> {
    vec![
        Box::new(Reference::<Events, EventNumbers> {
            name: "numbers of events",
            names: |(room, _), row| vec![(*room, row.event_id.clone())],
            agrees: |((_, number), _), (_, found)| found == number,
        }),
        Box::new(Reference::<Annotations, Events>::exists("numbers of events", |(room, ..), number| {
            vec![(*room, *number)]
        })),
        Box::new(Reference::<EventNumbers, Events>::exists("numbers of events", |(room, _), number| {
            vec![(*room, *number)]
        })),
    ]
}

/// The live stream holds accepted events only, each once; every place in graph order holds an event that knows its place.
fn orders() -> Vec<Box<dyn ReferenceCheck>> {
    vec![
        Box::new(Reference::<Timeline, Events> {
            name: "live streams of rooms",
            names: |(room, _), row| vec![(*room, row.event)],
            agrees: |_, (_, event)| event.facts.outcome == Outcome::Accepted,
        }),
        Box::new(Reference::<Timeline, Arrivals> {
            name: "live streams of rooms",
            names: |(room, _), row| vec![(*room, row.event)],
            agrees: |((_, position), _), (_, arrival)| arrival == position,
        }),
        Box::new(Reference::<History, Events> {
            name: "graph order of rooms",
            names: |(room, _), event| vec![(*room, *event)],
            agrees: |((_, place), _), (_, row)| row.facts.place == Some(*place),
        }),
        Box::new(Reference::<EventTimes, History> {
            name: "times of events",
            names: |(room, _, place), _| vec![(*room, *place)],
            agrees: |(_, event), (_, at)| at == event,
        }),
    ]
}

/// What is counted as unread arrived where it says.
fn counted() -> Vec<Box<dyn ReferenceCheck>> {
    vec![
        Box::new(Reference::<ThreadTotals, Timeline> {
            name: "threads and mentions",
            names: |(room, _, position), _| vec![(*room, *position)],
            agrees: |((_, root, _), _), (_, arrived)| arrived.thread.as_ref() == Some(root),
        }),
        Box::new(Reference::<Mentions, Timeline> {
            name: "threads and mentions",
            names: |(room, .., position), _| vec![(*room, *position)],
            agrees: |(_, mention), (_, arrived)| {
                (arrived.event, &arrived.thread) == (mention.event, &mention.thread)
            },
        }),
    ]
}

/// The children of events stand where it says and are not redacted, and the list of threads says what is said of each.
fn related() -> Vec<Box<dyn ReferenceCheck>> {
    vec![
        Box::new(Reference::<Relations, Events> {
            name: "relations of events",
            names: |(room, ..), row| vec![(*room, row.event)],
            agrees: |((.., place), _), (_, event)| {
                event.facts.place == Some(*place) && event.facts.redacted_by.is_none()
            },
        }),
        Box::new(Reference::<IndirectRelations, Events>::exists("relations of events", |(room, ..), row| {
            row.through.iter().chain([&row.event]).map(|event| (*room, *event)).collect()
        })),
        Box::new(Reference::<Edits, Events>::exists("relations of events", |(room, ..), event| {
            vec![(*room, *event)]
        })),
        Box::new(Reference::<Related, ThreadsByLatest> {
            name: "threads of rooms",
            names: |(room, _), row| row.thread.map(|thread| (*room, thread.place)).into_iter().collect(),
            agrees: |((_, root), _), (_, listed)| listed == root,
        }),
        Box::new(Reference::<ThreadsByLatest, Related> {
            name: "threads of rooms",
            names: |(room, _), root| vec![(*room, root.clone())],
            agrees: |((_, place), _), (_, row)| row.thread.is_some_and(|thread| thread.place == *place),
        }),
    ]
}
