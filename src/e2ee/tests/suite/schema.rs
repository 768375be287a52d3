//! What is on disks already.

use std::sync::Arc;

use plop_base::UnixMillis;
use plop_db::codec::Tail;
use plop_db::{Batch, Counter, Position};
use plop_e2ee::schema::{
    FullInboxes, KEYSPACES, ToDeviceBytes, ToDeviceMessages, ToDeviceRow, ToDeviceTransactionRow,
    ToDeviceTransactionTimes, ToDeviceTransactions,
};
use ruma::{owned_device_id, owned_user_id};

/// What is on disks already. A difference here is a difference there.
#[test]
fn stored_rows_keep_their_bytes() {
    let (user, device) = (owned_user_id!("@a:b.c"), owned_device_id!("D"));
    let since = Position::from_bytes([0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3]);
    let mut rows = Batch::durable();
    let event = Tail(Arc::from(r#"{"type":"t"}"#));
    rows.put::<ToDeviceMessages>(&(user.clone(), device.clone(), since, since), &ToDeviceRow { event });
    rows.put::<ToDeviceBytes>(&(user.clone(), device.clone(), since), &Counter(300));
    rows.put::<FullInboxes>(&(user.clone(), device.clone(), since), &());
    let now = UnixMillis(1_700_000_000_000);
    let done = ToDeviceTransactionRow { at: now, position: since };
    for device in [Some(device), None] {
        let key = (user.clone(), device, "m.room_key".to_owned(), "1".to_owned());
        rows.put::<ToDeviceTransactions>(&key, &done);
        rows.put::<ToDeviceTransactionTimes>(&(now, key.0, key.1, key.2, key.3), &());
    }
    insta::assert_snapshot!(plop_db::golden_rows(KEYSPACES, &rows).expect("a row of each keyspace"));
}
