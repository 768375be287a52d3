//! Devices and their sessions, from the login to the end.

use plop_accounts::devices::{DeviceError, DeviceUpdate, MAX_DEVICES};
use plop_accounts::ended_devices::{UNDER_WAY, ended_devices};
use plop_accounts::schema::{
    AccessTokenRow, AccessTokens, DeviceEnds, DeviceRow, DeviceTokenRow, DeviceTokens, Devices, TokenKind,
};
use plop_base::{Actor, UnixMillis};
use plop_db::codec::decode;
use plop_db::{Batch, Keyspace, Position};
use ruma::{OwnedDeviceId, device_id};

use crate::bed::{Bed, PASSWORD, actor, address, id};
use crate::ends::Reader;

#[tokio::test(start_paused = true)]
async fn devices_are_listed_renamed_and_deleted() {
    let bed = Bed::new();
    let phone = bed.user("alice").await;
    let laptop = bed.login("alice", PASSWORD, "192.0.2.1").await.expect("a login");
    let other = bed.user("bob").await;
    let alice = actor(&phone);
    assert_eq!(bed.accounts.devices(&alice).await.expect("devices").len(), 2);

    let update = bed.accounts.update_device(&alice, &laptop.device, Some("Work".to_owned())).await;
    assert_eq!(update.expect("an update"), DeviceUpdate::Updated);
    bed.accounts.update_device(&alice, &laptop.device, None).await.expect("an update");
    let renamed = bed.accounts.device(&alice, &laptop.device).await.expect("a device");
    assert_eq!(renamed.display_name.as_deref(), Some("Work"));
    // What others have is not there.
    let refused = bed.accounts.update_device(&actor(&other), &laptop.device, None).await;
    assert!(matches!(refused, Err(DeviceError::NotFound)));

    assert!(bed.is_valid(&laptop.tokens.access).await);
    let ids = [laptop.device.clone(), "NOBODY".into()];
    let gone = plop_bed::delete_devices(&bed.accounts, &alice, &ids).await.expect("a deletion");
    assert_eq!(gone, std::slice::from_ref(&laptop.device));
    assert!(plop_bed::delete_devices(&bed.accounts, &alice, &ids).await.expect("nothing").is_empty());
    assert!(!bed.is_valid(&laptop.tokens.access).await);
    assert!(bed.is_valid(&phone.tokens.access).await);
    assert!(bed.is_valid(&other.tokens.access).await);
}

