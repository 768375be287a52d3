//! Presence.

use std::sync::Arc;
use std::time::Duration;

use plop_base::Clock;
use plop_db::{Db, MemoryDisk};
use plop_ephemeral::presence::{ACTIVE_FOR, IDLE_AFTER, MAX_STATUS_BYTES, OFFLINE_AFTER};
use plop_ephemeral::{LivePosition, Presence, PresenceError, PresenceSnapshot, PresenceState, ProcessStart};
use ruma::{OwnedUserId, UserId};

use crate::{actor, clock, database, shadow_banned, user};

fn presence(db: &Db, clock: &Clock) -> Arc<Presence> {
    Arc::new(Presence::new(db.clone(), clock.clone(), ProcessStart(1)))
}

async fn seen(presence: &Presence, user: &UserId) -> PresenceSnapshot {
    presence.get(user).await.expect("read").expect("a known user")
}

fn changed(presence: &Presence, since: LivePosition) -> Option<Vec<OwnedUserId>> {
    presence.changes_since(since).map(|changes| changes.into_iter().map(|(_, user)| user).collect())
}

#[tokio::test(start_paused = true)]
async fn a_user_becomes_inactive_idle_and_offline() {
    let (db, clock, alice) = (database(&MemoryDisk::new()), clock(), user("alice"));
    let presence = presence(&db, &clock);
    let connection =
        presence.connect(&actor(&alice), &alice, PresenceState::Online).await.expect("connected");
    let first = seen(&presence, &alice).await;
    assert_eq!((first.state, first.currently_active), (PresenceState::Online, true));

    clock.sleep(ACTIVE_FOR).await;
    let inactive = seen(&presence, &alice).await;
    assert_eq!((inactive.state, inactive.currently_active), (PresenceState::Online, false));
    clock.sleep(IDLE_AFTER - ACTIVE_FOR).await;
    let idle = seen(&presence, &alice).await;
    assert_eq!((idle.state, idle.last_active), (PresenceState::Unavailable, first.last_active));

    presence.act(&actor(&alice), &alice).await.expect("taken");
    assert!(seen(&presence, &alice).await.currently_active);
    drop(connection);
    clock.sleep(OFFLINE_AFTER - Duration::from_millis(1)).await;
    assert_eq!(seen(&presence, &alice).await.state, PresenceState::Online);
    clock.sleep(Duration::from_millis(1)).await;
    assert_eq!(seen(&presence, &alice).await.state, PresenceState::Offline);
}

/// Client-server API, `GET /sync`, `set_presence`: "the client is marked as being idle".
#[tokio::test(start_paused = true)]
async fn a_user_is_as_present_as_the_most_present_client() {
    let (db, clock, alice) = (database(&MemoryDisk::new()), clock(), user("alice"));
    let presence = presence(&db, &clock);
    let connect = async |state| presence.connect(&actor(&alice), &alice, state).await.expect("connected");
    let state = async || seen(&presence, &alice).await.state;
    let background = connect(PresenceState::Unavailable).await;
    assert_eq!(state().await, PresenceState::Unavailable, "back, and at no client");
    let screen = connect(PresenceState::Online).await;
    assert_eq!(state().await, PresenceState::Online);

    // Between two polls nothing changes; the client that went to the background is idle a moment later.
    drop(screen);
    let screen = connect(PresenceState::Online).await;
    assert_eq!(state().await, PresenceState::Online);
    drop(screen);
    clock.sleep(OFFLINE_AFTER - Duration::from_millis(1)).await;
    assert_eq!(state().await, PresenceState::Online);
    clock.sleep(Duration::from_millis(1)).await;
    assert_eq!(state().await, PresenceState::Unavailable);

    // The client itself may say so at once.
    drop(connect(PresenceState::Online).await);
    assert_eq!(state().await, PresenceState::Online);
    let idle = connect(PresenceState::Unavailable).await;
    assert_eq!(state().await, PresenceState::Unavailable);
    drop(idle);

    // Whoever does something is there, also from the background; whoever comes back to the screen, too.
    presence.act(&actor(&alice), &alice).await.expect("taken");
    assert_eq!(state().await, PresenceState::Online);
    clock.sleep(IDLE_AFTER).await;
    assert_eq!(state().await, PresenceState::Unavailable);
    let screen = connect(PresenceState::Online).await;
    assert_eq!(state().await, PresenceState::Online);
    drop((background, screen));
    clock.sleep(OFFLINE_AFTER).await;
    assert_eq!(state().await, PresenceState::Offline);
}

#[tokio::test(start_paused = true)]
async fn many_signs_of_an_active_user_are_one_change() {
    let (db, clock, alice) = (database(&MemoryDisk::new()), clock(), user("alice"));
    let presence = presence(&db, &clock);
    let start = presence.position();
    for _ in 0..1_000 {
        let poll = presence.connect(&actor(&alice), &alice, PresenceState::Online).await.expect("connected");
        presence.act(&actor(&alice), &alice).await.expect("taken");
        drop(poll);
    }
    assert_eq!(presence.position().counter, 1);
    assert_eq!(changed(&presence, start), Some(vec![alice.clone()]));
    let before = db.published();
    presence.save().await.expect("stored");
    let once = db.published();
    assert!(once > before);
    presence.save().await.expect("stored");
    assert_eq!(db.published(), once, "nothing to store");
}

