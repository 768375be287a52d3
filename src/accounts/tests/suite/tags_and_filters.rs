//! Tags of rooms, and stored filters.

use plop_accounts::filters::{FilterError, MAX_FILTERS};
use plop_accounts::tags::{MAX_TAGS, TagError};
use ruma::room_id;
use serde_json::Value;

use crate::bed::{Bed, actor, id, json};

#[tokio::test(start_paused = true)]
async fn tags_are_set_changed_and_removed_one_at_a_time() {
    let bed = Bed::new();
    let (alice, user) = (actor(&bed.user("alice").await), id("alice"));
    let room = room_id!("!room:plop.example");
    let set = async |tag: &str, info: &str| bed.accounts.set_tag(&alice, &user, room, tag, &json(info)).await;
    let (a, b) = tokio::join!(set("m.favourite", r#"{"order": 0.5}"#), set("u.work", r#"{"x": 1}"#));
    a.expect("a tag");
    b.expect("a tag");
    set("m.favourite", r#"{"order": 1}"#).await.expect("a tag");
    let bed = bed.restarted();
    let tags =
        async || Value::Object(bed.accounts.tags(&alice, &user, room).await.expect("tags")).to_string();
    assert_eq!(tags().await, r#"{"m.favourite":{"order":1},"u.work":{"x":1}}"#);
    for _ in 0..2 {
        bed.accounts.remove_tag(&alice, &user, room, "m.favourite").await.expect("a removal");
    }
    assert_eq!(tags().await, r#"{"u.work":{"x":1}}"#);
    for order in [r#"{"order": "0.5"}"#, r#"{"order": 1.5}"#, r#"{"order": -0.1}"#, r#"{"order": null}"#] {
        let refused = bed.accounts.set_tag(&alice, &user, room, "u.a", &json(order)).await;
        assert!(matches!(refused, Err(TagError::InvalidOrder)), "{order}");
    }
    for name in ["", &"x".repeat(256)] {
        let refused = bed.accounts.set_tag(&alice, &user, room, name, &json("{}")).await;
        assert!(matches!(refused, Err(TagError::InvalidName)));
    }
    let bob = actor(&bed.user("bob").await);
    assert!(bed.accounts.tags(&bob, &user, room).await.is_err());
    assert!(bed.accounts.set_tag(&bob, &user, room, "u.a", &json("{}")).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_room_has_so_many_tags_and_no_more() {
    let bed = Bed::new();
    let (alice, user) = (actor(&bed.user("alice").await), id("alice"));
    let room = room_id!("!room:plop.example");
    let set = async |tag: &str| bed.accounts.set_tag(&alice, &user, room, tag, &json("{}")).await;
    for number in 0..MAX_TAGS {
        set(&format!("u.{number}")).await.expect("a tag");
    }
    assert!(matches!(set("u.more").await, Err(TagError::TooMany)));
    set("u.0").await.expect("one that is there");
    bed.accounts.remove_tag(&alice, &user, room, "u.0").await.expect("a removal");
    set("u.more").await.expect("a tag");
}

#[tokio::test(start_paused = true)]
async fn a_filter_has_an_identifier_of_its_content() {
    let bed = Bed::new();
    let (alice, user) = (actor(&bed.user("alice").await), id("alice"));
    let filter = json(r#"{"room": {"timeline": {"limit": 10}}, "org.example": 1}"#);
    let first = bed.accounts.add_filter(&alice, &user, &filter).await.expect("a filter");
    let bed = bed.restarted();
    assert_eq!(bed.accounts.add_filter(&alice, &user, &filter).await.expect("a filter"), first);
    let other = bed.accounts.add_filter(&alice, &user, &json("{}")).await.expect("a filter");
    assert_ne!(other, first);
    let stored = bed.accounts.filter(&alice, &user, &first).await.expect("read").expect("a filter");
    assert_eq!(json(&stored), filter);
    assert_eq!(bed.accounts.filter(&alice, &user, "nothing").await.expect("read"), None);
    let bob = actor(&bed.user("bob").await);
    assert!(matches!(bed.accounts.filter(&bob, &user, &first).await, Err(FilterError::Forbidden(_))));
}

#[tokio::test(start_paused = true)]
async fn b9_140_filters_are_checked_and_bounded() {
    let bed = Bed::new();
    let (alice, user) = (actor(&bed.user("alice").await), id("alice"));
    for filter in [r#"{"room": 1}"#, r#"{"room": {"timeline": {"limit": "ten"}}}"#] {
        let refused = bed.accounts.add_filter(&alice, &user, &json(filter)).await;
        assert!(matches!(refused, Err(FilterError::Invalid(_))), "{filter}");
    }
    let rooms: Vec<_> = (0..100_000).map(|room| format!("!{room}:plop.example")).collect();
    let huge = json(&serde_json::json!({ "room": { "rooms": rooms } }).to_string());
    assert!(matches!(bed.accounts.add_filter(&alice, &user, &huge).await, Err(FilterError::TooLarge)));
    for limit in 0..MAX_FILTERS {
        let filter = json(&format!(r#"{{"presence": {{"limit": {limit}}}}}"#));
        bed.accounts.add_filter(&alice, &user, &filter).await.expect("a filter");
    }
    assert!(matches!(bed.accounts.add_filter(&alice, &user, &json("{}")).await, Err(FilterError::TooMany)));
    // Those that are there are still found.
    let present = json(r#"{"presence": {"limit": 7}}"#);
    bed.accounts.add_filter(&alice, &user, &present).await.expect("a filter");
}