#[tokio::test(start_paused = true)]
async fn logout_ends_one_session_and_logout_all_every_one() {
    let bed = Bed::new();
    let phone = bed.user("alice").await;
    let laptop = bed.login("alice", PASSWORD, "192.0.2.1").await.expect("a login");
    let tablet = bed.login("alice", PASSWORD, "192.0.2.1").await.expect("a login");
    for login in [&phone, &laptop, &tablet] {
        assert!(bed.is_valid(&login.tokens.access).await);
    }
    let gone = bed.accounts.logout(&actor(&laptop)).await.expect("a logout");
    assert_eq!(gone, std::slice::from_ref(&laptop.device));
    assert!(!bed.is_valid(&laptop.tokens.access).await);
    assert!(bed.is_valid(&tablet.tokens.access).await);
    assert_eq!(bed.accounts.logout_all(&actor(&phone)).await.expect("a logout").len(), 2);
    for login in [&phone, &tablet] {
        assert!(!bed.is_valid(&login.tokens.access).await);
        assert!(!bed.restarted().is_valid(&login.tokens.access).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_is_seen_at_most_once_each_interval_and_never_after_its_end() {
    let bed = Bed::new();
    let phone = bed.user("alice").await;
    let alice = actor(&phone);
    let see = async |from: &str| {
        bed.accounts.authenticate(&phone.tokens.access, Some(address(from).into())).await.expect("a session");
    };
    see("::ffff:192.0.2.1").await;
    bed.pass(299).await;
    see("192.0.2.2").await;
    // A durable commit is behind every sighting before it.
    bed.create("bob").await;
    let device = bed.accounts.device(&alice, device_id!("PHONE")).await.expect("a device");
    assert_eq!(device.last_seen, Some(UnixMillis(1_700_000_000_000)));
    assert_eq!(device.last_seen_address.as_deref(), Some("192.0.2.1"));
    bed.pass(1).await;
    see("192.0.2.3").await;
    bed.create("carol").await;
    let device = bed.accounts.device(&alice, device_id!("PHONE")).await.expect("a device");
    assert_eq!(device.last_seen_address.as_deref(), Some("192.0.2.3"));

    bed.pass(300).await;
    let accounts = bed.accounts.clone();
    let (seen, gone) = tokio::join!(see("192.0.2.4"), accounts.logout(&alice));
    let () = seen;
    gone.expect("a logout");
    bed.create("dave").await;
    let range = plop_db::KeyRange::<plop_accounts::schema::LastSeen>::all();
    let page = bed.db.snapshot().scan(range, plop_db::Direction::Forward, 10).await.expect("rows");
    assert!(page.rows.is_empty());
}

#[tokio::test(start_paused = true)]
async fn only_an_application_service_creates_devices_by_naming_them() {
    let bed = Bed::new();
    let phone = bed.user("alice").await;
    let id_of_device = device_id!("BRIDGE");
    let refused = bed.accounts.update_device(&actor(&phone), id_of_device, None).await;
    assert!(matches!(refused, Err(DeviceError::NotFound)));
    let bridge = Actor::AppService { registration: "irc".to_owned(), user: id("alice"), device: None };
    for expected in [DeviceUpdate::Created, DeviceUpdate::Updated] {
        let update = bed.accounts.update_device(&bridge, id_of_device, None).await.expect("an update");
        assert_eq!(update, expected);
    }
    assert!(matches!(bed.accounts.devices(&Actor::Server).await, Err(DeviceError::Forbidden(_))));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_loaded_while_its_device_goes_is_not_kept() {
    let bed = Bed::new();
    for _ in 0..20 {
        let login = bed.login("alice", PASSWORD, "192.0.2.1").await;
        let login = match login {
            Ok(login) => login,
            Err(_) => bed.user("alice").await,
        };
        let alice = actor(&login);
        let (_, gone) =
            tokio::join!(bed.accounts.authenticate(&login.tokens.access, None), bed.accounts.logout(&alice));
        gone.expect("a logout");
        assert!(!bed.is_valid(&login.tokens.access).await);
        bed.pass(60).await;
    }
}

/// A request whose client has gone is dropped wherever it waits; what it committed stands all the same.
#[tokio::test(start_paused = true)]
async fn a_session_ends_with_the_commit_though_the_request_is_dropped() {
    let bed = Bed::new();
    let phone = bed.user("alice").await;
    // In the cache from here on.
    assert!(bed.is_valid(&phone.tokens.access).await);
    let alice = actor(&phone);
    tokio::select! {
        biased;
        gone = bed.accounts.logout(&alice) => panic!("it did not wait for the commit: {gone:?}"),
        () = std::future::ready(()) => {}
    }
    // Commits in their order.
    bed.user("bob").await;
    assert!(!bed.is_valid(&phone.tokens.access).await);
}

#[tokio::test(start_paused = true)]
async fn a_new_password_ends_the_other_sessions_in_the_same_commit() {
    let bed = Bed::new();
    let phone = bed.user("alice").await;
    let thief = bed.login("alice", PASSWORD, "192.0.2.1").await.expect("a login");
    assert!(bed.is_valid(&thief.tokens.access).await);
    let before = bed.db.stats().commits;
    let gone = plop_bed::change_password(&bed.accounts, &actor(&phone), "another one", true).await;
    assert_eq!(gone.expect("a change"), std::slice::from_ref(&thief.device));
    assert!(!bed.is_valid(&thief.tokens.access).await && bed.is_valid(&phone.tokens.access).await);
    assert_eq!(bed.db.stats().commits, before + 1);
}

#[tokio::test(start_paused = true)]
async fn the_device_that_was_not_seen_for_longest_makes_room() {
    let bed = Bed::new();
    let phone = bed.user("alice").await;
    let laptop = bed.login("alice", PASSWORD, "192.0.2.1").await.expect("a login");
    assert!(bed.is_valid(&laptop.tokens.access).await);
    bed.pass(10).await;
    // Made before the laptop, but seen after it.
    bed.accounts
        .authenticate(&phone.tokens.access, Some(address("192.0.2.1").into()))
        .await
        .expect("a session");
    let bridge = Actor::AppService { registration: "irc".to_owned(), user: id("alice"), device: None };
    for number in 2..MAX_DEVICES {
        let device: OwnedDeviceId = format!("D{number}").into();
        bed.accounts.update_device(&bridge, &device, None).await.expect("a device");
    }
    let count = async || bed.accounts.devices(&actor(&phone)).await.expect("devices").len();
    assert_eq!(count().await, MAX_DEVICES);
    assert!(bed.is_valid(&laptop.tokens.access).await);

    let tablet = bed.login("alice", PASSWORD, "192.0.2.1").await.expect("a login");
    assert_eq!(count().await, MAX_DEVICES);
    assert!(!bed.is_valid(&laptop.tokens.access).await);
    assert!(bed.is_valid(&tablet.tokens.access).await && bed.is_valid(&phone.tokens.access).await);
    // One that is there needs no room.
    let again = plop_accounts::sessions::NewDevice { id: Some(tablet.device), ..Default::default() };
    bed.login_on("alice", PASSWORD, "192.0.2.1", again).await.expect("a login");
    assert!(bed.is_valid(&phone.tokens.access).await);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_ended_comes_up_when_nothing_is_on_the_way_to_it() {
    let bed = Bed::new();
    let phone = bed.user("alice").await;
    let laptop = bed.login("alice", PASSWORD, "192.0.2.1").await.expect("a login");
    let listed = async || {
        let ended = ended_devices::<Reader>(&bed.db.snapshot(), bed.clock.now(), 10).await.expect("a list");
        ended.into_iter().map(|(_, _, device, _)| device).collect::<Vec<_>>()
    };
    let gone = std::slice::from_ref(&laptop.device);
    plop_bed::delete_devices(&bed.accounts, &actor(&phone), gone).await.expect("a deletion");
    assert!(listed().await.is_empty());
    bed.clock.sleep(UNDER_WAY).await;
    assert_eq!(listed().await, gone);
    plop_bed::deactivate(&bed.accounts, &actor(&phone), false).await.expect("the end");
    bed.clock.sleep(UNDER_WAY).await;
    assert_eq!(listed().await, [laptop.device, phone.device]);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_ended_while_the_clock_was_wrong_holds_up_no_other() {
    let bed = Bed::new();
    let phone = bed.user("alice").await;
    let mut rows = Batch::durable();
    let end = |device: &str| (Position::pending(0), id("alice"), device.into(), Position::START);
    rows.put::<DeviceEnds>(&end("WRONG"), &bed.clock.now().plus(100 * UNDER_WAY));
    bed.db.commit(rows).await.expect("committed");
    let mut rows = Batch::durable();
    rows.put::<DeviceEnds>(&end("RIGHT"), &bed.clock.now().minus(UNDER_WAY));
    bed.db.commit(rows).await.expect("committed");
    bed.accounts.logout(&actor(&phone)).await.expect("a logout");
    let ended = ended_devices::<Reader>(&bed.db.snapshot(), bed.clock.now(), 10).await.expect("a list");
    assert_eq!(ended.iter().map(|(_, _, device, _)| device.as_str()).collect::<Vec<_>>(), ["WRONG", "RIGHT"]);
}

/// More tokens than a batch could delete one by one, with their places in the lists.
async fn fill(bed: &Bed, user: &str) {
    const TOKENS: u32 = 64;
    let user = id(user);
    for device in 1..MAX_DEVICES {
        let mut rows = Batch::relaxed();
        let id: OwnedDeviceId = format!("{device:0>255}").into();
        let row =
            DeviceRow { since: Position::START, display_name: None, created: UnixMillis(0), generation: 1 };
        rows.put::<Devices>(&(user.clone(), id.clone()), &row);
        for token in 0..TOKENS {
            let hash = blake3::hash(format!("{user} {device} {token}").as_bytes());
            let hash: <AccessTokens as Keyspace>::Key = decode(hash.as_bytes()).expect("a hash");
            let row = AccessTokenRow { user: user.clone(), device: id.clone(), generation: 1, expires: None };
            rows.put::<AccessTokens>(&hash, &row);
            let row = DeviceTokenRow { kind: TokenKind::Access, generation: 1 };
            rows.put::<DeviceTokens>(&(user.clone(), id.clone(), hash), &row);
        }
        bed.db.commit(rows).await.expect("committed");
    }
}

#[tokio::test(start_paused = true)]
async fn what_ends_all_sessions_of_a_full_account_fits_one_batch() {
    let bed = Bed::new();
    let phone = bed.user("alice").await;
    fill(&bed, "alice").await;
    let gone = bed.accounts.logout_all(&actor(&phone)).await.expect("a logout");
    assert_eq!(gone.len(), MAX_DEVICES);
    fill(&bed, "alice").await;
    plop_bed::deactivate(&bed.accounts, &actor(&phone), false).await.expect("the end");
    let range = plop_db::KeyRange::<AccessTokens>::all();
    let page = bed.db.snapshot().scan(range, plop_db::Direction::Forward, 1).await.expect("rows");
    assert!(page.rows.is_empty());
}
