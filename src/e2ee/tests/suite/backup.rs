//! Key backups, on the Memory engine.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use plop_accounts::schema::AccountEnds;
use plop_base::Actor;
use plop_db::codec::Tail;
use plop_db::{Batch, Position};
use plop_e2ee::backup::schema::{
    BackedUpKeyRow, BackedUpKeys, BackupsDeleted, KEYSPACES, KeyBackupRoomRow, KeyBackupRooms, KeyBackupRow,
    KeyBackupTotals, KeyBackupTotalsRow, KeyBackupVersions, LastKeyBackups,
};
use plop_e2ee::backup::{
    BackupError, KeyBackups, KeyScope, MAX_AUTH_DATA_BYTES, MAX_BACKUPS, MAX_BYTES, MAX_KEYS,
    MAX_KEYS_AT_ONCE, MAX_NAME_BYTES, MAX_SESSION_DATA_BYTES, NewKey, StoredKey, check,
};
use ruma::{OwnedRoomId, OwnedUserId, RoomId, owned_room_id, owned_user_id, room_id};
use serde_json::{Map, Value, json};

use crate::bed::{Bed, actor};

/// A user of a server, and the user's backups.
struct Shelf {
    bed: Bed,
    backups: KeyBackups,
    user: OwnedUserId,
    alice: Actor,
}

impl Shelf {
    async fn new() -> Self {
        Self::on(Bed::new()).await
    }

    async fn on(bed: Bed) -> Self {
        let user = bed.user("alice", &["A"]).await;
        let (backups, alice) = (KeyBackups::new(bed.db.clone()), actor(&user, "A"));
        Self { bed, backups, user, alice }
    }

    async fn create(&self) -> String {
        self.backups.create(&self.alice, "a", &map(json!({}))).await.expect("a backup").to_string()
    }

    async fn store(&self, version: &str, keys: Vec<NewKey>) -> Result<(u64, u64), BackupError> {
        let totals = self.backups.store_keys(&self.alice, version, keys).await?;
        Ok((totals.changes, totals.keys))
    }

    async fn delete(&self, version: &str, scope: KeyScope<'_>) -> (u64, u64) {
        let totals = self.backups.delete_keys(&self.alice, version, scope).await.expect("deleted");
        (totals.changes, totals.keys)
    }

    async fn all(&self, version: &str, room: Option<&RoomId>) -> Vec<StoredKey> {
        let mut pages = self.backups.keys(&self.alice, version, room).await.expect("a backup");
        let mut all = Vec::new();
        while let Some(keys) = pages.next().await.expect("a page") {
            all.extend(keys);
        }
        all
    }

    async fn sessions(&self, version: &str) -> Vec<String> {
        self.all(version, None).await.into_iter().map(|key| key.session).collect()
    }

    /// What `plop check` has to say, and what is counted.
    async fn check(&self) {
        let report = self.bed.db.check(&check::reference_checks()).await;
        assert!(report.is_sound(), "{report:?}");
    }

