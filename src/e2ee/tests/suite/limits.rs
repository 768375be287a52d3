//! What is too much.

use futures_util::future::join_all;
use plop_db::{Batch, Counter, Position};
use plop_e2ee::schema::ToDeviceBytes;
use plop_e2ee::to_device::{
    KEPT_INBOX_BYTES, KEPT_USER_BYTES, MAX_INBOX_BYTES, MAX_MESSAGE_BYTES, MAX_MESSAGES, MAX_PAGE_MESSAGES,
    MAX_TRANSACTION_ID_BYTES, MAX_TYPE_BYTES, MAX_USER_BYTES, SendError,
};
use ruma::UserId;
use serde_json::{Value, json};

use crate::bed::{Bed, actor, messages, numbers};

/// A content with which the message of `org.example` from alice has this size.
fn content(bytes: usize) -> Value {
    let frame = r#"{"content":{"n":0,"x":""},"sender":"@alice:plop.example","type":"org.example"}"#.len();
    json!({ "n": 0, "x": "x".repeat(bytes - frame) })
}

#[tokio::test(start_paused = true)]
async fn b1_12_a_message_has_at_most_the_size_of_an_event() {
    let bed = Bed::new();
    let alice = bed.user("alice", &["A"]).await;
    for (transaction, bytes, fits) in
        [("1", MAX_MESSAGE_BYTES, true), ("2", MAX_MESSAGE_BYTES + 1, false), ("3", 1 << 20, false)]
    {
        let sent = messages(&[(&alice, "A")], &content(bytes));
        let outcome = bed.to_device.send(&actor(&alice, "A"), "org.example", transaction, &sent).await;
        assert_eq!(outcome.is_ok(), fits, "{bytes}");
        assert!(fits || matches!(outcome, Err(SendError::MessageTooLarge)));
    }
    let page = bed.page(&alice, "A", Position::START, 10).await;
    assert_eq!(page.messages.iter().map(|event| event.len()).collect::<Vec<_>>(), [MAX_MESSAGE_BYTES]);
}

