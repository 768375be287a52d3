//! Counts against their plain definition: each event asked about under the user's rules.

use std::collections::{BTreeMap, BTreeSet};

use plop_accounts::push_rules::push_rules;
use plop_ephemeral::{ReceiptKind, Thread};
use plop_rooms::MAX_THREAD_HOPS;
use plop_state::Pdu;
use plop_state::push::{PushEvent, Reader, RoomContext, evaluate};
use plop_unread::{Counts, RoomCounts};
use proptest::prelude::*;
use ruma::OwnedEventId;
use ruma::push::{Action, NewPatternedPushRule, NewPushRule, NewSimplePushRule, RuleKind};
use serde_json::{Value, json};

use crate::bed::{Bed, id, user};

const USERS: [&str; 3] = ["alice", "bob", "carol"];

/// Something that happens. Events are named by numbers, taken modulo how many there are.
#[derive(Debug, Clone)]
enum Step {
    Say { by: usize, kind: usize, relation: Relation, event: usize, mentioned: u8, room: bool },
    Read { by: usize, private: bool, thread: usize, event: usize },
    Redact { event: usize },
    Leave { who: usize },
    Rules { of: usize, change: usize },
    Ignore { of: usize, whom: usize },
    Subscribe { of: usize, event: usize, on: bool },
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Relation {
    None,
    Thread,
    Reference,
}

fn any_step() -> impl Strategy<Value = Step> {
    let relation =
        prop_oneof![3 => Just(Relation::None), 3 => Just(Relation::Thread), 2 => Just(Relation::Reference)];
    let say = (0..3_usize, 0..4_usize, relation, 0..100_usize, 0..8_u8, any::<bool>());
    prop_oneof![
        10 => say.prop_map(|(by, kind, relation, event, mentioned, room)| {
            Step::Say { by, kind, relation, event, mentioned, room: room && mentioned == 7 }
        }),
        5 => (0..3_usize, any::<bool>(), 0..100_usize, 0..100_usize)
            .prop_map(|(by, private, thread, event)| Step::Read { by, private, thread, event }),
        1 => (0..100_usize).prop_map(|event| Step::Redact { event }),
        1 => (1..3_usize).prop_map(|who| Step::Leave { who }),
        2 => (0..3_usize, 0..8_usize).prop_map(|(of, change)| Step::Rules { of, change }),
        1 => (0..3_usize, 0..100_usize, any::<bool>())
            .prop_map(|(of, event, on)| Step::Subscribe { of, event, on }),
        1 => (0..3_usize, 0..4_usize).prop_map(|(of, whom)| Step::Ignore { of, whom }),
    ]
}

/// What the model knows of an event.
struct Sent {
    id: OwnedEventId,
    pdu: Pdu,
    by: usize,
    /// Until it is redacted.
    related: Option<(Relation, usize)>,
    thread: Option<usize>,
    redacted: bool,
    members: u64,
    /// Its place among everything that was sent, membership and redactions included.
    place: u64,
}

#[derive(Default)]
struct Model {
    sent: Vec<Sent>,
    place: u64,
    joined_since: BTreeMap<usize, u64>,
    /// By user and part of the room.
    marks: BTreeMap<(usize, Thread), u64>,
    ignored: BTreeMap<usize, BTreeSet<usize>>,
    /// Users with the roots of threads.
    subscribed: BTreeSet<(usize, usize)>,
}

impl Model {
    fn thread_of(&self, related: Option<(Relation, usize)>) -> Option<usize> {
        let mut related = related;
        for _ in 0..MAX_THREAD_HOPS {
            match related? {
                (Relation::Thread, root) => return Some(root),
                (_, parent) => related = self.sent.get(parent)?.related,
            }
        }
        None
    }

    fn part(&self, thread: Option<usize>) -> Thread {
        thread.map_or(Thread::Main, |root| Thread::Root(self.sent[root].id.clone()))
    }

    fn advance(&mut self, of: usize, part: Thread, to: u64) {
        let mark = self.marks.entry((of, part)).or_default();
        *mark = to.max(*mark);
    }

