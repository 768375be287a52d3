//! Counts of users with rules of their own.

use plop_accounts::account_data::Subject;
use plop_accounts::thread_subscriptions::{Subscribe, UserThread};
use plop_unread::MAX_EVALUATED;
use ruma::EventId;
use ruma::push::{Action, NewPatternedPushRule, NewPushRule, NewSimplePushRule, RuleKind};
use serde_json::{Value, json};

use crate::bed::{Bed, id, pair, user};

impl Bed {
    async fn put_rule(&self, name: &str, rule: NewPushRule) {
        self.accounts.put_push_rule(&user(name), &id(name), &rule, None, None).await.expect("a rule");
    }

    /// A rule that notifies of a word.
    async fn keyword(&self, name: &str, word: &str) {
        let rule = NewPatternedPushRule::new(word.to_owned(), word.to_owned(), vec![Action::Notify]);
        self.put_rule(name, NewPushRule::Content(rule)).await;
    }

    /// Nothing from the server's rule for messages, as with "mentions and keywords".
    async fn no_messages(&self, name: &str) {
        let (actor, user, rule) = (user(name), id(name), ".m.rule.message");
        let set = self.accounts.set_push_rule_actions(&actor, &user, RuleKind::Underride, rule, vec![]);
        set.await.expect("actions");
    }

    /// Subscribes to a thread, or ends that.
    pub async fn subscribe(&self, name: &str, root: &EventId, on: bool) {
        let (actor, user) = (user(name), id(name));
        let thread = UserThread { user: &user, room: &self.room, root };
        let done = if on {
            self.accounts.subscribe_to_thread(&actor, thread, Subscribe::Manually).await
        } else {
            self.accounts.unsubscribe_from_thread(&actor, thread).await
        };
        done.expect("a subscription");
    }

    async fn switch_rule(&self, name: &str, kind: RuleKind, rule: &str, on: bool) {
        let (actor, user) = (user(name), id(name));
        let switched = self.accounts.set_push_rule_enabled(&actor, &user, kind, rule, on);
        switched.await.expect("a rule");
    }

    pub async fn ignore(&self, name: &str, ignored: &[&str]) {
        let ignored: serde_json::Map<_, _> =
            ignored.iter().map(|name| (id(name).to_string(), json!({}))).collect();
        let Value::Object(content) = json!({ "ignored_users": ignored }) else { panic!("an object") };
        let user_id = id(name);
        let subject = Subject { user: &user_id, room: None, kind: "m.ignored_user_list" };
        self.accounts.set_account_data(&user(name), &subject, &content).await.expect("account data");
    }
}

#[tokio::test]
async fn a_muted_room_and_one_with_mentions_only() {
    let bed = Bed::new(&["alice", "bob", "carol"]).await;
    let condition = json!([{"kind": "event_match", "key": "room_id", "pattern": bed.room}]);
    let mute = json!({"rule_id": bed.room, "conditions": condition, "actions": []});
    bed.put_rule("bob", NewPushRule::Override(serde_json::from_value(mute).expect("a rule"))).await;
    bed.put_rule("carol", NewPushRule::Room(NewSimplePushRule::new(bed.room.clone(), vec![]))).await;
    let root = bed.say("alice", "one").await;
    bed.mention("alice", &["bob", "carol"]).await;
    bed.say_in("alice", &root, "two").await;
    assert_eq!((bed.counts("bob").await, bed.counts("carol").await), ((0, 0), (1, 1)));
    let parts = bed.parts("carol").await;
    assert_eq!((pair(parts.main), parts.threads.len()), ((1, 1), 0));
    let (bob, user) = (user("bob"), id("bob"));
    let gone = bed.accounts.delete_push_rule(&bob, &user, RuleKind::Override, bed.room.as_str()).await;
    gone.expect("no rule");
    assert_eq!(bed.counts("bob").await, (3, 1), "counts follow the rules as they are");
}

#[tokio::test]
async fn rules_are_asked_about_each_event() {
    let bed = Bed::new(&["alice", "bob", "carol"]).await;
    bed.no_messages("bob").await;
    bed.keyword("bob", "cake").await;
    // Two users of three, and rules of the room's size know how many there were.
    for (text, counts) in [("tea", (0, 0)), ("cake!", (1, 0)), ("pancake", (1, 0)), ("CAKE", (2, 0))] {
        bed.say("alice", text).await;
        assert_eq!(bed.counts("bob").await, counts, "{text}");
    }
    bed.mention("alice", &["bob"]).await;
    assert_eq!(bed.counts("bob").await, (3, 1));
    let whole_room = json!({"body": "x", "msgtype": "m.text", "m.mentions": {"room": true}});
    bed.send_event("carol", "m.room.message", whole_room.clone()).await;
    assert_eq!(bed.counts("bob").await, (3, 1), "carol may not");
    bed.send_event("alice", "m.room.message", whole_room).await;
    assert_eq!(bed.counts("bob").await, (4, 2));
    assert_eq!(bed.restarted().await.counts("bob").await, (4, 2));
}

