//! What is stored.

use plop_base::UnixMillis;
use plop_db::{Batch, Position};
use plop_ephemeral::schema::{
    KEYSPACES, LastPresence, PresenceRow, PrivateReceiptChanges, ReceiptChanges, ReceiptRow, ReceiptRows,
};
use plop_ephemeral::{ReceiptKind, Thread};
use plop_state_store::{EventNumber, RoomNumber};
use ruma::{owned_event_id, owned_user_id};

/// What is on disks already. A difference here is a difference there.
#[test]
fn stored_rows_keep_their_bytes() {
    let (room, user, at) = (RoomNumber(300), owned_user_id!("@a:b.c"), UnixMillis(1_700_000_000_000));
    let position = Position::from_bytes([0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3]);
    let (event, event_id) = (EventNumber(7), owned_event_id!("$e"));
    let receipt = ReceiptRow { position, event, event_id, arrival: position, at };
    let mut rows = Batch::durable();
    for thread in [Thread::Unthreaded, Thread::Main, Thread::Root(owned_event_id!("$root"))] {
        for kind in [ReceiptKind::Public, ReceiptKind::Private] {
            rows.put::<ReceiptRows>(&(room, user.clone(), kind, thread.clone()), &receipt);
        }
        rows.put::<ReceiptChanges>(&(room, position), &(user.clone(), thread.clone()));
        rows.put::<PrivateReceiptChanges>(&(user.clone(), position), &(room, thread));
    }
    for status_msg in [None, Some("away".to_owned())] {
        rows.put::<LastPresence>(&user, &PresenceRow { last_active: at, status_msg });
    }
    insta::assert_snapshot!(plop_db::golden_rows(KEYSPACES, &rows).expect("a row of each keyspace"));
}