    async fn counts(&self, bed: &Bed, of: usize) -> RoomCounts {
        let mut counts = RoomCounts::default();
        let Some(joined) = self.joined_since.get(&of) else { return counts };
        let name = USERS[of];
        let rules = push_rules(&bed.db.snapshot(), &id(name)).await.expect("rules").rules;
        let view = bed.rooms.view_by_id(&bed.room).await.expect("the room");
        let mark = |part: Thread| self.marks.get(&(of, part)).copied().unwrap_or_default();
        for sent in &self.sent {
            let part = self.part(sent.thread);
            let read = (*joined).max(mark(Thread::Unthreaded)).max(mark(part));
            let ignored = self.ignored.get(&of).is_some_and(|ignored| ignored.contains(&sent.by));
            if sent.place <= read || sent.redacted || sent.by == of || ignored {
                continue;
            }
            let room = RoomContext { members: sent.members, authority: view.authority() };
            let subscribed = sent.thread.map(|root| self.subscribed.contains(&(of, root)));
            let reader = Reader { user: &id(name), display_name: None, subscribed };
            let said = evaluate(&rules, &PushEvent::new(&sent.pdu), &room, &reader);
            let said = Counts {
                notification_count: u64::from(said.notify),
                highlight_count: u64::from(said.highlight),
            };
            match sent.thread {
                Some(root) => *counts.threads.entry(self.sent[root].id.clone()).or_default() += said,
                None => counts.main += said,
            }
        }
        counts.threads.retain(|_, counts| !counts.is_zero());
        counts
    }
}

async fn say(bed: &Bed, model: &mut Model, step: &Step) {
    let Step::Say { by, kind, relation, event, mentioned, room } = step else { return };
    if !model.joined_since.contains_key(by) {
        return;
    }
    let related = model.sent.len().checked_sub(1).map(|last| (*relation, event % (last + 1)));
    let related = related.filter(|(relation, _)| *relation != Relation::None);
    if related
        .is_some_and(|(relation, root)| relation == Relation::Thread && model.sent[root].related.is_some())
    {
        // No thread begins at what relates to something else.
        return;
    }
    let mut content = json!({"body": "some cake", "msgtype": if *kind == 1 { "m.notice" } else { "m.text" }});
    if let Some((relation, parent)) = related {
        let rel_type = if relation == Relation::Thread { "m.thread" } else { "m.reference" };
        content["m.relates_to"] = json!({"rel_type": rel_type, "event_id": model.sent[parent].id});
    }
    let users = USERS.iter().enumerate().filter(|(index, _)| mentioned & (1 << index) != 0);
    let users: Vec<Value> = users.map(|(_, name)| json!(id(name))).collect();
    if !users.is_empty() || *room {
        content["m.mentions"] = json!({"user_ids": users, "room": room});
    }
    let types = ["m.room.message", "m.room.message", "m.reaction", "m.room.encrypted"];
    let sent = bed.send_event(USERS[*by], types[*kind], content).await;
    let view = bed.rooms.view_by_id(&bed.room).await.expect("the room");
    let (events, snapshot) = (bed.rooms.events(), bed.db.snapshot());
    let number = events.number(&snapshot, view.number, &sent).await.expect("a read").expect("a number");
    let pdu = events.get(&snapshot, view.number, view.rules, number).await.expect("the event").pdu.clone();
    model.place += 1;
    let thread = model.thread_of(related);
    let members = view.members.joined_count();
    let place = model.place;
    model.sent.push(Sent { id: sent, pdu, by: *by, related, thread, redacted: false, members, place });
    let part = model.part(thread);
    model.advance(*by, part, place);
}

async fn change_rules(bed: &Bed, of: usize, change: usize) {
    let (actor, user) = (user(USERS[of]), id(USERS[of]));
    let put = async |rule: NewPushRule| {
        bed.accounts.put_push_rule(&actor, &user, &rule, None, None).await.expect("a rule");
    };
    match change {
        0 => put(NewPushRule::Room(NewSimplePushRule::new(bed.room.clone(), vec![]))).await,
        1 => {
            let rule = NewPatternedPushRule::new("cake".into(), "cake".into(), vec![Action::Notify]);
            put(NewPushRule::Content(rule)).await;
        }
        2 => {
            let condition = json!([{"kind": "event_match", "key": "room_id", "pattern": bed.room}]);
            let rule = json!({"rule_id": "mute", "conditions": condition, "actions": []});
            put(NewPushRule::Override(serde_json::from_value(rule).expect("a rule"))).await;
        }
        3 => {
            // Not of joins, which the model does not list.
            let said = json!({"kind": "event_match", "key": "content.body", "pattern": "cake"});
            let condition = json!([{"kind": "room_member_count", "is": "3"}, said]);
            let rule = json!({"rule_id": "three", "conditions": condition, "actions": ["notify"]});
            put(NewPushRule::Override(serde_json::from_value(rule).expect("a rule"))).await;
        }
        4 | 5 => {
            let rules = ["unsubscribed_thread", "subscribed_thread"];
            let rule = format!(".io.element.msc4306.rule.{}", rules[change - 4]);
            let set =
                bed.accounts.set_push_rule_enabled(&actor, &user, RuleKind::PostContent, &rule, change == 4);
            set.await.expect("a rule");
        }
        _ => {
            // Whatever there is of the above goes, but for the rules about threads.
            for (kind, id) in [
                (RuleKind::Room, bed.room.as_str()),
                (RuleKind::Content, "cake"),
                (RuleKind::Override, "mute"),
                (RuleKind::Override, "three"),
            ] {
                drop(bed.accounts.delete_push_rule(&actor, &user, kind, id).await);
            }
        }
    }
}

async fn run(bed: &Bed, model: &mut Model, step: &Step) {
    match step {
        Step::Say { .. } => say(bed, model, step).await,
        Step::Read { by, private, thread, event } => {
            if model.sent.is_empty() || !model.joined_since.contains_key(by) {
                return;
            }
            let sent = &model.sent[event % model.sent.len()];
            let part = if thread % 3 == 0 { Thread::Unthreaded } else { model.part(sent.thread) };
            let kind = if *private { ReceiptKind::Private } else { ReceiptKind::Public };
            bed.read(USERS[*by], &sent.id, kind, part.clone()).await;
            let place = sent.place;
            model.advance(*by, part, place);
        }
        Step::Redact { event } => {
            if model.sent.is_empty() {
                return;
            }
            let target = event % model.sent.len();
            let sent = &mut model.sent[target];
            if !sent.redacted {
                sent.redacted = true;
                sent.related = None;
                bed.redact("alice", &sent.id).await;
                model.place += 1;
                model.advance(0, Thread::Main, model.place);
            }
        }
        Step::Leave { who } => {
            model.place += 1;
            if model.joined_since.remove(who).is_some() {
                bed.leave(USERS[*who]).await;
            } else {
                bed.join(USERS[*who]).await;
                model.joined_since.insert(*who, model.place);
            }
        }
        Step::Rules { of, change } => change_rules(bed, *of, *change).await,
        Step::Subscribe { of, event, on } => {
            if model.sent.is_empty() {
                return;
            }
            let root = event % model.sent.len();
            bed.subscribe(USERS[*of], &model.sent[root].id, *on).await;
            if *on {
                model.subscribed.insert((*of, root));
            } else {
                model.subscribed.remove(&(*of, root));
            }
        }
        Step::Ignore { of, whom } => {
            let ignored: BTreeSet<usize> = [*whom].into_iter().filter(|whom| *whom < USERS.len()).collect();
            let names: Vec<&str> = ignored.iter().map(|whom| USERS[*whom]).collect();
            bed.ignore(USERS[*of], &names).await;
            model.ignored.insert(*of, ignored.into_iter().filter(|whom| whom != of).collect());
        }
    }
}

async fn compare(bed: &Bed, model: &Model, after: &str) {
    for (index, name) in USERS.iter().enumerate() {
        let expected = model.counts(bed, index).await;
        assert_eq!(bed.parts(name).await, expected, "{name} by thread, {after}");
        let room = expected.room();
        let found = bed.counts(name).await;
        assert_eq!(found, (room.notification_count, room.highlight_count), "{name}, {after}");
    }
}

async fn play(steps: Vec<Step>) {
    let bed = Bed::new(&USERS).await;
    let mut model = Model::default();
    model.joined_since.extend([(0, 0), (1, 0), (2, 0)]);
    for (index, step) in steps.iter().enumerate() {
        run(&bed, &mut model, step).await;
        if index % 5 == 0 {
            compare(&bed, &model, &format!("after step {index}")).await;
        }
    }
    compare(&bed, &model, "at the end").await;
    let bed = bed.restarted().await;
    compare(&bed, &model, "after a restart").await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn counts_are_what_they_are_defined_as(steps in prop::collection::vec(any_step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(play(steps));
    }
}
