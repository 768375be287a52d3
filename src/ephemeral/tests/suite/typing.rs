//! Typing.

use std::time::Duration;

use plop_base::Actor;
use plop_ephemeral::typing::{LONGEST_TIMEOUT, MAX_TYPING, MAX_TYPING_IN_ROOM};
use plop_ephemeral::{Forbidden, ProcessStart, Typing};
use plop_state_store::RoomNumber;

use crate::{actor, clock, shadow_banned, user};

const ROOM: RoomNumber = RoomNumber(1);
const TEN_SECONDS: Duration = Duration::from_secs(10);

#[tokio::test(start_paused = true)]
async fn typing_expires_and_renewing_moves_no_position() {
    let clock = clock();
    let typing = Typing::new(clock.clone(), ProcessStart(1));
    let (alice, start) = (user("alice"), typing.position());
    typing.start(&actor(&alice), ROOM, &alice, TEN_SECONDS).expect("allowed");
    assert_eq!(typing.users(ROOM), vec![alice.clone()]);
    assert_eq!(typing.rooms_changed_since(start), Some(vec![ROOM]));

    let began = typing.position();
    clock.sleep(TEN_SECONDS / 2).await;
    typing.start(&actor(&alice), ROOM, &alice, TEN_SECONDS).expect("allowed");
    clock.sleep(TEN_SECONDS * 9 / 10).await;
    assert_eq!(typing.position(), began, "renewed, so nothing changed");

    clock.sleep(TEN_SECONDS / 10).await;
    assert_eq!(typing.rooms_changed_since(began), Some(vec![ROOM]));
    assert!(typing.users(ROOM).is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_timer_wakes_waiters_when_somebody_expires() {
    let clock = clock();
    let typing = Typing::new(clock.clone(), ProcessStart(1));
    let (alice, bob) = (user("alice"), user("bob"));
    typing.start(&actor(&alice), ROOM, &alice, TEN_SECONDS).expect("allowed");
    let mut waiter = typing.subscribe();
    let work = async {
        // Sooner than what the timer waits for.
        clock.sleep(Duration::from_secs(1)).await;
        typing.start(&actor(&bob), RoomNumber(2), &bob, Duration::from_secs(2)).expect("allowed");
        assert_eq!(waiter.recv().await, Ok(RoomNumber(2)));
        assert_eq!(waiter.recv().await, Ok(RoomNumber(2)));
        assert_eq!(clock.monotonic().as_secs(), 3);
        assert_eq!(waiter.recv().await, Ok(ROOM));
        assert_eq!(clock.monotonic().as_secs(), 10);
    };
    tokio::select! {
        () = work => (),
        () = typing.run() => panic!("the timer ended"),
    }
}

#[tokio::test(start_paused = true)]
async fn hostile_timeouts_are_cut() {
    let clock = clock();
    let typing = Typing::new(clock.clone(), ProcessStart(1));
    let alice = user("alice");
    typing.start(&actor(&alice), ROOM, &alice, Duration::ZERO).expect("allowed");
    assert!(typing.users(ROOM).is_empty());
    typing.start(&actor(&alice), ROOM, &alice, Duration::MAX).expect("allowed");
    clock.sleep(LONGEST_TIMEOUT - Duration::from_millis(1)).await;
    assert_eq!(typing.users(ROOM).len(), 1);
    clock.sleep(Duration::from_millis(1)).await;
    assert!(typing.users(ROOM).is_empty());
}

#[tokio::test(start_paused = true)]
async fn hostile_100_000_typing_users_are_bounded() {
    let clock = clock();
    let typing = Typing::new(clock.clone(), ProcessStart(1));
    for number in 0..100_000_u64 {
        let user = user(&format!("u{number:06}"));
        typing.start(&Actor::Server, ROOM, &user, Duration::MAX).expect("allowed");
        typing.start(&Actor::Server, RoomNumber(2 + number / 50), &user, Duration::MAX).expect("allowed");
    }
    assert_eq!(typing.users(ROOM).len(), MAX_TYPING_IN_ROOM);
    let all: usize = (1..3_000).map(|room| typing.users(RoomNumber(room)).len()).sum();
    assert_eq!(all, MAX_TYPING);
    clock.sleep(LONGEST_TIMEOUT).await;
    let late = user("late");
    typing.start(&actor(&late), ROOM, &late, TEN_SECONDS).expect("allowed");
    assert_eq!(typing.users(ROOM), [late]);
}

#[tokio::test(start_paused = true)]
async fn a_position_of_another_process_gets_the_full_answer() {
    let before = Typing::new(clock(), ProcessStart(1)).position();
    let typing = Typing::new(clock(), ProcessStart(2));
    assert_eq!(typing.rooms_changed_since(before), None);
}

#[tokio::test(start_paused = true)]
async fn nobody_types_for_another_and_nobody_sees_the_shadow_banned() {
    let typing = Typing::new(clock(), ProcessStart(1));
    let (alice, bob) = (user("alice"), user("bob"));
    assert_eq!(typing.start(&actor(&bob), ROOM, &alice, TEN_SECONDS), Err(Forbidden));
    assert_eq!(typing.start(&shadow_banned(&alice), ROOM, &alice, TEN_SECONDS), Ok(()));
    assert!(typing.users(ROOM).is_empty());
}
