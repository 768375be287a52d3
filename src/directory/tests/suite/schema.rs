//! What is on disks already.

use plop_db::Batch;
use plop_directory::schema::{Entries, EntryRow, KEYSPACES, Words};
use ruma::owned_user_id;

/// What is on disks already. A difference here is a difference there.
#[test]
fn stored_rows_keep_their_bytes() {
    let user = owned_user_id!("@a:b.c");
    let mut rows = Batch::durable();
    rows.put::<Words>(&("zoe".to_owned(), user.clone()), &());
    rows.put::<Entries>(&user, &EntryRow { words: vec!["a".to_owned(), "zoe".to_owned()] });
    insta::assert_snapshot!(plop_db::golden_rows(KEYSPACES, &rows).expect("a row of each keyspace"));
}
