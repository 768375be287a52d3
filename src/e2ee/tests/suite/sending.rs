//! Who gets what, and how often.

use futures_util::future::join_all;
use plop_base::Actor;
use plop_db::Position;
use plop_e2ee::schema::ToDeviceMessages;
use plop_e2ee::to_device::SendError;
use ruma::user_id;
use serde_json::{Value, json};

use crate::bed::{Bed, actor, bridge, messages};

#[tokio::test(start_paused = true)]
async fn a_message_comes_as_it_was_sent() {
    let bed = Bed::new();
    let (alice, bob) = (bed.user("alice", &["A"]).await, bed.user("bob", &["B"]).await);
    let content = json!({ "a": [1, { "b": "\u{0}\u{1f600}" }], "c": 9_007_199_254_740_993_i64, "d": 0.5 });
    let sent = messages(&[(&bob, "B")], &content);
    bed.to_device.send(&actor(&alice, "A"), "m.room_key", "1", &sent).await.expect("sent");
    let page = bed.page(&bob, "B", Position::START, 10).await;
    let event: Value = serde_json::from_str(&page.messages[0]).expect("JSON");
    let expected = json!({ "type": "m.room_key", "sender": "@alice:plop.example", "content": content });
    assert_eq!((event, page.messages.len(), page.more), (expected, 1, false));
}

#[tokio::test(start_paused = true)]
async fn a_star_is_every_device_of_the_user_and_each_gets_one_message() {
    let bed = Bed::new();
    let alice = bed.user("alice", &["A1", "A2"]).await;
    let bob = bed.user("bob", &["B1", "B2", "B3"]).await;
    let mut sent = messages(&[(&bob, "*"), (&alice, "*")], &json!({ "n": 1 }));
    sent.extend(messages(&[(&bob, "*"), (&bob, "B2")], &json!({ "n": 2 })));
    let of_star = json!({ "n": 3 }).as_object().cloned().expect("an object");
    sent.get_mut(&bob).expect("bob").insert("*".try_into().expect("all"), of_star);
    bed.to_device.send(&actor(&alice, "A1"), "org.example", "1", &sent).await.expect("sent");
    for (user, device, expected) in
        [(&bob, "B1", 3), (&bob, "B2", 2), (&bob, "B3", 3), (&alice, "A1", 1), (&alice, "A2", 1)]
    {
        assert_eq!(bed.numbers(user, device).await, [expected], "{device}");
    }
}

