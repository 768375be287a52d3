//! What is on disks already.

use plop_base::UnixMillis;
use plop_db::{Batch, Position};
use plop_moderation::schema::{KEYSPACES, NoticeRooms, ReportRow, Reports, ReportsByUser};
use ruma::{owned_event_id, owned_room_id, owned_user_id};

/// What is on disks already. A difference here is a difference there.
#[test]
fn stored_rows_keep_their_bytes() {
    let position = Position::from_bytes([0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3]);
    let bare = ReportRow {
        at: UnixMillis(1_700_000_000_000),
        reporter: owned_user_id!("@a:b.c"),
        room: None,
        event: None,
        user: Some(owned_user_id!("@d:b.c")),
        reason: None,
    };
    let full = ReportRow {
        room: Some(owned_room_id!("!r:b.c")),
        event: Some(owned_event_id!("$e")),
        user: None,
        reason: Some("spam".to_owned()),
        ..bare.clone()
    };
    let mut rows = Batch::durable();
    for row in [bare, full] {
        rows.put::<Reports>(&position, &row);
    }
    rows.put::<ReportsByUser>(&(owned_user_id!("@a:b.c"), position), &());
    rows.put::<NoticeRooms>(&owned_user_id!("@a:b.c"), &owned_room_id!("!r:b.c"));
    insta::assert_snapshot!(plop_db::golden_rows(KEYSPACES, &rows).expect("a row of each keyspace"));
}
