//! What is on disks already.

use plop_base::UnixMillis;
use plop_db::codec::{decode, encode};
use plop_db::{Batch, Position};
use plop_state_store::RoomNumber;
use plop_sync::sliding::schema::{
    ConnectionRow, ConnectionUses, Connections, ConnectionsDeleted, KEYSPACES, MarkRow, MarkRowV1, SentDelta,
    SentRoom, SentRooms, SentRow, SentWishes,
};
use ruma::{owned_device_id, owned_user_id};

use super::bed::wishes;

/// Device lists were told up to the answer's position, thread subscriptions not at all.
#[test]
fn marks_of_before_are_read() {
    let position = Position::from_bytes([0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3]);
    let old = encode(&MarkRowV1 { answer: 2, position, account_data: Some(position) });
    let mark = MarkRow {
        answer: 2,
        position,
        account_data: Some(position),
        encryption: Some(position),
        thread_subscriptions: None,
    };
    assert_eq!(decode(&old), Ok(mark));
}

/// What is on disks already. A difference here is a difference there.
#[test]
fn stored_rows_keep_their_bytes() {
    let (user, device) = (owned_user_id!("@a:b.c"), owned_device_id!("D"));
    let since = Position::from_bytes([0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3]);
    let used = UnixMillis(1_700_000_000_000);
    let mut rows = Batch::durable();
    let mark = |answer| MarkRow {
        answer,
        position: since,
        account_data: Some(since),
        encryption: None,
        thread_subscriptions: Some(since),
    };
    let row = ConnectionRow { id: [7; 16], current: mark(2), parent: Some(mark(1)), used };
    rows.put::<Connections>(&(user.clone(), device.clone(), since, "main".to_owned()), &row);
    rows.read_to::<ConnectionsDeleted>(&(since, user.clone(), device.clone(), since));
    rows.put::<ConnectionUses>(&(used, user, device, since, "main".to_owned()), &());
    let sent = SentRoom {
        position: since,
        timeline_limit: 20,
        wishes: 5,
        is_dm: true,
        receipts: false,
        account_data: true,
    };
    let delta = Some(SentDelta { answer: 2, sent: sent.clone() });
    rows.put::<SentRooms>(&([7; 16], RoomNumber(9)), &SentRow { base: Some(sent), delta });
    rows.put::<SentWishes>(
        &([7; 16], 5),
        &wishes(&[("m.room.create", ""), ("*", "k"), ("m.room.member", "lazy")]),
    );
    insta::assert_snapshot!(plop_db::golden_rows(KEYSPACES, &rows).expect("a row of each keyspace"));
}