#[tokio::test(start_paused = true)]
async fn a_status_outlives_going_offline_and_a_restart() {
    let (disk, clock, alice) = (MemoryDisk::new(), clock(), user("alice"));
    let db = database(&disk);
    let before = presence(&db, &clock);
    let status = Some("at lunch".to_owned());
    before.set(&actor(&alice), &alice, PresenceState::Online, status.clone()).expect("set");
    clock.sleep(OFFLINE_AFTER).await;
    before.save().await.expect("stored");
    assert!(before.get_present(std::slice::from_ref(&alice)).is_empty(), "who is gone is not in memory");
    let offline = seen(&before, &alice).await;
    assert_eq!((offline.state, &offline.status_msg), (PresenceState::Offline, &status));
    let position = before.position();
    drop(before);
    db.close().await;

    let db = database(&disk);
    let after = Arc::new(Presence::new(db, clock, ProcessStart(2)));
    assert_eq!(changed(&after, position), None);
    assert_eq!(seen(&after, &alice).await, offline);
    let _poll = after.connect(&actor(&alice), &alice, PresenceState::Online).await.expect("connected");
    let online = seen(&after, &alice).await;
    assert_eq!((online.state, online.status_msg), (PresenceState::Online, status));
}

#[tokio::test(start_paused = true)]
async fn one_timer_wakes_waiters_when_somebody_leaves() {
    let (db, clock, alice) = (database(&MemoryDisk::new()), clock(), user("alice"));
    let presence = presence(&db, &clock);
    let mut waiter = presence.subscribe();
    let work = async {
        clock.sleep(Duration::from_secs(1)).await;
        presence.set(&actor(&alice), &alice, PresenceState::Online, None).expect("set");
        assert_eq!(waiter.recv().await, Ok(alice.clone()));
        assert_eq!(waiter.recv().await, Ok(alice.clone()));
        assert_eq!(clock.monotonic(), Duration::from_secs(1) + OFFLINE_AFTER);
    };
    tokio::select! {
        () = work => (),
        () = presence.run() => panic!("the timer ended"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_loses_no_presence() {
    let (disk, clock, alice) = (MemoryDisk::new(), clock(), user("alice"));
    let db = database(&disk);
    let presence = presence(&db, &clock);
    presence.set(&actor(&alice), &alice, PresenceState::Offline, Some("away".to_owned())).expect("set");
    disk.set_full(true);
    assert!(presence.save().await.is_err());
    assert_eq!(seen(&presence, &alice).await.status_msg.as_deref(), Some("away"));
    disk.set_full(false);
    db.probe().await.expect("writable");
    presence.save().await.expect("stored");
    assert!(presence.get_present(std::slice::from_ref(&alice)).is_empty());
    assert_eq!(seen(&presence, &alice).await.status_msg.as_deref(), Some("away"));
}

#[tokio::test(start_paused = true)]
async fn a_long_status_others_and_the_shadow_banned() {
    let (db, clock, alice, bob) = (database(&MemoryDisk::new()), clock(), user("alice"), user("bob"));
    let presence = presence(&db, &clock);
    let long = Some("x".repeat(MAX_STATUS_BYTES + 1));
    let refused = presence.set(&actor(&alice), &alice, PresenceState::Online, long);
    assert!(matches!(refused, Err(PresenceError::StatusTooLong)));
    let refused = presence.set(&actor(&bob), &alice, PresenceState::Online, None);
    assert!(matches!(refused, Err(PresenceError::Forbidden(_))));
    presence.set(&shadow_banned(&alice), &alice, PresenceState::Online, None).expect("answered");
    let _poll = presence.connect(&actor(&bob), &bob, PresenceState::Offline).await.expect("connected");
    assert_eq!(presence.get(&alice).await, Ok(None));
    assert_eq!(presence.get(&bob).await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn a_new_name_is_a_change_of_who_is_seen() {
    let (db, clock, alice, bob) = (database(&MemoryDisk::new()), clock(), user("alice"), user("bob"));
    let presence = presence(&db, &clock);
    let start = presence.position();
    presence.profile_changed(&shadow_banned(&alice), &alice).expect("answered");
    assert!(presence.profile_changed(&actor(&bob), &alice).is_err());
    assert_eq!(changed(&presence, start), Some(vec![]));
    presence.profile_changed(&actor(&alice), &alice).expect("announced");
    assert_eq!(changed(&presence, start), Some(vec![alice.clone()]));
    assert_eq!(presence.get(&alice).await, Ok(None), "a name is no sign of being there");
}

#[tokio::test(start_paused = true)]
async fn b8_135_who_is_forgotten_was_never_there_also_after_a_restart() {
    let (db, clock, alice, bob) = (database(&MemoryDisk::new()), clock(), user("alice"), user("bob"));
    let first = presence(&db, &clock);
    for user in [&alice, &bob] {
        first.set(&actor(user), user, PresenceState::Online, Some("in a meeting".to_owned())).expect("set");
    }
    first.save().await.expect("stored");
    let _poll = first.connect(&actor(&alice), &alice, PresenceState::Online).await.expect("connected");
    let before = first.position();
    first.forget(&alice);
    assert_eq!(changed(&first, before), Some(vec![alice.clone()]));
    assert_eq!(first.get(&alice).await, Ok(None));
    first.save().await.expect("stored");
    assert_eq!(first.get(&alice).await, Ok(None));
    let later = presence(&db, &clock);
    assert_eq!(later.get(&alice).await, Ok(None));
    assert_eq!(seen(&later, &bob).await.status_msg.as_deref(), Some("in a meeting"));
}
