//! What is on disks already.

use plop_base::UnixMillis;
use plop_db::codec::{Tail, decode};
use plop_db::{Batch, Counter, Position};
use plop_rooms::HistoryPlace;
use plop_rooms::schema::{
    ActiveThreadRow, ActiveThreads, AliasRow, Aliases, Annotations, AppliedRedactions, Arrivals,
    BackwardExtremities, BackwardExtremitiesRow, ClosedToGuests, Edits, EventFacts, EventNumbers, EventRow,
    EventTimes, Events, HeadRow, Heads, History, IndirectRelationRow, IndirectRelations, JoinedSince,
    KEYSPACES, LastSent, MemberRow, Members, Membership, MentionRow, Mentions, OpenRooms, Originals, Outcome,
    PartialServers, Projecting, ProjectingRow, PublishedRooms, Related, RelatedRow, RelationRow, Relations,
    RoomAliases, RoomIds, RoomRecords, RoomRow, SentBy, ServerName, SigningKeyRow, SigningKeys, StagedEvents,
    StrippedState, StrippedStateRow, Tally, ThreadRow, ThreadSenders, ThreadSummary, ThreadTotals,
    ThreadsByLatest, Timeline, TimelineRow, Totals, TransactionKey, TransactionRow, Transactions,
    UserRoomRow, UserRooms, WaitingEvents, WaitingRedactions, WaitingRow,
};
use plop_state_store::tree::Root;
use plop_state_store::{EventNumber, Generation, KeyHash, RoomNumber};
use ruma::{
    OwnedEventId, OwnedUserId, owned_event_id, owned_room_alias_id, owned_room_id, owned_server_name,
    owned_user_id,
};

const ROOM: RoomNumber = RoomNumber(300);
const EVENT: EventNumber = EventNumber(7);
const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

fn position() -> Position {
    Position::from_bytes([0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3])
}

fn user() -> OwnedUserId {
    owned_user_id!("@a:b.c")
}

fn id() -> OwnedEventId {
    owned_event_id!("$e")
}

fn totals() -> Totals {
    let tally =
        |first| Tally { events: first, notifying: first + 1, highlighting: first + 2, mentioning: first + 3 };
    Totals { all: tally(300), in_threads: tally(1) }
}

/// A state of three events: the name of its node and their number.
fn root() -> Root {
    decode(&[&[5; 12][..], &[1, 3]].concat()).expect("a root")
}

/// A difference here is a difference there.
#[test]
fn stored_rows_keep_their_bytes() {
    let mut rows = Batch::durable();
    put_room(&mut rows);
    put_events(&mut rows);
    put_orders(&mut rows);
    put_members(&mut rows);
    put_unread(&mut rows);
    put_relations(&mut rows);
    put_waiting(&mut rows);
    put_server(&mut rows);
    insta::assert_snapshot!(plop_db::golden_rows(KEYSPACES, &rows).expect("a row of each keyspace"));
}

fn put_room(rows: &mut Batch) {
    let room = owned_room_id!("!r:b.c");
    rows.put::<RoomIds>(&room, &ROOM);
    rows.put::<RoomRecords>(&ROOM, &RoomRow { id: room.clone(), version: "12".to_owned(), since: NOW });
    let whole = HeadRow {
        sequence: 9,
        next_event: EVENT,
        generation: Generation(1),
        root: root(),
        forward_extremities: vec![EventNumber(5), EventNumber(6)],
        next_place: HistoryPlace::FIRST,
        totals: totals(),
        is_partial: false,
    };
    rows.put::<Heads>(&ROOM, &whole);
    let partial = HeadRow { root: Root::EMPTY, forward_extremities: Vec::new(), is_partial: true, ..whole };
    rows.put::<Heads>(&ROOM, &partial);
    rows.put::<PartialServers>(&(ROOM, owned_server_name!("b.c")), &());
    rows.put::<Projecting>(&ROOM, &ProjectingRow { from: root(), since: 9 });
    let alias = owned_room_alias_id!("#a:b.c");
    rows.put::<Aliases>(&alias, &AliasRow { room, creator: user() });
    rows.put::<RoomAliases>(&(ROOM, alias), &());
    rows.put::<PublishedRooms>(&ROOM, &());
    rows.put::<OpenRooms>(&ROOM, &());
    rows.put::<ClosedToGuests>(&ROOM, &position());
}

fn put_events(rows: &mut Batch) {
    rows.put::<EventNumbers>(&(ROOM, id()), &EVENT);
    let row = |facts| EventRow { event_id: id(), facts, pdu: Tail("{}".to_owned()) };
    rows.put::<Events>(&(ROOM, EVENT), &row(EventFacts::outlier()));
    for outcome in [Outcome::Accepted, Outcome::SoftFailed, Outcome::Rejected] {
        for transaction in [None, Some("1".to_owned())] {
            let placed = EventFacts {
                outcome,
                provisional: true,
                place: Some(HistoryPlace::FIRST),
                before: Some(Root::EMPTY),
                after: Some(root()),
                replaces: Some(EventNumber(5)),
                redacted_by: Some(EventNumber(8)),
                sent_by: Some(SentBy { device: "D".to_owned(), transaction }),
            };
            rows.put::<Events>(&(ROOM, EVENT), &row(placed));
        }
    }
    let hash: KeyHash = decode(&[7; 12]).expect("a hash");
    rows.put::<Annotations>(&(ROOM, id(), user(), hash), &EVENT);
    rows.put::<Originals>(&(NOW, ROOM, EVENT), &Tail("{}".to_owned()));
}

