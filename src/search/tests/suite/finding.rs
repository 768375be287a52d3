//! What is found by which words, in which order.

use plop_bed::{id, json, user};
use plop_search::{Ask, Key, MAX_RESULTS, Order, SearchError};
use ruma::OwnedRoomId;
use ruma::api::client::filter::UrlFilter;

use crate::bed::{Bed, ask, ids};

#[tokio::test(start_paused = true)]
async fn all_words_must_be_in_a_text() {
    let bed = Bed::new().await;
    let room = bed.den("alice").await;
    let hello = bed.say("alice", &room, "Hello, World").await;
    let other = bed.say("alice", &room, "hello there").await;
    assert_eq!(bed.found("alice", "hello").await, [other.clone(), hello.clone()]);
    assert_eq!(bed.found("alice", "WORLD hello").await, std::slice::from_ref(&hello));
    let found = bed.find("alice", &ask("hello world")).await;
    assert_eq!(
        (found.count, found.highlights.into_iter().collect::<Vec<_>>()),
        (1, vec!["hello".into(), "world".into()])
    );
    for term in ["", "  ", "hell", "hello moon", "body:hello nothing", "*", "he*"] {
        assert!(bed.found("alice", term).await.is_empty(), "{term}");
    }
    // What is no letter and no digit means nothing.
    assert_eq!(bed.found("alice", "+(\"hello\") -*~ world^2".trim_end_matches('2')).await, [hello]);
    let none = bed.find("alice", &Ask { keys: [].into(), ..ask("hello") }).await;
    assert_eq!(none.hits.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn pages_follow_each_other_in_both_orders() {
    let bed = Bed::new().await;
    let room = bed.den("alice").await;
    let mut sent = Vec::new();
    for number in 0..25 {
        sent.push(bed.say("alice", &room, &format!("Message number {number}")).await);
    }
    for order in [Order::Recent, Order::Rank] {
        let (mut from, mut all, mut sizes) = (None, Vec::new(), Vec::new());
        loop {
            let page = bed.find("alice", &Ask { order, from, ..ask("message") }).await;
            assert_eq!(page.count, 25, "on each page");
            sizes.push(page.hits.len());
            all.extend(ids(&page));
            // What is sent meanwhile moves nothing.
            if sizes.len() == 1 {
                bed.say("alice", &room, "no such word").await;
            }
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        assert_eq!(sizes, [10, 10, 5]);
        // Equally good ones come in the order in which they were sent.
        let expected: Vec<_> = match order {
            Order::Recent => sent.iter().rev().cloned().collect(),
            Order::Rank => sent.clone(),
        };
        assert_eq!(all, expected);
    }
    let first = bed.find("alice", &ask("message")).await.next;
    let other =
        bed.search.find(&user("alice"), &Ask { order: Order::Rank, from: first, ..ask("message") }).await;
    assert!(matches!(other, Err(SearchError::OtherOrder)));
}

#[tokio::test(start_paused = true)]
async fn a_full_last_page_leads_to_an_empty_one() {
    let bed = Bed::new().await;
    let room = bed.den("alice").await;
    for number in 0..20 {
        bed.say("alice", &room, &format!("Message number {number}")).await;
    }
    let first = bed.find("alice", &ask("message")).await;
    let second = bed.find("alice", &Ask { from: first.next, ..ask("message") }).await;
    assert_eq!((second.hits.len(), second.count), (10, 20));
    let third = bed.find("alice", &Ask { from: second.next, ..ask("message") }).await;
    assert_eq!((third.hits.len(), third.count, third.next), (0, 20, None));
}

#[tokio::test(start_paused = true)]
async fn the_rarer_and_denser_word_ranks_higher() {
    let bed = Bed::new().await;
    let room = bed.den("alice").await;
    let long = bed.say("alice", &room, "fish and a great many other things that swim about").await;
    let dense = bed.say("alice", &room, "fish fish fish").await;
    let found = bed.find("alice", &Ask { order: Order::Rank, ..ask("fish") }).await;
    assert_eq!(ids(&found), [dense, long]);
    assert!(found.hits[0].rank > found.hits[1].rank);
}

#[tokio::test(start_paused = true)]
async fn names_and_topics_have_keys_of_their_own() {
    let bed = Bed::new().await;
    let room = bed.den("alice").await;
    let body = bed.say("alice", &room, "garden").await;
    let name = bed.set("alice", &room, "m.room.name", r#"{"name":"Garden"}"#).await;
    let topic = bed.set("alice", &room, "m.room.topic", r#"{"topic":"The garden"}"#).await;
    let rich = r#"{"topic":"x","m.topic":{"m.text":[{"mimetype":"text/html","body":"<b>attic</b>"},{"body":"cellar"}]}}"#;
    let rich = bed.set("alice", &room, "m.room.topic", rich).await;
    assert_eq!(bed.found("alice", "garden").await, [topic.clone(), name.clone(), body.clone()]);
    for (key, expected) in [(Key::Body, &body), (Key::Name, &name), (Key::Topic, &topic)] {
        let found = bed.find("alice", &Ask { keys: [key].into(), ..ask("garden") }).await;
        assert_eq!(ids(&found), std::slice::from_ref(expected));
    }
    assert_eq!(bed.found("alice", "cellar").await, [rich]);
    assert!(bed.found("alice", "attic").await.is_empty());
    // No message is a state event, and no name is none.
    bed.send("alice", &room, "m.room.message", Some(""), json(r#"{"msgtype":"m.text","body":"attic"}"#))
        .await;
    bed.send("alice", &room, "m.room.name", None, json(r#"{"name":"attic"}"#)).await;
    bed.send("alice", &room, "org.example.note", None, json(r#"{"body":"attic"}"#)).await;
    assert!(bed.found("alice", "attic").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn rooms_senders_and_urls_choose_among_events() {
    let bed = Bed::new().await;
    let (one, two) = (bed.room("alice").await, bed.room("alice").await);
    bed.join("bob", &one).await;
    let first = bed.say("alice", &one, "apple").await;
    let second = bed.say("alice", &two, "apple").await;
    let third = bed.say("bob", &one, "apple").await;
    let picture = json(r#"{"msgtype":"m.image","body":"apple.png","url":"mxc://a/b"}"#);
    let picture = bed.send("alice", &two, "m.room.message", None, picture).await;
    let found = async |ask: Ask| ids(&bed.find("alice", &ask).await);
    let all = [picture.clone(), third.clone(), second.clone(), first.clone()];
    assert_eq!(found(ask("apple")).await, all);
    let rooms = |rooms: &[&OwnedRoomId]| Some(rooms.iter().map(|room| (*room).clone()).collect());
    assert_eq!(found(Ask { rooms: rooms(&[&one]), ..ask("apple") }).await, [third.clone(), first.clone()]);
    assert!(found(Ask { rooms: rooms(&[]), ..ask("apple") }).await.is_empty());
    assert_eq!(found(Ask { not_rooms: vec![one], ..ask("apple") }).await, [picture.clone(), second.clone()]);
    let bob = || vec![id("bob")];
    assert_eq!(found(Ask { senders: Some(bob()), ..ask("apple") }).await, std::slice::from_ref(&third));
    assert!(found(Ask { senders: Some(Vec::new()), ..ask("apple") }).await.is_empty());
    assert_eq!(
        found(Ask { not_senders: bob(), ..ask("apple") }).await,
        [picture.clone(), second.clone(), first.clone()]
    );
    assert_eq!(found(Ask { url: Some(UrlFilter::EventsWithUrl), ..ask("apple") }).await, [picture]);
    assert_eq!(
        found(Ask { url: Some(UrlFilter::EventsWithoutUrl), ..ask("apple") }).await,
        [third, second, first]
    );
}

/// Hostile input, row 141: what is asked for is bounded.
#[tokio::test(start_paused = true)]
async fn row_141_a_search_is_bounded() {
    let bed = Bed::new().await;
    let room = bed.den("alice").await;
    for number in 0..120 {
        bed.say("alice", &room, &format!("Message number {number}")).await;
    }
    let page = bed.find("alice", &Ask { limit: usize::MAX, ..ask("message") }).await;
    assert_eq!((page.hits.len(), page.count), (MAX_RESULTS, 120));
    for term in ["message ".repeat(200_000), "x".repeat(1 << 20), "\u{4e00}".repeat(300_000)] {
        assert!(bed.find("alice", &ask(&term)).await.count <= 120);
    }
    let many = Ask { rooms: Some(vec![room; 5_000]), ..ask("message") };
    assert!(matches!(bed.search.find(&user("alice"), &many).await, Err(SearchError::TooMany)));
    let many = Ask { not_senders: vec![id("bob"); 5_000], ..ask("message") };
    assert!(matches!(bed.search.find(&user("alice"), &many).await, Err(SearchError::TooMany)));
}

#[tokio::test(start_paused = true)]
async fn groups_go_on_by_themselves() {
    let bed = Bed::new().await;
    let (one, two) = (bed.den("alice").await, bed.den("alice").await);
    let mut of_one = Vec::new();
    for number in 0..6 {
        of_one.push(bed.say("alice", &one, &format!("note {number}")).await);
        bed.say("alice", &two, &format!("note {number}")).await;
    }
    of_one.reverse();
    let few = || Ask { limit: 4, ..ask("note") };
    let page = bed.find("alice", &few()).await;
    let token = page.next.expect("more").in_room(one.clone(), 2);
    let rest = bed.find("alice", &Ask { from: Some(token), ..few() }).await;
    assert_eq!(ids(&rest), of_one[2..6]);
    assert!(rest.hits.iter().all(|hit| hit.room == one));
    let next = rest.next.expect("a full page");
    assert!(
        bed.find("alice", &Ask { from: Some(next), ..few() }).await.hits.is_empty(),
        "still in the group"
    );
}
