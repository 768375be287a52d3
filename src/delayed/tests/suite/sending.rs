//! Events are sent when their time has come.

use std::time::Duration;

use plop_bed::{json, user};
use plop_delayed::{Filter, NewDelayed};
use plop_rooms::reader::client_event::Detail;
use plop_state::json::Object;
use plop_state::pdu::ClientFormat;

use crate::bed::Bed;

#[tokio::test(start_paused = true)]
async fn they_are_sent_in_order_and_not_before_their_time() {
    let bed = Bed::new().await;
    let (room, other) = (bed.rooms.room("alice").await, bed.rooms.room("alice").await);
    for (text, delay) in [("c", 900), ("a", 700), ("b", 800)] {
        bed.later("alice", &room, text, delay).await.expect("scheduled");
    }
    bed.later("alice", &other, "d", 700).await.expect("scheduled");
    assert_eq!(bed.delayed.catch_up().await.expect("done"), Duration::from_millis(700));
    bed.pass(699).await;
    assert_eq!(bed.delayed.catch_up().await.expect("done"), Duration::from_millis(1));
    assert_eq!((bed.texts(&room).await.len(), bed.scheduled("alice").await.len()), (0, 4));
    bed.pass(1).await;
    bed.delayed.catch_up().await.expect("done");
    assert_eq!(
        (bed.texts(&room).await, bed.texts(&other).await),
        (vec!["a".to_owned()], vec!["d".to_owned()])
    );
    bed.pass(500).await;
    bed.delayed.catch_up().await.expect("done");
    assert_eq!(bed.texts(&room).await, ["a", "b", "c"]);
    assert_eq!(bed.scheduled("alice").await, []);
    assert_eq!(bed.delayed.catch_up().await.expect("done"), Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn the_work_wakes_for_what_is_earlier() {
    let bed = Bed::new().await;
    let room = bed.rooms.room("alice").await;
    let work = async {
        bed.later("alice", &room, "late", 50_000).await.expect("scheduled");
        bed.pass(1).await;
        bed.later("alice", &room, "early", 100).await.expect("scheduled");
        bed.pass(101).await;
        assert_eq!(bed.texts(&room).await, ["early"]);
        bed.pass(50_000).await;
        assert_eq!(bed.texts(&room).await, ["early", "late"]);
    };
    tokio::select! {
        () = work => {}
        ended = bed.delayed.run() => panic!("{ended:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_loses_none_and_sends_none_twice() {
    let bed = Bed::new().await;
    let room = bed.rooms.room("alice").await;
    let id = bed.later("alice", &room, "once", 900).await.expect("scheduled");
    bed.later("alice", &room, "later", 9_900).await.expect("scheduled");
    bed.pass(5_000).await;
    let bed = bed.restarted().await;
    bed.delayed.catch_up().await.expect("done");
    let first = bed.sent("alice", &id).await.expect("an event");
    assert_eq!((bed.texts(&room).await.len(), bed.scheduled("alice").await.len()), (1, 1));
    bed.pass(5_000).await;
    let bed = bed.restarted().await;
    bed.delayed.catch_up().await.expect("done");
    assert_eq!(
        (bed.texts(&room).await, bed.sent("alice", &id).await),
        (vec!["once".to_owned(), "later".to_owned()], Some(first))
    );
}

/// The process ends between the event and the row that says so.
#[tokio::test(start_paused = true)]
async fn what_was_sent_and_not_noted_is_found_again() {
    use plop_delayed::{Action, DelayRefusal};
    use plop_rooms::ops::send::SendEvent;
    let bed = Bed::new().await;
    let room = bed.rooms.room("alice").await;
    let ids = [bed.later("alice", &room, "a", 900).await, bed.later("alice", &room, "a", 900).await];
    let mut sent = Vec::new();
    for id in &ids {
        let id = id.as_ref().expect("scheduled");
        let event = SendEvent {
            kind: "m.room.message".to_owned(),
            state_key: None,
            content: json(r#"{"body":"a"}"#),
            transaction: None,
            ts: None,
        };
        sent.push(bed.rooms.rooms.send_delayed(&user("alice"), &room, &event, id).await.expect("an event"));
    }
    let bed = bed.restarted().await;
    let [first, second] = ids.map(|id| id.expect("scheduled"));
    let cancelled = bed.delayed.act(&first, Action::Cancel).await;
    assert!(matches!(cancelled, Err(DelayRefusal::Conflict)), "{cancelled:?}");
    bed.pass(900).await;
    bed.delayed.catch_up().await.expect("done");
    let known = [bed.sent("alice", &first).await, bed.sent("alice", &second).await];
    assert_eq!(known.map(|event| event.expect("an event")).as_slice(), sent);
    assert_eq!(bed.texts(&room).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_may_not_send_any_more_is_told_and_nothing_is_sent() {
    use plop_accounts::moderation::Decision;
    use plop_base::Actor;
    use plop_delayed::schema::FailureKind;
    let bed = Bed::new().await;
    let room = bed.rooms.room("alice").await;
    bed.rooms.join("bob", &room).await;
    let powerless = bed.schedule("bob", &room, "m.room.name", Some(""), "x", 100).await.expect("scheduled");
    let gone = bed.later("bob", &room, "x", 200).await.expect("scheduled");
    bed.pass(100).await;
    bed.delayed.catch_up().await.expect("done");
    bed.rooms.leave("bob", &room).await;
    bed.pass(100).await;
    bed.delayed.catch_up().await.expect("done");
    assert_eq!(bed.refused("bob", &powerless).await, FailureKind::Forbidden);
    assert_eq!(bed.refused("bob", &gone).await, FailureKind::Forbidden);

    bed.rooms.join("bob", &room).await;
    for (suspend, expected) in [(true, FailureKind::Suspended), (false, FailureKind::AccountEnded)] {
        let id = bed.later("bob", &room, "x", 100).await.expect("scheduled");
        if suspend {
            let decided =
                bed.accounts.decide(&Actor::Server, &plop_bed::id("bob"), Decision::Suspended(true)).await;
            decided.expect("suspended");
        } else {
            plop_bed::deactivate(&bed.accounts, &user("bob"), false).await.expect("deactivated");
        }
        bed.pass(100).await;
        bed.delayed.catch_up().await.expect("done");
        assert_eq!(bed.refused("bob", &id).await, expected);
        if suspend {
            let decided =
                bed.accounts.decide(&Actor::Server, &plop_bed::id("bob"), Decision::Suspended(false)).await;
            decided.expect("readmitted");
        }
    }
    assert_eq!(bed.texts(&room).await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn the_sender_is_told_which_delayed_event_it_was() {
    let bed = Bed::new().await;
    let room = bed.rooms.room("alice").await;
    bed.rooms.join("bob", &room).await;
    let id = bed.later("alice", &room, "x", 100).await.expect("scheduled");
    bed.pass(100).await;
    bed.delayed.catch_up().await.expect("done");
    let event = bed.sent("alice", &id).await.expect("an event");
    for (name, is_told) in [("alice", true), ("bob", false)] {
        let actor = user(name);
        let (mut reader, event) = bed.rooms.rooms.reader_of_event(&actor, &room, &event).await.expect("seen");
        let text =
            reader.client_events(&[event], ClientFormat::Full, Detail::Timeline).await.expect("a text");
        assert_eq!(
            text[0].contains(&format!(r#""org.matrix.msc4140.delay_id":"{id}""#)),
            is_told,
            "{text:?}"
        );
        assert!(!text[0].contains("transaction_id"), "{text:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_who_is_heard_by_nobody_is_answered_all_the_same() {
    use plop_base::Actor;
    use plop_delayed::schema::End;
    let bed = Bed::new().await;
    let room = bed.rooms.room("alice").await;
    bed.rooms.join("bob", &room).await;
    let unheard = Actor::ShadowBanned { user: plop_bed::id("bob"), device: "DEVICE".into() };
    let content = Object::from([("body".to_owned(), "x".into())]);
    let new = NewDelayed {
        room: &room,
        kind: "m.room.message",
        state_key: None,
        content,
        delay: Duration::from_millis(100),
        transaction: None,
    };
    bed.delayed.schedule(&unheard, new).await.expect("scheduled");
    bed.pass(100).await;
    bed.delayed.catch_up().await.expect("done");
    let over = Filter { finalised: true, ..Filter::default() };
    let page = bed.delayed.list(&user("bob"), over).await.expect("a page").expect("a page");
    assert!(page.events[0].row.finalised.as_ref().is_some_and(|row| matches!(row.end, End::Sent { .. })));
    assert_eq!(bed.texts(&room).await, Vec::<String>::new());
}