fn put_orders(rows: &mut Batch) {
    for thread in [None, Some(id())] {
        let (top, totals) = (HistoryPlace::FIRST, totals());
        let row = TimelineRow { event: EVENT, state: root(), top, joined: 2, thread, totals };
        rows.put::<Timeline>(&(ROOM, position()), &row);
    }
    rows.put::<Arrivals>(&(ROOM, EVENT), &position());
    for place in [HistoryPlace::LOWEST, HistoryPlace::FIRST] {
        rows.put::<History>(&(ROOM, place), &EVENT);
        rows.put::<EventTimes>(&(ROOM, NOW, place), &EVENT);
    }
    let missing = vec![id(), owned_event_id!("$f")];
    rows.put::<BackwardExtremities>(&(ROOM, HistoryPlace::FIRST), &BackwardExtremitiesRow { missing });
}

fn put_members(rows: &mut Batch) {
    for membership in
        [Membership::Join, Membership::Invite, Membership::Knock, Membership::Leave, Membership::Ban]
    {
        let (displayname, avatar_url) = (Some("A".to_owned()), Some("mxc://b.c/m".to_owned()));
        let member = MemberRow { membership, event: EVENT, displayname, avatar_url };
        rows.put::<Members>(&(ROOM, user()), &member);
        let bare = MemberRow { displayname: None, avatar_url: None, ..member };
        rows.put::<Members>(&(ROOM, user()), &bare);
    }
    for (event, forgotten) in [(None, false), (Some(EVENT), true)] {
        let row = UserRoomRow { membership: Membership::Invite, event, position: position(), forgotten };
        rows.put::<UserRooms>(&(user(), ROOM), &row);
    }
    let events = vec!["{}".to_owned(), r#"{"type":"t"}"#.to_owned()];
    rows.put::<StrippedState>(&(user(), ROOM), &StrippedStateRow { events });
}

fn put_unread(rows: &mut Batch) {
    for (in_thread, thread) in [(false, None), (true, Some(id()))] {
        let row = MentionRow { event: EVENT, thread: thread.clone(), notifies_everyone: in_thread };
        rows.put::<Mentions>(&(ROOM, user(), in_thread, position()), &row);
        rows.put::<LastSent>(&(ROOM, user(), thread), &position());
    }
    rows.put::<JoinedSince>(&(ROOM, user()), &position());
    let thread = ThreadRow { tally: totals().all, active: 300 };
    rows.put::<ThreadTotals>(&(ROOM, id(), position()), &thread);
    rows.put::<ActiveThreads>(&(ROOM, 300), &ActiveThreadRow { root: id(), position: position() });
    rows.put::<AppliedRedactions>(&(ROOM, position(), EVENT), &());
}

fn put_relations(rows: &mut Batch) {
    let row = RelationRow { event: EVENT, sender: user(), kind: "m.room.message".to_owned() };
    for rel_type in [None, Some("m.thread".to_owned())] {
        rows.put::<Relations>(&(ROOM, id(), rel_type, HistoryPlace::FIRST), &row);
    }
    for through in [vec![EventNumber(5)], vec![EventNumber(6), EventNumber(5)]] {
        let row = IndirectRelationRow { event: EVENT, through };
        rows.put::<IndirectRelations>(&(ROOM, id(), HistoryPlace::FIRST), &row);
    }
    let hash: KeyHash = decode(&[7; 12]).expect("a hash");
    rows.put::<Edits>(&(ROOM, id(), hash, NOW.0, owned_event_id!("$f")), &EVENT);
    let thread = ThreadSummary { events: 300, latest: EVENT, place: HistoryPlace::FIRST };
    for (edit, thread) in [(None, Some(thread)), (Some(EVENT), None)] {
        let row = RelatedRow { edit, has_loose_edits: edit.is_none(), thread, references: 300 };
        rows.put::<Related>(&(ROOM, id()), &row);
    }
    rows.put::<ThreadSenders>(&(ROOM, id(), user()), &Counter(300));
    rows.put::<ThreadsByLatest>(&(ROOM, HistoryPlace::FIRST), &id());
}

fn put_waiting(rows: &mut Batch) {
    let transaction = TransactionKey {
        user: user(),
        device: "D".to_owned(),
        endpoint: "send/!r:b.c/m.room.message".to_owned(),
        transaction: "1".to_owned(),
    };
    rows.put::<Transactions>(&transaction, &TransactionRow { event_id: id(), at: NOW, position: position() });
    rows.put::<WaitingRedactions>(&(ROOM, id(), EVENT), &());
    let waiting = WaitingRow { from: "d.e".to_owned(), since: NOW, pdu: Tail("{}".to_owned()) };
    rows.put::<WaitingEvents>(&(ROOM, id()), &waiting);
    rows.put::<StagedEvents>(&(ROOM, 5, 7), &Tail("{}".to_owned()));
}

fn put_server(rows: &mut Batch) {
    for until in [None, Some(NOW)] {
        let key = SigningKeyRow { seed: [9; 32], since: NOW, until };
        rows.put::<SigningKeys>(&"ed25519:1".to_owned(), &key);
    }
    rows.put::<ServerName>(&(), &owned_server_name!("b.c"));
}
