//! Receipts.

use plop_base::{Actor, UnixMillis};
use plop_db::{Batch, Db, MemoryDisk, Position};
use plop_ephemeral::schema::{PrivateReceiptChanges, ReceiptChanges, ReceiptRows};
use plop_ephemeral::{NewReceipt, Receipt, ReceiptError, ReceiptKind, Receipts, Thread, receipts};
use plop_state_store::{EventNumber, RoomNumber};
use ruma::{EventId, UserId};

use crate::{actor, database, shadow_banned, user};

const ROOM: RoomNumber = RoomNumber(1);
const ALL: usize = 1_000;

/// The place at which the n-th event arrived.
fn arrival(number: u8) -> Position {
    let mut bytes = [0; 12];
    bytes[7] = number;
    Position::from_bytes(bytes)
}

fn read(kind: ReceiptKind, thread: Thread, number: u8) -> NewReceipt {
    let event_id = EventId::parse(format!("$e{number}")).expect("an event id");
    let event = EventNumber(number.into());
    NewReceipt { kind, thread, event, event_id, arrival: arrival(number), at: UnixMillis(7) }
}

async fn set(receipts: &Receipts, user: &UserId, new: NewReceipt) -> usize {
    receipts.set(&actor(user), ROOM, user, &[new]).await.expect("written")
}

async fn room_since(db: &Db, after: Position) -> Vec<Receipt> {
    let snapshot = db.snapshot();
    receipts::changes(&snapshot, ROOM, after, snapshot.position(), ALL).await.expect("read").receipts
}

async fn private_since(db: &Db, user: &UserId, after: Position) -> Vec<Receipt> {
    let snapshot = db.snapshot();
    let page = receipts::private_changes(&snapshot, user, after, snapshot.position(), ALL).await;
    page.expect("read").receipts
}

fn events(receipts: &[Receipt]) -> Vec<u64> {
    receipts.iter().map(|receipt| receipt.row.event.0).collect()
}

#[tokio::test(start_paused = true)]
async fn a_receipt_never_moves_back() {
    let db = database(&MemoryDisk::new());
    let (receipts, alice) = (Receipts::new(db.clone()), user("alice"));
    for (number, moved) in [(5, 1), (3, 0), (5, 0), (6, 1)] {
        assert_eq!(
            set(&receipts, &alice, read(ReceiptKind::Public, Thread::Unthreaded, number)).await,
            moved
        );
    }
    assert_eq!(events(&room_since(&db, Position::START).await), [6]);
    let both = [5, 9, 7].map(|number| read(ReceiptKind::Public, Thread::Main, number));
    assert_eq!(receipts.set(&actor(&alice), ROOM, &alice, &both).await.expect("written"), 1);
    assert_eq!(events(&room_since(&db, Position::START).await), [6, 9]);
}

#[tokio::test(start_paused = true)]
async fn many_changes_are_one_row_at_its_newest_place() {
    let db = database(&MemoryDisk::new());
    let (receipts, alice, bob) = (Receipts::new(db.clone()), user("alice"), user("bob"));
    set(&receipts, &bob, read(ReceiptKind::Public, Thread::Unthreaded, 1)).await;
    let after_bob = db.published();
    for number in 1..=100 {
        set(&receipts, &alice, read(ReceiptKind::Public, Thread::Unthreaded, number)).await;
    }
    assert_eq!(events(&room_since(&db, Position::START).await), [1, 100]);
    assert_eq!(events(&room_since(&db, after_bob).await), [100]);
    assert!(room_since(&db, db.published()).await.is_empty());
    let snapshot = db.snapshot();
    let newest = receipts::newest(&snapshot, ROOM, snapshot.position(), 1).await.expect("read");
    assert_eq!((events(&newest.receipts), newest.more), (vec![100], true));
    let other = receipts::newest(&snapshot, RoomNumber(2), snapshot.position(), 1).await.expect("read");
    assert!(other.receipts.is_empty());
}

#[tokio::test(start_paused = true)]
async fn threads_have_receipts_of_their_own() {
    let db = database(&MemoryDisk::new());
    let (receipts, alice) = (Receipts::new(db.clone()), user("alice"));
    let root = Thread::Root(EventId::parse("$root").expect("an event id"));
    for (thread, number) in [(Thread::Unthreaded, 9), (Thread::Main, 4), (root.clone(), 2)] {
        assert_eq!(set(&receipts, &alice, read(ReceiptKind::Public, thread, number)).await, 1);
    }
    let found = room_since(&db, Position::START).await;
    let threads: Vec<_> = found.into_iter().map(|receipt| receipt.thread).collect();
    assert_eq!(threads, [Thread::Unthreaded, Thread::Main, root]);
}