    /// How many rows there are in each keyspace.
    async fn rows(&self) -> [usize; 5] {
        [
            self.bed.rows::<KeyBackupVersions>().await,
            self.bed.rows::<KeyBackupTotals>().await,
            self.bed.rows::<KeyBackupRooms>().await,
            self.bed.rows::<BackedUpKeys>().await,
            self.bed.rows::<LastKeyBackups>().await,
        ]
    }
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

fn room(number: usize) -> OwnedRoomId {
    format!("!{number}:plop.example").try_into().expect("a room")
}

fn key(room: OwnedRoomId, session: &str, first_message_index: u64) -> NewKey {
    NewKey {
        room,
        session: session.to_owned(),
        first_message_index,
        forwarded_count: 0,
        is_verified: false,
        session_data: map(json!({ "ciphertext": "x" })),
    }
}

#[test]
fn stored_rows_keep_their_bytes() {
    let user = owned_user_id!("@a:b.c");
    let backup = (user.clone(), 300);
    let room = (user.clone(), 300, owned_room_id!("!r:b.c"));
    let mut rows = Batch::durable();
    let row = KeyBackupRow { algorithm: "m.a".to_owned(), auth_data: Tail("{}".to_owned()) };
    rows.put::<KeyBackupVersions>(&backup, &row);
    rows.put::<KeyBackupTotals>(&backup, &KeyBackupTotalsRow { changes: 3, keys: 2, bytes: 1_400 });
    rows.put::<KeyBackupRooms>(&room, &KeyBackupRoomRow { keys: 2, bytes: 1_400 });
    let row = BackedUpKeyRow {
        first_message_index: 300,
        forwarded_count: 1,
        is_verified: true,
        session_data: Tail(r#"{"mac":"m"}"#.to_owned()),
    };
    rows.put::<BackedUpKeys>(&(room.0, room.1, room.2, "s/+".to_owned()), &row);
    rows.put::<LastKeyBackups>(&user, &300);
    let position = Position::from_bytes([0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3]);
    rows.read_to::<BackupsDeleted>(&(position, user));
    insta::assert_snapshot!(plop_db::golden_rows(KEYSPACES, &rows).expect("a row of each keyspace"));
}

#[tokio::test(start_paused = true)]
async fn versions_rise_and_are_never_given_again() {
    let shelf = Shelf::new().await;
    assert!(matches!(shelf.backups.current(&shelf.alice).await, Err(BackupError::NotFound)));
    assert_eq!((shelf.create().await, shelf.create().await), ("1".to_owned(), "2".to_owned()));
    shelf.backups.delete(&shelf.alice, "2").await.expect("deleted");
    assert_eq!(shelf.backups.current(&shelf.alice).await.expect("a backup").version, 1, "the one before");
    shelf.backups.delete(&shelf.alice, "1").await.expect("deleted");
    assert!(matches!(shelf.backups.current(&shelf.alice).await, Err(BackupError::NotFound)));
    assert_eq!(shelf.create().await, "3");
    for (version, is_there) in
        [("1", true), ("2", true), ("4", false), ("0", true), ("03", false), ("x", false)]
    {
        let deleted = shelf.backups.delete(&shelf.alice, version).await;
        assert_eq!(deleted.is_ok(), is_there, "{version}");
        let read = shelf.backups.backup(&shelf.alice, version).await;
        assert!(matches!(read, Err(BackupError::NotFound)), "{version}");
    }
    shelf.check().await;
}

#[tokio::test(start_paused = true)]
async fn backups_made_at_once_have_different_versions() {
    let shelf = Shelf::new().await;
    let made = join_all((0..20).map(|_| shelf.create())).await;
    assert_eq!(made.iter().collect::<BTreeSet<_>>().len(), 20);
    assert_eq!(shelf.backups.current(&shelf.alice).await.expect("a backup").version, 20);
}

#[tokio::test(start_paused = true)]
async fn row_95_keys_are_written_to_the_newest_backup_only() {
    let shelf = Shelf::new().await;
    let old = shelf.create().await;
    shelf.store(&old, vec![key(room(1), "s", 0)]).await.expect("stored");
    let new = shelf.create().await;
    let refused = shelf.store(&old, vec![key(room(1), "t", 0)]).await;
    assert!(matches!(refused, Err(BackupError::NotCurrent { current: 2 })));
    assert!(matches!(shelf.store("3", vec![]).await, Err(BackupError::NotFound)));
    assert_eq!(shelf.store(&new, vec![key(room(1), "t", 0)]).await.expect("stored"), (1, 1));
    // The old one is read, and deleted from.
    assert_eq!((shelf.sessions("1").await, shelf.sessions("2").await), (vec!["s".into()], vec!["t".into()]));
    assert_eq!(shelf.delete("1", KeyScope::All).await, (2, 0));
    // Somebody else has no such backup.
    let bob = actor(&shelf.bed.user("bob", &["B"]).await, "B");
    for version in ["1", "2"] {
        let stolen = shelf.backups.keys(&bob, version, None).await;
        assert!(matches!(stolen, Err(BackupError::NotFound)));
        let stored = shelf.backups.store_keys(&bob, version, vec![]).await;
        assert!(matches!(stored, Err(BackupError::NotFound)));
    }
}

#[tokio::test(start_paused = true)]
async fn what_changes_nothing_leaves_the_etag() {
    let shelf = Shelf::new().await;
    let version = shelf.create().await;
    assert_eq!(shelf.store(&version, vec![]).await.expect("stored"), (0, 0));
    let batch = || vec![key(room(1), "s", 5), key(room(1), "t", 5), key(room(2), "s", 5)];
    assert_eq!(shelf.store(&version, batch()).await.expect("stored"), (1, 3));
    let before = shelf.bed.db.published();
    assert_eq!(shelf.store(&version, batch()).await.expect("stored"), (1, 3), "the same again");
    assert_eq!(shelf.bed.db.published(), before, "nothing is written");
    // One of these is better, one worse, one new.
    let mixed = vec![key(room(1), "s", 4), key(room(1), "t", 6), key(room(3), "s", 9)];
    assert_eq!(shelf.store(&version, mixed).await.expect("stored"), (2, 4));
    let indices: Vec<_> =
        shelf.all(&version, None).await.iter().map(|key| key.row.first_message_index).collect();
    assert_eq!(indices, [4, 5, 5, 9]);

    assert_eq!(shelf.delete(&version, KeyScope::Session(&room(1), "u")).await, (2, 4), "not there");
    assert_eq!(shelf.delete(&version, KeyScope::Session(&room(1), "t")).await, (3, 3));
    assert_eq!(shelf.delete(&version, KeyScope::Room(&room(9))).await, (3, 3), "not there");
    assert_eq!(shelf.delete(&version, KeyScope::Room(&room(1))).await, (4, 2));
    assert_eq!(shelf.delete(&version, KeyScope::Session(&room(2), "s")).await, (5, 1));
    shelf.check().await;
    assert_eq!(shelf.rows().await, [1, 1, 1, 1, 1]);
    assert_eq!(shelf.delete(&version, KeyScope::All).await, (6, 0));
    assert_eq!(shelf.delete(&version, KeyScope::All).await, (6, 0));
    assert_eq!(shelf.rows().await, [1, 1, 0, 0, 1]);
    let totals = shelf.backups.backup(&shelf.alice, &version).await.expect("a backup").totals;
    assert_eq!((totals.keys, totals.bytes), (0, 0), "what went was counted as what came");
}

#[tokio::test(start_paused = true)]
async fn uploads_at_once_are_all_counted() {
    let shelf = Shelf::new().await;
    let version = shelf.create().await;
    let batch = |number: usize| (0..20).map(|session| key(room(number), &session.to_string(), 0)).collect();
    let stored = join_all((0..30).map(|number| shelf.store(&version, batch(number)))).await;
    let etags: BTreeSet<_> = stored.into_iter().map(|stored| stored.expect("stored").0).collect();
    assert!(etags.into_iter().eq(1..=30), "each has its own");
    assert_eq!(shelf.backups.current(&shelf.alice).await.expect("a backup").totals.keys, 600);
    shelf.check().await;
}

/// A large account: read by pages, deleted at once.
#[tokio::test(start_paused = true)]
async fn a_backup_of_20_000_keys_is_read_by_pages_and_deleted_by_ranges() {
    let shelf = Shelf::new().await;
    let version = shelf.create().await;
    for batch in 0..100 {
        let keys = (0..200).map(|n| key(room(n % 50), &format!("{batch}/{n}"), 0)).collect();
        shelf.store(&version, keys).await.expect("stored");
    }
    assert_eq!(shelf.all(&version, None).await.len(), 20_000);
    let of_room = shelf.all(&version, Some(&room(7))).await;
    assert!(of_room.len() == 400 && of_room.iter().all(|key| key.room == room(7)));
    assert_eq!(shelf.delete(&version, KeyScope::Room(&room(7))).await, (101, 19_600));
    shelf.check().await;

    // Deleted while it is read: what came is not taken for all.
    let mut pages = shelf.backups.keys(&shelf.alice, &version, None).await.expect("a backup");
    pages.next().await.expect("a page").expect("keys");
    shelf.backups.delete(&shelf.alice, &version).await.expect("deleted");
    assert!(matches!(pages.next().await, Err(BackupError::NotFound)));
    assert_eq!(shelf.rows().await, [0, 0, 0, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn everything_that_a_client_writes_is_bounded() {
    let shelf = Shelf::new().await;
    let version = shelf.create().await;
    let filled = |bytes: usize| map(json!({ "x": "x".repeat(bytes - r#"{"x":""}"#.len()) }));
    for (bytes, fits) in [(MAX_SESSION_DATA_BYTES, true), (MAX_SESSION_DATA_BYTES + 1, false)] {
        let large = NewKey { session_data: filled(bytes), ..key(room(1), "s", 0) };
        let stored = shelf.store(&version, vec![large]).await;
        assert!(stored.is_ok() == fits && (fits || matches!(stored, Err(BackupError::SessionDataTooLarge))));
    }
    for (name, fits) in
        [("", false), (&*"s".repeat(MAX_NAME_BYTES), true), (&*"s".repeat(MAX_NAME_BYTES + 1), false)]
    {
        let stored = shelf.store(&version, vec![key(room(1), name, 0)]).await;
        assert!(stored.is_ok() == fits && (fits || matches!(stored, Err(BackupError::InvalidSession))));
        let made = shelf.backups.create(&shelf.alice, name, &map(json!({}))).await;
        assert!(made.is_ok() == fits && (fits || matches!(made, Err(BackupError::InvalidAlgorithm))));
    }
    for (bytes, fits) in [(MAX_AUTH_DATA_BYTES, true), (MAX_AUTH_DATA_BYTES + 1, false)] {
        let made = shelf.backups.create(&shelf.alice, "a", &filled(bytes)).await;
        assert!(made.is_ok() == fits && (fits || matches!(made, Err(BackupError::AuthDataTooLarge))));
        let changed = shelf.backups.update(&shelf.alice, "1", "a", &filled(bytes)).await;
        assert!(changed.is_ok() == fits && (fits || matches!(changed, Err(BackupError::AuthDataTooLarge))));
    }
    let many = (0..=MAX_KEYS_AT_ONCE).map(|number| key(room(1), &number.to_string(), 0));
    let refused = shelf.store("3", many.clone().collect()).await;
    assert!(matches!(refused, Err(BackupError::TooManyAtOnce)));
    shelf.store("3", many.skip(1).collect()).await.expect("as many as may be in a request");
    for _ in 3..MAX_BACKUPS {
        shelf.create().await;
    }
    let refused = shelf.backups.create(&shelf.alice, "a", &map(json!({}))).await;
    assert!(matches!(refused, Err(BackupError::TooManyBackups)));
}

/// What is in all backups together is limited; what makes it less, or no more, is done still.
#[tokio::test(start_paused = true)]
async fn row_95_a_full_user_replaces_and_deletes_and_stores_nothing_more() {
    for full in [
        KeyBackupTotalsRow { changes: 1, keys: MAX_KEYS - 1, bytes: 0 },
        KeyBackupTotalsRow { changes: 1, keys: 1, bytes: MAX_BYTES - 40 },
    ] {
        let shelf = Shelf::new().await;
        let (old, new) = (shelf.create().await, shelf.create().await);
        let mut batch = Batch::durable();
        batch.put::<KeyBackupTotals>(&(shelf.user.clone(), 1), &full);
        shelf.bed.db.commit(batch).await.expect("committed");
        shelf.store(&new, vec![key(room(1), "s", 5)]).await.expect("the last one that fits");
        let refused = shelf.store(&new, vec![key(room(1), "t", 5)]).await;
        assert!(matches!(refused, Err(BackupError::Full)));
        assert_eq!(shelf.store(&new, vec![key(room(1), "s", 4)]).await.expect("replaced"), (2, 1));
        assert_eq!(shelf.delete(&new, KeyScope::All).await, (3, 0));
        shelf.backups.delete(&shelf.alice, &old).await.expect("deleted");
        shelf.store(&new, vec![key(room(1), "s", 5), key(room(1), "t", 5)]).await.expect("there is room");
    }
}

#[tokio::test(start_paused = true)]
async fn row_135_the_backups_of_an_ended_account_go_and_nothing_comes_behind() {
    let shelf = Shelf::new().await;
    let version = shelf.create().await;
    shelf.store(&version, vec![key(room(1), "s", 0)]).await.expect("stored");
    let bob = actor(&shelf.bed.user("bob", &["B"]).await, "B");
    shelf.backups.create(&bob, "a", &map(json!({}))).await.expect("a backup");
    plop_bed::deactivate(&shelf.bed.accounts, &shelf.alice, false).await.expect("a deactivation");
    let refused = shelf.store(&version, vec![key(room(1), "t", 0)]).await;
    assert!(matches!(refused, Err(BackupError::NoAccount)));
    for left in [1, 0] {
        shelf.backups.sweep().await.expect("swept");
        assert_eq!(shelf.rows().await, [1, 1, 0, 0, 1], "those of bob");
        shelf.bed.accounts.trim_ends().await.expect("trimmed");
        assert_eq!(shelf.bed.rows::<AccountEnds>().await, left, "until the sweep of keys has seen it");
        shelf.bed.keys.sweep(shelf.bed.clock.now()).await.expect("swept");
    }
}

#[tokio::test(start_paused = true)]
async fn backups_are_there_after_a_restart() {
    let shelf = Shelf::on(Bed::new()).await;
    let version = shelf.create().await;
    shelf.store(&version, vec![key(room_id!("!r:b.c").to_owned(), "s", 0)]).await.expect("stored");
    let Shelf { bed, backups, alice, user } = shelf;
    drop(backups);
    let bed = bed.restarted().await;
    let shelf = Shelf { backups: KeyBackups::new(bed.db.clone()), bed, user, alice };
    assert_eq!(shelf.sessions(&version).await, ["s"]);
    assert_eq!(shelf.create().await, "2");
}
