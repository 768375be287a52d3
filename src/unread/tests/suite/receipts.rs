//! How receipts move counts.

use plop_ephemeral::ReceiptKind::{Private, Public};
use plop_ephemeral::Thread;
use plop_rooms::schema::Membership;

use crate::bed::{Bed, id};

#[tokio::test]
async fn of_public_and_private_receipts_the_further_one_counts() {
    let bed = Bed::new(&["alice", "bob"]).await;
    let mut sent = Vec::new();
    for text in ["a", "b", "c", "d"] {
        sent.push(bed.say("alice", text).await);
    }
    let [a, b, c, d] = sent.as_slice() else { panic!("four events") };
    for (event, kind, unread) in
        [(c, Public, 1), (a, Private, 1), (b, Private, 1), (c, Private, 1), (d, Private, 0), (a, Public, 0)]
    {
        bed.read("bob", event, kind, Thread::Unthreaded).await;
        assert_eq!(bed.counts("bob").await, (unread, 0), "{kind:?}");
    }
}

#[tokio::test]
async fn each_user_has_their_own_counts() {
    let bed = Bed::new(&["alice", "bob", "carol"]).await;
    let one = bed.say("alice", "one").await;
    bed.read_all("bob", &one).await;
    bed.say("bob", "two").await;
    assert_eq!(bed.counts("alice").await, (1, 0));
    assert_eq!(bed.counts("bob").await, (0, 0));
    assert_eq!(bed.counts("carol").await, (2, 0));
    let view = bed.rooms.view_by_id(&bed.room).await.expect("the room");
    assert_eq!(view.members.membership(&id("dave")), Membership::Leave);
    assert_eq!(bed.counts("dave").await, (0, 0), "no member, no account");
}