#[tokio::test(start_paused = true)]
async fn b5_94_messages_to_nobody_are_passed_over() {
    let bed = Bed::new();
    let alice = bed.user("alice", &["A"]).await;
    let gone = bed.user("gone", &["G"]).await;
    plop_bed::deactivate(&bed.accounts, &actor(&gone, "G"), false).await.expect("a deactivation");
    let ghost = user_id!("@ghost:plop.example");
    let to = [(ghost, "*"), (ghost, "X"), (&*gone, "*"), (&*gone, "G"), (&*alice, "NONE"), (&*alice, "A")];
    bed.send(&actor(&alice, "A"), "1", &to, 1).await.expect("sent");
    assert_eq!((bed.stored().await, bed.numbers(&alice, "A").await), (1, vec![1]));
    // Whoever comes later does not get it.
    bed.device(&alice, "NONE").await;
    assert_eq!(bed.numbers(&alice, "NONE").await, [0; 0]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_to_anybody_when_a_user_of_another_server_is_named() {
    let bed = Bed::new();
    let alice = bed.user("alice", &["A"]).await;
    for device in ["*", "D"] {
        let to = [(&*alice, "A"), (user_id!("@bob:elsewhere.example"), device)];
        let refused = bed.send(&actor(&alice, "A"), "1", &to, 1).await;
        assert!(matches!(refused, Err(SendError::OtherServers)));
    }
    assert_eq!(bed.stored().await, 0);
    // The id is free: nothing was done under it.
    bed.send(&actor(&alice, "A"), "1", &[(&alice, "A")], 2).await.expect("sent");
    assert_eq!(bed.numbers(&alice, "A").await, [2]);
}

#[tokio::test(start_paused = true)]
async fn b8_138_a_transaction_id_is_valid_for_its_device_and_endpoint_also_after_a_restart() {
    let mut bed = Bed::new();
    let alice = bed.user("alice", &["A1", "A2"]).await;
    let bob = bed.user("bob", &["A1"]).await;
    let (one, two) = (actor(&alice, "A1"), actor(&alice, "A2"));
    let to = [(&*bob, "A1")];
    for _ in 0..2 {
        // The second time it is a repetition, whatever it says.
        for number in [1, 100] {
            bed.send(&one, "1", &to, number).await.expect("sent");
        }
        assert_eq!(bed.numbers(&bob, "A1").await, [1]);
        bed = bed.restarted().await;
    }
    let other_type = messages(&to, &json!({ "n": 2 }));
    bed.to_device.send(&one, "org.other", "1", &other_type).await.expect("sent");
    bed.send(&one, "2", &to, 3).await.expect("sent");
    bed.send(&two, "1", &to, 4).await.expect("sent");
    bed.send(&actor(&bob, "A1"), "1", &to, 5).await.expect("sent");
    bed.send(&bridge(&alice), "1", &to, 6).await.expect("sent");
    bed.send(&bridge(&alice), "1", &to, 7).await.expect("sent");
    assert_eq!(bed.numbers(&bob, "A1").await, [1, 2, 3, 4, 5, 6]);
}

/// A client that was logged out and in again may count its transactions from the start.
#[tokio::test(start_paused = true)]
async fn b8_138_a_transaction_id_of_an_earlier_device_of_the_same_id_says_nothing() {
    let bed = Bed::new();
    let (alice, bob) = (bed.user("alice", &["A"]).await, bed.user("bob", &["B"]).await);
    let to = [(&*bob, "B")];
    for number in 1..=2 {
        // The second time it is a repetition.
        for number in [number, 100] {
            bed.send(&actor(&alice, "A"), "1", &to, number).await.expect("sent");
        }
        bed.logout(&alice, "A").await;
        bed.device(&alice, "A").await;
    }
    assert_eq!(bed.numbers(&bob, "B").await, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn one_request_that_comes_many_times_at_once_sends_once() {
    let bed = Bed::new();
    let (alice, bob) = (bed.user("alice", &["A"]).await, bed.user("bob", &["B"]).await);
    let (alice, to) = (actor(&alice, "A"), [(&*bob, "B")]);
    for transaction in ["1", "2", "3"] {
        let all = (0..20).map(|_| bed.send(&alice, transaction, &to, 7));
        assert!(join_all(all).await.iter().all(Result::is_ok));
    }
    assert_eq!(bed.numbers(&bob, "B").await, [7, 7, 7]);
    assert!(bed.db.stats().conflicts > 0, "they met");
}

#[tokio::test(start_paused = true)]
async fn requests_at_once_reach_all_devices_in_one_order() {
    let bed = Bed::new();
    let (alice, bob) = (bed.user("alice", &["A"]).await, bed.user("bob", &["B1", "B2"]).await);
    let (alice, to) = (actor(&alice, "A"), [(&*bob, "*")]);
    let ids: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    let all = ids.iter().zip(0..).map(|(id, number)| bed.send(&alice, id, &to, number));
    assert!(join_all(all).await.iter().all(Result::is_ok));
    let mut got = bed.numbers(&bob, "B1").await;
    assert_eq!(got, bed.numbers(&bob, "B2").await);
    got.sort_unstable();
    assert_eq!(got, Vec::from_iter(0..50));
}

#[tokio::test(start_paused = true)]
async fn the_actor_decides_who_is_reached() {
    let bed = Bed::new();
    let (alice, bob) = (bed.user("alice", &["A"]).await, bed.user("bob", &["B"]).await);
    let to = [(&*alice, "*"), (&*bob, "*")];
    let banned = Actor::ShadowBanned { user: alice.clone(), device: "A".into() };
    bed.send(&banned, "1", &to, 1).await.expect("answered like anybody");
    let guest = Actor::Guest { user: alice.clone(), device: "A".into() };
    bed.send(&guest, "2", &to, 2).await.expect("sent");
    let admin = Actor::AdminAs { admin: bob.clone(), user: alice.clone() };
    bed.send(&admin, "3", &to, 3).await.expect("sent");
    let refused = bed.send(&Actor::Server, "4", &to, 4).await;
    assert!(matches!(refused, Err(SendError::NoUser)));
    assert_eq!(bed.numbers(&alice, "A").await, [1, 2, 3]);
    assert_eq!(bed.numbers(&bob, "B").await, [2, 3]);
}

#[tokio::test(start_paused = true)]
async fn the_devices_that_get_a_message_are_woken() {
    let bed = Bed::new();
    let alice = bed.user("alice", &["A1", "A2", "A3"]).await;
    let mut publications = bed.db.subscribe();
    bed.send(&actor(&alice, "A1"), "1", &[(&alice, "A3"), (&alice, "A2")], 1).await.expect("sent");
    let publication = publications.recv().await.expect("a publication");
    let woken: Vec<_> =
        publication.notices.iter().filter_map(|notice| notice.subject::<ToDeviceMessages>()).collect();
    assert_eq!(woken, [(alice.clone(), "A2".into()), (alice.clone(), "A3".into())]);
}