#[tokio::test(start_paused = true)]
async fn types_and_transaction_ids_are_bounded() {
    let bed = Bed::new();
    let alice = bed.user("alice", &["A"]).await;
    let sent = messages(&[(&alice, "A")], &json!({ "n": 1 }));
    let send = async |kind: usize, transaction: usize| {
        let (kind, transaction) = ("t".repeat(kind), "i".repeat(transaction));
        bed.to_device.send(&actor(&alice, "A"), &kind, &transaction, &sent).await
    };
    for kind in [0, MAX_TYPE_BYTES + 1] {
        assert!(matches!(send(kind, 1).await, Err(SendError::InvalidType)));
    }
    for transaction in [0, MAX_TRANSACTION_ID_BYTES + 1] {
        assert!(matches!(send(1, transaction).await, Err(SendError::InvalidTransactionId)));
    }
    send(MAX_TYPE_BYTES, MAX_TRANSACTION_ID_BYTES).await.expect("sent");
    assert_eq!(bed.stored().await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_reaches_a_bounded_number_of_devices_and_bytes_or_nobody() {
    let bed = Bed::new();
    let alice = bed.user("alice", &["A"]).await;
    let names: Vec<String> = (0..=MAX_MESSAGES).map(|number| format!("D{number}")).collect();
    let named: Vec<_> = names.iter().map(|name| (&*alice, name.as_str())).collect();
    let refused = bed.send(&actor(&alice, "A"), "1", &named, 1).await;
    assert!(matches!(refused, Err(SendError::RequestTooLarge)));
    bed.send(&actor(&alice, "A"), "1", &named[1..], 1).await.expect("as many as may be named");

    // A star that means more than may be named; then one whose copies together are too large.
    bed.many_devices(&alice, &names[..100]).await;
    let large = messages(&[(&alice, "*")], &content(MAX_MESSAGE_BYTES));
    let refused = bed.to_device.send(&actor(&alice, "A"), "org.example", "2", &large).await;
    assert!(matches!(refused, Err(SendError::RequestTooLarge)));
    assert_eq!(bed.stored().await, 0);
    bed.many_devices(&alice, &names[100..]).await;
    let refused = bed.send(&actor(&alice, "A"), "3", &[(&alice, "*")], 1).await;
    assert!(matches!(refused, Err(SendError::RequestTooLarge)));
    assert_eq!(bed.stored().await, 0);
}

/// Sent at once, so in any order.
const AT_ONCE: usize = 100;

/// Sends this many messages of a size to device A of alice.
async fn flood(bed: &Bed, alice: &UserId, bytes: usize, count: usize) {
    let flooder = actor(alice, "A");
    let send = async |number: usize| {
        let mut content = content(bytes);
        content["n"] = number.into();
        let sent = messages(&[(alice, "A")], &content);
        bed.to_device.send(&flooder, "org.example", &number.to_string(), &sent).await
    };
    for first in (0..count).step_by(AT_ONCE) {
        let outcomes = join_all((first..count.min(first + AT_ONCE)).map(send)).await;
        assert!(outcomes.iter().all(Result::is_ok));
    }
}

#[tokio::test(start_paused = true)]
async fn b5_94_a_flood_fills_one_inbox_up_to_its_limit_and_no_other() {
    let bed = Bed::new();
    let alice = bed.user("alice", &["A", "B"]).await;
    let fits = usize::try_from(MAX_INBOX_BYTES).expect("a size") / 64_000;
    flood(&bed, &alice, 64_000, fits + 300).await;
    let stored = bed.stored().await;
    assert!((fits - 10..=fits + 100).contains(&stored), "{stored} of {fits}");
    bed.send(&actor(&alice, "A"), "other", &[(&alice, "*")], 7).await.expect("sent");
    assert_eq!(bed.numbers(&alice, "B").await, [7], "the other inbox is not full");
    assert_eq!(bed.stored().await, stored + 1);

    // The sweep drops the oldest, so that new ones come in again.
    bed.to_device.sweep().await.expect("swept");
    assert!(bed.counted().await[0] <= KEPT_INBOX_BYTES && bed.counted().await[0] > KEPT_INBOX_BYTES - 65_000);
    let page = bed.page(&alice, "A", Position::START, 1).await;
    assert!(numbers(&page)[0] > 400, "the oldest are gone: {:?}", numbers(&page));
    bed.send(&actor(&alice, "A"), "again", &[(&alice, "A")], 1_000_000).await.expect("sent");
    let (mut after, mut got) = (Position::START, Vec::new());
    loop {
        let page = bed.page(&alice, "A", after, 100).await;
        assert!(page.messages.len() <= MAX_PAGE_MESSAGES);
        got.extend(numbers(&page));
        after = page.end;
        if !page.more {
            break;
        }
    }
    assert_eq!(got.last(), Some(&1_000_000));
    assert!(got.is_sorted_by_key(|number| number / AT_ONCE as u64));
    bed.to_device.acknowledge(&alice, "A".into(), after).await.expect("acknowledged");
    assert_eq!(bed.counted().await[0], 0);
}

/// Counts bytes for devices of alice that hold no messages.
async fn count(bed: &Bed, alice: &UserId, devices: usize, bytes: i64) {
    let mut batch = Batch::durable();
    for device in 0..devices {
        let inbox = (alice.to_owned(), format!("OLD{device:03}").into(), Position::START);
        batch.put::<ToDeviceBytes>(&inbox, &Counter(bytes));
    }
    bed.db.commit(batch).await.expect("counted");
}

/// Of 500 devices each may have its inbox: the limit of one is none for all.
#[tokio::test(start_paused = true)]
async fn all_inboxes_of_a_user_have_a_limit_together() {
    const OTHERS: usize = 50;
    let share = |bytes: i64| bytes / i64::try_from(OTHERS).expect("a number");
    let bed = Bed::new();
    let (alice, bob) = (bed.user("alice", &["A", "B"]).await, bed.user("bob", &["A"]).await);
    flood(&bed, &alice, 64_000, 120).await;
    bed.send(&actor(&alice, "A"), "small", &[(&alice, "B")], 1).await.expect("sent");
    let stored = bed.stored().await;
    assert_eq!(stored, 121);
    let send = async |transaction: &str, number| {
        let to = [(&*alice, "*"), (&*bob, "*")];
        bed.send(&actor(&bob, "A"), transaction, &to, number).await.expect("sent");
    };
    // Full: nothing comes for any of them, and others get theirs.
    count(&bed, &alice, OTHERS, share(MAX_USER_BYTES)).await;
    send("full", 2).await;
    assert_eq!(bed.stored().await, stored + 1);
    assert_eq!(bed.numbers(&bob, "A").await, [2]);
    let bed = bed.restarted().await;
    bed.send(&actor(&bob, "A"), "full again", &[(&alice, "B")], 3).await.expect("sent");
    assert_eq!(bed.numbers(&alice, "B").await, [1], "so it is after a restart");

    // The sweep cuts those down that hold most, and leaves the small ones.
    bed.to_device.sweep().await.expect("swept");
    let left = bed.counted_for(&alice, "A").await;
    let level = KEPT_USER_BYTES / 51;
    assert!((level - 65_000..=level).contains(&left), "{left} of {level}");
    assert_eq!(bed.numbers(&alice, "B").await, [1]);
    // The others have got theirs.
    count(&bed, &alice, OTHERS, 0).await;
    bed.send(&actor(&bob, "A"), "room", &[(&alice, "*")], 4).await.expect("sent");
    assert_eq!(bed.numbers(&alice, "B").await, [1, 4]);
    assert!(bed.counted_for(&alice, "A").await > left);
}

/// What is counted goes with what is delivered, and with the device.
#[tokio::test(start_paused = true)]
async fn what_a_user_may_have_comes_back_with_delivery_and_with_the_end_of_devices() {
    let bed = Bed::new();
    let alice = bed.user("alice", &["A", "B"]).await;
    // So much is missing that one message fills all.
    count(&bed, &alice, 8, MAX_USER_BYTES / 8 - 16).await;
    let send = async |number: u64| {
        let to = [(&*alice, "A")];
        bed.send(&actor(&alice, "A"), &number.to_string(), &to, number).await.expect("sent");
        bed.numbers(&alice, "A").await
    };
    assert_eq!(send(1).await, [1]);
    assert_eq!(send(2).await, [1], "full");
    let page = bed.page(&alice, "A", Position::START, 10).await;
    bed.to_device.acknowledge(&alice, "A".into(), page.end).await.expect("acknowledged");
    assert_eq!(send(3).await, [3]);
    bed.logout(&alice, "A").await;
    bed.device(&alice, "A").await;
    assert_eq!(send(4).await, [0_u64; 0], "what waits for a device that ended is there until it is swept");
    bed.sweep_ended().await;
    assert_eq!(send(5).await, [5]);
}

#[tokio::test(start_paused = true)]
async fn b5_94_a_device_that_was_away_for_100_000_messages_gets_them_by_pages() {
    let bed = Bed::new();
    let alice = bed.user("alice", &["A"]).await;
    flood(&bed, &alice, 200, 100_000).await;
    assert_eq!(bed.stored().await, 100_000);
    let (mut token, mut got) = (Position::START, Vec::new());
    loop {
        bed.to_device.acknowledge(&alice, "A".into(), token).await.expect("acknowledged");
        let page = bed.page(&alice, "A", token, usize::MAX).await;
        assert!(page.messages.len() <= MAX_PAGE_MESSAGES);
        got.extend(numbers(&page));
        token = page.end;
        if !page.more {
            break;
        }
    }
    assert!(got.is_sorted_by_key(|number| number / AT_ONCE as u64));
    got.sort_unstable();
    assert!(got.into_iter().eq(0..100_000));
}
