//! Who the server is, across restarts.

use plop_accounts::schema::{UserKind, UserRow, Users};
use plop_base::clock::UnixMillis;
use plop_base::{Clock, Random};
use plop_db::{Batch, Db};
use plop_rooms::identity::{IdentityError, claim, load_or_make};
use plop_rooms::schema::{ServerName, SigningKeys};
use ruma::{OwnedServerName, OwnedUserId, RoomVersionId};

use crate::suite::bed::{Bed, keyspaces};

fn name(text: &str) -> OwnedServerName {
    text.try_into().expect("a server name")
}

/// What a start does with a database; whether it is refused.
async fn start(db: &Db, server: &str, seed: u64) -> Result<String, IdentityError> {
    let clock = Clock::simulated(UnixMillis(1_700_000_000_000));
    let key = load_or_make(db, name(server), &clock, &Random::seeded(seed)).await?;
    claim(db, &name(server)).await?;
    Ok(key.id().to_string())
}

async fn stored(db: &Db) -> Option<OwnedServerName> {
    db.snapshot().get::<ServerName>(&()).await.expect("read")
}

#[tokio::test]
async fn the_name_is_replaced_until_something_has_it_and_the_key_stays() {
    let db = Db::memory(keyspaces(), &Random::seeded(1)).expect("a database");
    let key = start(&db, "localhost", 2).await.expect("a start");
    assert_eq!(stored(&db).await, Some(name("localhost")));
    assert_eq!(start(&db, "example.org", 3).await.expect("nobody has the name"), key);
    assert_eq!(stored(&db).await, Some(name("example.org")));

    let row = UserRow {
        kind: UserKind::Regular,
        created: UnixMillis(0),
        password: None,
        admin: false,
        locked: false,
        suspended: false,
        deactivated: None,
    };
    let alice = OwnedUserId::try_from("@alice:example.org").expect("a user id");
    let mut batch = Batch::durable();
    batch.put::<Users>(&alice, &row);
    db.commit(batch).await.expect("committed");
    let refused = start(&db, "localhost", 4).await;
    assert!(matches!(refused, Err(IdentityError::OtherServer { .. })), "{refused:?}");
    assert_eq!(stored(&db).await, Some(name("example.org")));
    assert_eq!(start(&db, "example.org", 5).await.expect("its own name"), key);
}

#[tokio::test]
async fn a_room_has_the_name_too_and_a_refused_start_writes_nothing() {
    let bed = Bed::new().await;
    let db = &bed.rooms.core().db;
    claim(db, &name("plop.example")).await.expect("the first start");
    bed.room(RoomVersionId::V12, None).await;
    let position = db.published();
    let refused = start(db, "localhost", 2).await;
    assert!(matches!(refused, Err(IdentityError::OtherServer { .. })), "{refused:?}");
    assert_eq!(db.published(), position);
}

/// The key comes early in a start, the name at its end: a start that is refused in between has not given it.
#[tokio::test]
async fn a_start_that_was_refused_later_has_not_given_the_name() {
    let db = Db::memory(keyspaces(), &Random::seeded(1)).expect("a database");
    let clock = Clock::simulated(UnixMillis(0));
    load_or_make(&db, name("localhost"), &clock, &Random::seeded(2)).await.expect("a key");
    assert_eq!(stored(&db).await, None);
    let range = plop_db::KeyRange::<SigningKeys>::all();
    let keys = db.snapshot().scan(range, plop_db::Direction::Forward, 2).await.expect("read");
    assert_eq!(keys.rows.len(), 1);
}
