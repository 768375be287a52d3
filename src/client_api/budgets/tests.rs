//! How much a user, a stranger and everybody together may take.

use plop_base::UnixMillis;
use ruma::user_id;

use super::*;

fn budgets() -> (Budgets, Clock) {
    let clock = Clock::simulated(UnixMillis(0));
    let rate = |burst| Rate { burst, interval: Duration::from_secs(1) };
    let limits = BudgetLimits {
        writes: rate(40),
        reads: rate(8),
        strangers: rate(2),
        full_syncs: 2,
        actions: ActionRates { searches: Some(rate(1)), ..ActionRates::default() },
    };
    (Budgets::new(Some(limits), &clock), clock)
}

#[tokio::test(start_paused = true)]
async fn what_costs_more_takes_more_and_what_is_refused_costs_nothing() {
    let (budgets, clock) = budgets();
    let (alice, bob) = (user_id!("@alice:plop.example"), user_id!("@bob:plop.example"));
    assert!(budgets.take(alice, ROOM).is_ok() && budgets.take(alice, ROOM).is_ok());
    for _ in 0..100 {
        assert!(budgets.take(alice, ROOM).is_err());
    }
    assert!(budgets.take(alice, Cost::Read(8)).is_ok(), "reads have a budget of their own");
    assert!(budgets.take(bob, Cost::Write(40)).is_ok());
    clock.sleep(Duration::from_secs(20)).await;
    assert!(budgets.take(alice, ROOM).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_large_answer_is_paid_for_afterwards_and_leaves_something() {
    let (budgets, clock) = budgets();
    let alice = user_id!("@alice:plop.example");
    budgets.answered(alice, SYNC_BYTES - 1);
    assert!(budgets.take(alice, Cost::Read(8)).is_ok(), "a small answer costs nothing");
    budgets.answered(alice, 1 << 30);
    assert!(budgets.take(alice, Cost::Read(0)).is_err(), "two are owed");
    clock.sleep(Duration::from_secs(2)).await;
    assert!(budgets.take(alice, Cost::Read(0)).is_ok());
    clock.sleep(Duration::from_secs(8)).await;
    budgets.answered(alice, 1 << 30);
    assert!(budgets.take(alice, Cost::Read(6)).is_ok());
}

/// Row 150 of the hostile input.
#[tokio::test(start_paused = true)]
async fn row_150_a_user_has_two_full_answers_at_a_time() {
    let (budgets, _) = budgets();
    let (alice, bob) = (user_id!("@alice:plop.example"), user_id!("@bob:plop.example"));
    let (first, second) = (budgets.full_answer(alice), budgets.full_answer(alice));
    assert!(first.is_ok() && second.is_ok());
    assert!(budgets.full_answer(alice).is_err() && budgets.full_answer(bob).is_ok());
    drop(first);
    assert!(budgets.full_answer(alice).is_ok());
    drop(second);
    assert_eq!(budgets.0.expect("limits").full_syncs.keys(), 0, "nothing is kept of who has gone");
}

#[tokio::test(start_paused = true)]
async fn strangers_are_counted_by_network() {
    let (budgets, _) = budgets();
    let from = |address: &str| budgets.take_from(address.parse().expect("an address"));
    assert!(from("2001:db8::1").is_ok() && from("2001:db8::2").is_ok());
    assert!(from("2001:db8::3").is_err() && from("2001:db8:0:1::1").is_ok());
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[tokio::test(start_paused = true)]
async fn a_kind_of_request_has_a_rate_of_its_own_and_what_it_refuses_costs_nothing() {
    let (budgets, clock) = budgets();
    let (alice, bob) = (user_id!("@alice:plop.example"), user_id!("@bob:plop.example"));
    let here = address("203.0.113.1");
    let search = |user| budgets.take_from_user(user, here, SEARCH);
    assert!(search(alice).is_ok());
    for _ in 0..10 {
        assert!(search(alice).is_err());
    }
    assert!(budgets.take(alice, Cost::Read(3)).is_ok(), "one search was paid for");
    assert!(search(bob).is_ok());
    clock.sleep(Duration::from_secs(8)).await;
    assert!(search(alice).is_ok());
}

#[tokio::test(start_paused = true)]
async fn row_134_many_users_of_one_network_do_as_much_as_ten() {
    let (budgets, _) = budgets();
    let search = |number: u32, from: &str| {
        let user = OwnedUserId::try_from(format!("@user{number}:plop.example")).expect("a user");
        budgets.take_from_user(&user, address(from), SEARCH).is_ok()
    };
    assert_eq!((0..20).filter(|number| search(*number, &format!("2001:db8::{number}"))).count(), 10);
    assert!(search(100, "2001:db8:0:1::1"));
    // A private network may be a proxy that stands for everybody.
    assert_eq!((200..300).filter(|number| search(*number, "10.0.0.1")).count(), 100);
}
