//! Thread subscriptions: what stands above what, the stream of changes, limits.

use plop_accounts::schema::{ThreadSubscriptionTotals, ThreadSubscriptionTotalsRow, ThreadWish, Users};
use plop_accounts::thread_subscriptions::{
    End, MAX_THREAD_SUBSCRIPTIONS, Subscribe, ThreadSubscriptionError, ThreadSubscriptionToken, UserThread,
    are_subscribed, knows_threads, thread_subscription, thread_subscription_changes,
};
use plop_base::Actor;
use plop_db::{Batch, Position};
use ruma::{EventId, OwnedEventId, OwnedUserId, RoomId, room_id};

use crate::bed::{Bed, actor, id};

fn room() -> &'static RoomId {
    room_id!("!r:plop.example")
}

struct Alice {
    bed: Bed,
    actor: Actor,
    user: OwnedUserId,
}

impl Alice {
    async fn new() -> Self {
        let bed = Bed::new();
        let actor = actor(&bed.user("alice").await);
        Self { bed, actor, user: id("alice") }
    }

    fn thread<'t>(&'t self, root: &'t EventId) -> UserThread<'t> {
        UserThread { user: &self.user, room: room(), root }
    }

    async fn subscribe(&self, root: &EventId, why: Subscribe) -> Result<(), ThreadSubscriptionError> {
        self.bed.accounts.subscribe_to_thread(&self.actor, self.thread(root), why).await
    }

    async fn unsubscribe(&self, root: &EventId) {
        let done = self.bed.accounts.unsubscribe_from_thread(&self.actor, self.thread(root)).await;
        done.expect("unsubscribed");
    }

    async fn wish(&self, root: &EventId) -> Option<ThreadWish> {
        thread_subscription(&self.bed.db.snapshot(), self.thread(root)).await.expect("a read")
    }

    /// What changed, newest first.
    async fn changes(
        &self,
        after: Position,
        end: End,
        limit: usize,
    ) -> (String, Option<ThreadSubscriptionToken>) {
        let snapshot = self.bed.db.snapshot();
        let page =
            thread_subscription_changes(&snapshot, &self.user, after, end, limit).await.expect("a read");
        let roots = page.items.iter().map(|item| item.root.as_str().trim_start_matches('$').to_owned());
        (roots.collect(), page.next)
    }
}

fn root(name: &str) -> OwnedEventId {
    EventId::parse(format!("${name}")).expect("an id")
}

const fn because_of(cause: Position) -> Subscribe {
    Subscribe::Automatically { cause }
}

#[tokio::test(start_paused = true)]
async fn a_manual_wish_stands_above_an_automatic_one() {
    let alice = Alice::new().await;
    let thread = root("a");
    assert_eq!(alice.wish(&thread).await, None);
    let start = alice.bed.db.published();
    alice.subscribe(&thread, because_of(start)).await.expect("subscribed");
    assert_eq!(alice.wish(&thread).await, Some(ThreadWish::Automatic));
    let before = alice.bed.db.published();
    alice.subscribe(&thread, because_of(before)).await.expect("as it is");
    assert_eq!(alice.bed.db.published(), before, "nothing changed");
    alice.subscribe(&thread, Subscribe::Manually).await.expect("subscribed");
    alice.subscribe(&thread, because_of(alice.bed.db.published())).await.expect("as it is");
    assert_eq!(alice.wish(&thread).await, Some(ThreadWish::Manual));
    let snapshot = alice.bed.restarted().db.snapshot();
    let roots = [thread.clone(), root("b")];
    assert_eq!(are_subscribed(&snapshot, &alice.user, room(), &roots).await.expect("a read"), [true, false]);
    assert!(knows_threads(&snapshot, &alice.user, room()).await.expect("a read"));
    assert!(!knows_threads(&snapshot, &alice.user, room_id!("!q:plop.example")).await.expect("a read"));
}

#[tokio::test(start_paused = true)]
async fn who_unsubscribed_is_subscribed_again_by_news_only() {
    let alice = Alice::new().await;
    let thread = root("a");
    alice.unsubscribe(&thread).await;
    assert_eq!(alice.wish(&thread).await, None, "there was nothing to end");
    let old = alice.bed.db.published();
    alice.subscribe(&thread, because_of(old)).await.expect("subscribed");
    alice.unsubscribe(&thread).await;
    let end = alice.bed.db.published();
    for cause in [Position::START, old] {
        let refused = alice.subscribe(&thread, because_of(cause)).await;
        assert!(matches!(refused, Err(ThreadSubscriptionError::UnsubscribedSince)), "{refused:?}");
    }
    alice.unsubscribe(&thread).await;
    assert_eq!(alice.bed.db.published(), end, "nothing changed");
    alice.subscribe(&root("other"), Subscribe::Manually).await.expect("subscribed");
    alice.subscribe(&thread, because_of(alice.bed.db.published())).await.expect("subscribed");
    alice.unsubscribe(&thread).await;
    alice.subscribe(&thread, Subscribe::Manually).await.expect("a wish needs no cause");
}