/// `room_member_count` and powers are those of the moment, also when they are asked about later.
#[tokio::test]
async fn an_event_is_judged_in_the_room_as_it_was() {
    let bed = Bed::new(&["alice", "bob"]).await;
    let conditions = json!([{"kind": "room_member_count", "is": "2"}]);
    let rule = json!({"rule_id": "two", "conditions": conditions, "actions": []});
    bed.put_rule("bob", NewPushRule::Override(serde_json::from_value(rule).expect("a rule"))).await;
    bed.say("alice", "we are two").await;
    let whole_room = json!({"body": "x", "msgtype": "m.text", "m.mentions": {"room": true}});
    bed.rooms.join(&user("carol"), &bed.room, &Default::default()).await.expect("a join");
    bed.say("alice", "we are three").await;
    bed.send_event("carol", "m.room.message", whole_room.clone()).await;
    let levels = json!({"users": {"@carol:plop.example": 50}});
    bed.send_event("alice", "m.room.power_levels", levels).await;
    bed.send_event("carol", "m.room.message", whole_room.clone()).await;
    bed.send_event("alice", "m.room.power_levels", json!({"users": {}})).await;
    bed.send_event("carol", "m.room.message", whole_room).await;
    assert_eq!(bed.counts("bob").await, (4, 1));
}

#[tokio::test]
async fn what_ignored_users_send_does_not_count() {
    let bed = Bed::new(&["alice", "bob", "carol"]).await;
    let root = bed.mention("carol", &["bob"]).await;
    bed.say("alice", "two").await;
    bed.ignore("bob", &["carol", "bob", "stranger"]).await;
    assert_eq!(bed.counts("bob").await, (1, 0));
    bed.say_in("carol", &root, "three").await;
    bed.say_in("alice", &root, "four").await;
    assert_eq!(bed.counts("bob").await, (2, 0));
    let parts = bed.parts("bob").await;
    assert_eq!(
        (pair(parts.main), parts.threads.get(&root).map(|counts| pair(*counts))),
        ((1, 0), Some((1, 0)))
    );
    bed.ignore("bob", &[]).await;
    assert_eq!(bed.counts("bob").await, (4, 1));
}

#[tokio::test]
async fn what_was_asked_is_not_asked_again() {
    let bed = Bed::new(&["alice", "bob"]).await;
    bed.keyword("bob", "cake").await;
    let one = bed.say("alice", "one").await;
    let two = bed.say("alice", "two").await;
    assert_eq!(bed.counts("bob").await, (2, 0));
    bed.redact("alice", &one).await;
    assert_eq!(bed.counts("bob").await, (1, 0), "an answer is not remembered beyond a redaction");
    bed.say_in("alice", &two, "three").await;
    assert_eq!(bed.counts("bob").await, (2, 0));
    bed.read_all("bob", &two).await;
    assert_eq!(bed.counts("bob").await, (1, 0));
    bed.leave("bob").await;
    bed.join("bob").await;
    assert_eq!(bed.counts("bob").await, (0, 0));
}

#[tokio::test]
async fn of_a_long_unread_room_the_newest_events_count() {
    let bed = Bed::new(&["alice", "bob"]).await;
    bed.keyword("bob", "cake").await;
    for _ in 0..MAX_EVALUATED + 5 {
        bed.say("alice", "x").await;
    }
    assert_eq!(bed.counts("bob").await, (MAX_EVALUATED as u64, 0));
    bed.say("alice", "x").await;
    assert_eq!(bed.counts("bob").await, (MAX_EVALUATED as u64 + 1, 0), "only what is new is asked about");
}

/// MSC4306: what is in a thread that one subscribed to notifies in any case, what is in others only if the user's rules say so.
#[tokio::test]
async fn threads_notify_as_one_has_subscribed_to_them() {
    let bed = Bed::new(&["alice", "bob", "carol"]).await;
    let (one, two) = (bed.say("alice", "one").await, bed.say("alice", "two").await);
    bed.read_all("bob", &two).await;
    bed.read_all("carol", &two).await;
    for root in [&one, &two] {
        bed.say_in("alice", root, "a").await;
        let mention = json!({"user_ids": [id("bob")]});
        let relation = json!({"rel_type": "m.thread", "event_id": root});
        bed.send_event("alice", "m.other", json!({"m.mentions": mention, "m.relates_to": relation})).await;
    }
    let threads = async |name: &str| {
        let parts = bed.parts(name).await;
        [&one, &two].map(|root| parts.threads.get(root).map_or((0, 0), |counts| pair(*counts)))
    };
    assert_eq!((threads("bob").await, bed.counts("bob").await), ([(2, 1), (2, 1)], (4, 2)));
    bed.subscribe("bob", &one, true).await;
    assert_eq!((threads("bob").await, bed.counts("bob").await), ([(2, 1), (2, 1)], (4, 2)));
    bed.subscribe("carol", &one, true).await;
    assert_eq!(threads("carol").await, [(2, 0), (1, 0)], "an event of any type in that thread");
    bed.switch_rule("carol", RuleKind::PostContent, ".io.element.msc4306.rule.unsubscribed_thread", true)
        .await;
    assert_eq!((threads("carol").await, bed.counts("carol").await), ([(2, 0), (0, 0)], (2, 0)));
    bed.subscribe("carol", &one, false).await;
    assert_eq!((threads("carol").await, bed.counts("carol").await), ([(0, 0), (0, 0)], (0, 0)));
    bed.switch_rule("bob", RuleKind::PostContent, ".io.element.msc4306.rule.unsubscribed_thread", true).await;
    bed.subscribe("bob", &one, false).await;
    assert_eq!(threads("bob").await, [(1, 1), (1, 1)], "mentions notify in any thread");
    assert_eq!(bed.restarted().await.counts("bob").await, (2, 2));
}
