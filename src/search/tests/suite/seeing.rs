//! Hostile input, row 84: what a user may not see is not found, nor counted.

use std::collections::BTreeSet;

use plop_accounts::account_data::Subject;
use plop_bed::{id, json, user};
use plop_search::{Ask, Findings, Order};
use ruma::OwnedEventId;
use serde_json::json as value;

use crate::bed::{Bed, ask, ids};

const NOTHING: [OwnedEventId; 0] = [];

#[tokio::test(start_paused = true)]
async fn row_84_a_private_room_is_for_those_who_are_in_it() {
    let bed = Bed::new().await;
    let room = bed.den("alice").await;
    bed.say("alice", &room, "secret").await;
    assert_eq!(bed.found("bob", "secret").await, NOTHING);
    let named = bed.find("bob", &Ask { rooms: Some(vec![room.clone()]), ..ask("secret") }).await;
    assert_eq!((named.hits.len(), named.count), (0, 0));
    bed.rooms.invite(&user("alice"), &room, &id("bob"), &json("{}")).await.expect("an invite");
    assert_eq!(bed.found("bob", "secret").await, NOTHING, "invited is not in");
    bed.leave("bob", &room).await;
    assert_eq!(bed.found("bob", "secret").await, NOTHING, "never was in");
}

#[tokio::test(start_paused = true)]
async fn row_84_what_was_before_the_join_and_after_the_departure() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    bed.set("alice", &room, "m.room.history_visibility", r#"{"history_visibility":"joined"}"#).await;
    bed.say("alice", &room, "word before").await;
    bed.join("bob", &room).await;
    let meanwhile = bed.say("alice", &room, "word meanwhile").await;
    bed.leave("bob", &room).await;
    bed.say("alice", &room, "word after").await;
    for order in [Order::Rank, Order::Recent] {
        let found = bed.find("bob", &Ask { order, ..ask("word") }).await;
        assert_eq!((ids(&found), found.count), (vec![meanwhile.clone()], 1), "nor is the rest counted");
    }
    assert_eq!(bed.found("alice", "word").await.len(), 3);
    bed.rooms.forget(&user("bob"), &room).await.expect("forgotten");
    assert_eq!(bed.found("bob", "word").await, NOTHING);
}

#[tokio::test(start_paused = true)]
async fn row_52_and_84_what_was_redacted() {
    let bed = Bed::new().await;
    let room = bed.den("alice").await;
    let kept = bed.say("alice", &room, "this is not going to be redacted").await;
    let gone = bed.say("alice", &room, "this is going to be redacted").await;
    assert_eq!(bed.found("alice", "redacted").await.len(), 2);
    bed.redact("alice", &room, &gone).await;
    for order in [Order::Rank, Order::Recent] {
        let found = bed.find("alice", &Ask { order, ..ask("redacted") }).await;
        assert_eq!((ids(&found), found.count), (vec![kept.clone()], 1));
    }
    assert_eq!(bed.search.events(), 1, "it is not in the index either");
    // Redacted before it was looked at.
    let gone = bed.say("alice", &room, "another redacted one").await;
    bed.redact("alice", &room, &gone).await;
    assert_eq!(bed.found("alice", "another").await, NOTHING);
    assert_eq!(bed.search.events(), 1);
}

/// All pages from one on.
async fn walk(bed: &Bed, name: &str, mut ask: Ask) -> Vec<Findings> {
    let mut pages = Vec::new();
    loop {
        let page = bed.find(name, &ask).await;
        ask.from.clone_from(&page.next);
        let is_last = page.next.is_none();
        pages.push(page);
        if is_last {
            return pages;
        }
    }
}

/// What a user may not see stands between what they may, in all rooms and of all senders.
#[tokio::test(start_paused = true)]
async fn row_84_hidden_results_between_shown_ones_repeat_none_and_lose_none() {
    let bed = Bed::new().await;
    let rooms = [bed.room("alice").await, bed.room("alice").await];
    let mut visible = BTreeSet::new();
    for room in &rooms {
        bed.set("alice", room, "m.room.history_visibility", r#"{"history_visibility":"joined"}"#).await;
    }
    for round in 0..4 {
        for room in &rooms {
            bed.join("bob", room).await;
            for number in 0..3 {
                // Of several ranks: longer ones fit less.
                let text = format!("a short note {}", "more ".repeat((round + number) % 3));
                visible.insert(bed.say("alice", room, &text).await);
                visible.insert(bed.say("bob", room, &text).await);
            }
            bed.leave("bob", room).await;
            for _ in 0..3 {
                bed.say("alice", room, "a short note").await;
            }
        }
    }
    for order in [Order::Rank, Order::Recent] {
        let ask = Ask { order, limit: 5, ..ask("short note a") };
        let pages = walk(&bed, "bob", ask.clone()).await;
        let all: Vec<_> = pages.iter().flat_map(ids).collect();
        assert_eq!((all.len(), all.into_iter().collect::<BTreeSet<_>>()), (visible.len(), visible.clone()));
        for (index, page) in pages.iter().enumerate() {
            let Some(next) = &page.next else { continue };
            let so_far = || pages[..=index].iter().flat_map(|page| &page.hits);
            let expected = pages.iter().flat_map(|page| &page.hits).skip(so_far().count());
            for hit in &page.hits {
                let (room, sender) = (&hit.room, hit.event.pdu.sender());
                let group = async |token| {
                    let pages = walk(&bed, "bob", Ask { from: Some(token), ..ask.clone() }).await;
                    pages.iter().flat_map(ids).collect::<Vec<_>>()
                };
                let of = |is: &dyn Fn(&plop_search::Hit) -> bool| {
                    let left = expected.clone().filter(|hit| is(hit));
                    left.map(|hit| hit.event.pdu.event_id().to_owned()).collect::<Vec<_>>()
                };
                let (in_room, of_sender) =
                    (next.in_room(room.clone(), 1), next.of_sender(sender.to_owned(), 1));
                let both = in_room.of_sender(sender.to_owned(), 1);
                assert_eq!(group(in_room).await, of(&|hit| hit.room == *room), "{order:?} {index}");
                assert_eq!(group(of_sender).await, of(&|hit| hit.event.pdu.sender() == sender));
                let is_both = |hit: &plop_search::Hit| hit.room == *room && hit.event.pdu.sender() == sender;
                assert_eq!(group(both).await, of(&is_both));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn row_84_what_ignored_users_sent() {
    let bed = Bed::new().await;
    bed.register(&["alice", "bob"]).await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    bed.say("bob", &room, "spam").await;
    assert_eq!(bed.found("alice", "spam").await.len(), 1);
    let list = value!({ "ignored_users": { "@bob:plop.example": {} } });
    let list = list.as_object().expect("an object").clone();
    let alice = id("alice");
    let subject = Subject { user: &alice, room: None, kind: "m.ignored_user_list" };
    bed.accounts.set_account_data(&user("alice"), &subject, &list).await.expect("a list");
    assert_eq!(bed.found("alice", "spam").await, NOTHING);
    assert_eq!(bed.found("bob", "spam").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_erased_users_sent_is_for_those_who_had_it() {
    let bed = Bed::new().await;
    bed.register(&["alice", "bob", "carol"]).await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    bed.say("bob", &room, "confession").await;
    plop_bed::deactivate(&bed.accounts, &user("bob"), true).await.expect("the end");
    bed.join("carol", &room).await;
    assert_eq!(bed.found("alice", "confession").await.len(), 1, "she was there");
    let found = bed.find("carol", &ask("confession")).await;
    assert_eq!((found.hits.len(), found.count), (0, 0));
}
