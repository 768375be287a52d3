//! The streams of devices and accounts that have ended: how they came from lists, how they become shorter.

use plop_accounts::Accounts;
use plop_accounts::ended_devices::UNDER_WAY;
use plop_accounts::migrations::{EndedAccounts, EndedDevices, EndsAsStreams, RETIRED};
use plop_accounts::schema::{AccountEnd, AccountEnds, DeviceEnd, DeviceEnds, KEYSPACES};
use plop_base::Actor;
use plop_bed::{Ground, account, id, parameters};
use plop_db::{Batch, Db, KeyRange, Keyspace, MemoryDisk, Migration as _, Pages, Position, Step, unread};

plop_db::keyspaces! {
    const READERS;
    /// A reader of the ends of devices.
    pub Reader = 900 "reader" Point { () => DeviceEnd } cursor of DeviceEnds
    /// A reader of the ends of accounts.
    First = 901 "first" Point { () => AccountEnd } cursor of AccountEnds
    /// Another one.
    Second = 902 "second" Point { () => AccountEnd } cursor of AccountEnds
}

async fn rows<K: Keyspace>(db: &Db) -> Vec<(K::Key, K::Value)> {
    let mut pages = Pages::new(KeyRange::<K>::all(), 1_000);
    let (mut all, snapshot) = (Vec::new(), db.snapshot());
    while let Some(page) = pages.next(&snapshot).await.expect("rows") {
        all.extend(page);
    }
    all
}

#[tokio::test(start_paused = true)]
async fn lists_of_schema_1_become_streams_in_steps() {
    const ACCOUNTS: usize = 1_500;
    let ground = Ground::new([KEYSPACES, RETIRED].concat(), 2);
    let (db, now) = (&ground.db, ground.clock.now());
    let since = Position::from_bytes([0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3]);
    let mut old = Batch::durable();
    for (due, device) in [(now.plus(UNDER_WAY), "B"), (now, "A")] {
        old.put::<EndedDevices>(&(due, id("alice"), device.into(), since), &());
    }
    for number in 0..ACCOUNTS {
        old.put::<EndedAccounts>(&id(&format!("u{number}")), &());
    }
    db.commit(old).await.expect("committed");
    let mut steps = 0;
    loop {
        steps += 1;
        let (batch, is_last) = match EndsAsStreams.step(&db.snapshot(), None).await.expect("a step") {
            Step::More { batch, .. } => (batch, false),
            Step::Last { batch } => (batch, true),
        };
        db.commit(batch).await.expect("committed");
        if is_last {
            break;
        }
    }
    assert_eq!(
        (steps, rows::<EndedDevices>(db).await.len(), rows::<EndedAccounts>(db).await.len()),
        (2, 0, 0)
    );
    let devices = rows::<DeviceEnds>(db).await.into_iter();
    let devices: Vec<_> = devices.map(|((_, _, device, made), ended)| (device, made, ended)).collect();
    assert_eq!(devices, [("A".into(), since, now.minus(UNDER_WAY)), ("B".into(), since, now)]);
    assert_eq!(rows::<AccountEnds>(db).await.len(), ACCOUNTS);
}

async fn end(accounts: &Accounts, name: &str) {
    let made = accounts.create_account(&Actor::Server, account(name, None), false).await;
    let user = made.expect("an account").user;
    let actor = Actor::AppService { registration: "irc".to_owned(), user, device: None };
    plop_bed::deactivate(accounts, &actor, false).await.expect("a deactivation");
}

/// Reads the stream with one of the cursors.
async fn read<C: plop_db::Cursor<Of = AccountEnds>>(db: &Db, limit: usize) -> usize {
    let page = unread::<C>(&db.snapshot(), limit).await.expect("rows").rows;
    if let Some((last, ())) = page.last() {
        let mut batch = Batch::relaxed();
        batch.read_to::<C>(last);
        db.commit(batch).await.expect("committed");
    }
    page.len()
}

#[tokio::test(start_paused = true)]
async fn what_all_readers_have_read_is_trimmed_and_nothing_else() {
    let disk = MemoryDisk::new();
    let ground = || Ground::on_disk(&disk, [KEYSPACES, READERS].concat(), 2);
    let accounts = |ground: &Ground| plop_bed::accounts(ground, parameters());
    let left = async |accounts: &Accounts, db: &Db| {
        accounts.trim_ends().await.expect("trimmed");
        rows::<AccountEnds>(db).await.len()
    };
    let first = ground();
    let of_first = accounts(&first);
    for name in ["a", "b", "c"] {
        end(&of_first, name).await;
    }
    assert_eq!(read::<First>(&first.db, 2).await, 2);
    assert_eq!(left(&of_first, &first.db).await, 3, "the other one has read nothing yet");
    drop(of_first);
    first.db.close().await;

    let second = ground();
    let (accounts, db) = (accounts(&second), &second.db);
    assert_eq!(read::<Second>(db, 1).await, 1);
    assert_eq!(left(&accounts, db).await, 2, "to the lower of the two");
    assert_eq!((read::<First>(db, 10).await, read::<Second>(db, 10).await), (1, 2));
    assert_eq!(left(&accounts, db).await, 0);
    end(&accounts, "d").await;
    assert_eq!((left(&accounts, db).await, read::<Second>(db, 10).await), (1, 1));
    assert_eq!((left(&accounts, db).await, read::<First>(db, 10).await), (1, 1));
    assert_eq!((left(&accounts, db).await, read::<First>(db, 10).await), (0, 0));
}