#[tokio::test(start_paused = true)]
async fn changes_come_newest_first_each_thread_once() {
    let alice = Alice::new().await;
    let start = alice.bed.db.published();
    for name in ["a", "b", "c", "d"] {
        alice.subscribe(&root(name), Subscribe::Manually).await.expect("subscribed");
    }
    let middle = alice.bed.db.published();
    alice.unsubscribe(&root("b")).await;
    let now = End::At(alice.bed.db.published());
    let (first, next) = alice.changes(start, now, 3).await;
    assert_eq!(first, "bdc");
    let text = next.expect("more").to_string();
    assert_eq!(text.parse(), Ok(next.expect("more")));
    let (rest, next) = alice.changes(start, End::Below(text.parse().expect("a token")), 3).await;
    assert_eq!((rest.as_str(), next), ("a", None));
    assert_eq!(alice.changes(middle, now, 3).await, ("b".to_owned(), None));
    assert_eq!(
        alice.changes(start, End::At(middle), 9).await.0,
        "dca",
        "what changed again comes with the next frame"
    );
    let snapshot = alice.bed.db.snapshot();
    let page = thread_subscription_changes(&snapshot, &alice.user, start, now, 9).await.expect("a read");
    let stamps: Vec<u64> = page.items.iter().map(|item| item.bump_stamp).collect();
    assert_eq!(stamps, [5, 4, 3, 1]);
    let half = format!("ts1_{}", "0".repeat(24));
    for text in ["", "ts1_", "ts1_00", &half, &half.replace('0', "é"), &"ts1_".repeat(99)] {
        assert!(text.parse::<ThreadSubscriptionToken>().is_err(), "{text}");
    }
}

/// A client that subscribes without end pushes out what was given up, and then is refused.
#[tokio::test(start_paused = true)]
async fn rows_are_bounded() {
    let alice = Alice::new().await;
    for name in ["kept", "gone"] {
        alice.subscribe(&root(name), Subscribe::Manually).await.expect("subscribed");
    }
    alice.unsubscribe(&root("gone")).await;
    let mut full = Batch::durable();
    let changed = alice.bed.db.published();
    let row = ThreadSubscriptionTotalsRow { rows: MAX_THREAD_SUBSCRIPTIONS, stamp: 9, changed };
    full.put::<ThreadSubscriptionTotals>(&alice.user, &row);
    alice.bed.db.commit(full).await.expect("a commit");
    alice.subscribe(&root("new"), Subscribe::Manually).await.expect("in the place of what was given up");
    assert_eq!(alice.wish(&root("gone")).await, None);
    let refused = alice.subscribe(&root("newer"), Subscribe::Manually).await;
    assert!(matches!(refused, Err(ThreadSubscriptionError::TooMany)), "{refused:?}");
    assert_eq!(alice.wish(&root("kept")).await, Some(ThreadWish::Manual));
}

#[tokio::test(start_paused = true)]
async fn they_are_the_users_own_and_go_with_the_account() {
    let alice = Alice::new().await;
    let bob = actor(&alice.bed.user("bob").await);
    let refused = alice.bed.accounts.unsubscribe_from_thread(&bob, alice.thread(&root("a"))).await;
    assert!(matches!(refused, Err(ThreadSubscriptionError::Forbidden(_))), "{refused:?}");
    alice.subscribe(&root("a"), Subscribe::Manually).await.expect("subscribed");
    plop_bed::deactivate(&alice.bed.accounts, &alice.actor, false).await.expect("the end");
    let snapshot = alice.bed.db.snapshot();
    assert!(snapshot.get::<Users>(&alice.user).await.expect("a read").is_some());
    assert_eq!(alice.wish(&root("a")).await, None);
    assert_eq!(snapshot.get::<ThreadSubscriptionTotals>(&alice.user).await.expect("a read"), None);
    let now = End::At(alice.bed.db.published());
    assert_eq!(alice.changes(Position::START, now, 9).await, (String::new(), None));
    let refused = alice.subscribe(&root("a"), Subscribe::Manually).await;
    assert!(matches!(refused, Err(ThreadSubscriptionError::NoAccount)), "{refused:?}");
}