#[tokio::test(start_paused = true)]
async fn private_receipts_are_for_their_user_only() {
    let db = database(&MemoryDisk::new());
    let (receipts, alice, bob) = (Receipts::new(db.clone()), user("alice"), user("bob"));
    let mut publications = db.subscribe();
    set(&receipts, &alice, read(ReceiptKind::Private, Thread::Unthreaded, 8)).await;
    let notices = publications.recv().await.expect("published").notices.clone();
    let woken: Vec<_> = notices
        .iter()
        .map(|notice| notice.subject::<plop_ephemeral::schema::PrivateReceiptChanges>())
        .collect();
    assert_eq!(woken, [Some(alice.clone())], "the room is not told");

    assert!(room_since(&db, Position::START).await.is_empty());
    assert!(private_since(&db, &bob, Position::START).await.is_empty());
    assert_eq!(events(&private_since(&db, &alice, Position::START).await), [8]);
    set(&receipts, &alice, read(ReceiptKind::Public, Thread::Unthreaded, 3)).await;
    let own = receipts::own(&db.snapshot(), ROOM, &alice, ALL).await.expect("read").receipts;
    assert_eq!(events(&own), [3, 8], "the public one may lag behind");
    assert!(receipts::own(&db.snapshot(), ROOM, &bob, ALL).await.expect("read").receipts.is_empty());
}

#[tokio::test(start_paused = true)]
async fn receipts_outlive_a_restart() {
    let disk = MemoryDisk::new();
    let (db, alice) = (database(&disk), user("alice"));
    set(&Receipts::new(db.clone()), &alice, read(ReceiptKind::Public, Thread::Main, 5)).await;
    db.close().await;
    let db = database(&disk);
    assert_eq!(events(&room_since(&db, Position::START).await), [5]);
    assert_eq!(set(&Receipts::new(db), &alice, read(ReceiptKind::Public, Thread::Main, 4)).await, 0);
}

#[tokio::test(start_paused = true)]
async fn others_and_too_many_are_refused_and_the_shadow_banned_unseen() {
    let db = database(&MemoryDisk::new());
    let (receipts, alice, bob) = (Receipts::new(db.clone()), user("alice"), user("bob"));
    let new = read(ReceiptKind::Public, Thread::Main, 1);
    let refused = receipts.set(&actor(&bob), ROOM, &alice, std::slice::from_ref(&new)).await;
    assert!(matches!(refused, Err(ReceiptError::Forbidden(_))));
    let refused = receipts.set(&Actor::Server, ROOM, &alice, &vec![new.clone(); 101]).await;
    assert!(matches!(refused, Err(ReceiptError::TooMany)));
    assert!(matches!(receipts.set(&shadow_banned(&alice), ROOM, &alice, &[new]).await, Ok(0)));
    assert!(room_since(&db, Position::START).await.is_empty());
}

/// What `plop check` asks: receipts and their changes lead to each other.
#[tokio::test(start_paused = true)]
async fn receipts_without_their_changes_are_found_and_the_reverse() {
    let written = async || {
        let db = database(&MemoryDisk::new());
        let receipts = Receipts::new(db.clone());
        for name in ["alice", "bob"] {
            for (kind, number) in
                [(ReceiptKind::Public, 5), (ReceiptKind::Private, 6), (ReceiptKind::Public, 8)]
            {
                set(&receipts, &user(name), read(kind, Thread::Main, number)).await;
            }
        }
        db
    };
    let problems = async |db: &Db, batch: Batch| {
        db.commit(batch).await.expect("committed");
        let report = db.check(&plop_ephemeral::check::reference_checks()).await;
        report.problems.into_iter().map(|problem| problem.place).collect::<Vec<_>>()
    };
    assert_eq!(problems(&written().await, Batch::durable()).await, [""; 0]);
    for (kind, name) in
        [(ReceiptKind::Public, "changes of receipts"), (ReceiptKind::Private, "changes of private receipts")]
    {
        let key = (ROOM, user("alice"), kind, Thread::Main);
        let db = written().await;
        let row = db.snapshot().get::<ReceiptRows>(&key).await.expect("read").expect("a receipt");
        let mut batch = Batch::durable();
        batch.delete::<ReceiptRows>(&key);
        assert_eq!(problems(&db, batch).await, [name]);

        let db = written().await;
        let mut batch = Batch::durable();
        match kind {
            ReceiptKind::Public => batch.delete::<ReceiptChanges>(&(ROOM, row.position)),
            ReceiptKind::Private => batch.delete::<PrivateReceiptChanges>(&(user("alice"), row.position)),
        }
        assert_eq!(problems(&db, batch).await, [name]);
    }
}
