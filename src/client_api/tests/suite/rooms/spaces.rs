//! `/rooms/{roomId}/hierarchy`.

use http::Method;
use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::call::Call;
use crate::chat::{encoded, text};

/// A page of a walk.
fn walk(bed: &Bed, by: &User, root: &str, query: &str) -> Call {
    bed.get(&format!("/_matrix/client/v1/rooms/{}/hierarchy?{query}", encoded(root))).by(by)
}

fn ids(page: &Value) -> Vec<String> {
    page["rooms"].as_array().expect("a list").iter().map(|room| text(&room["room_id"])).collect()
}

fn children(room: &Value) -> Vec<&str> {
    let children = room["children_state"].as_array().expect("a list");
    children.iter().map(|child| child["state_key"].as_str().expect("a state key")).collect()
}

async fn space(bed: &Bed, by: &User, name: &str, mut options: Value) -> String {
    options["name"] = name.into();
    options["creation_content"] = json!({ "type": "m.space" });
    bed.room(by, options).await
}

async fn link(bed: &Bed, by: &User, space: &str, child: &str, content: Value) {
    // Each at a moment of its own, which is the order of children without one.
    bed.pass(1).await;
    let call = bed.ask(by, Method::PUT, "/rooms/{}/state/m.space.child/{}", &[space, child]);
    call.json(&content).await.ok();
}

fn via() -> Value {
    json!({ "via": ["plop.example"] })
}

/// A space with rooms and spaces in it:
///
/// ```text
/// root: r1, ss1 (ss2 (r3, r4)), r2 (r5: no space, so not below it)
/// ```
struct Tree {
    bed: Bed,
    alice: User,
    bob: User,
    root: String,
    rooms: [String; 6],
}

async fn tree() -> Tree {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let public = || json!({ "preset": "public_chat" });
    let root = space(&bed, &alice, "Root", public()).await;
    let r1 = bed.public_room(&alice, &[]).await;
    let ss1 = space(&bed, &alice, "Space 1", public()).await;
    let ss2 = space(&bed, &alice, "Space 2", public()).await;
    let r2 = bed.room(&alice, json!({ "preset": "public_chat", "name": "R2" })).await;
    let r3 = bed.room(&alice, json!({ "preset": "public_chat", "name": "R3" })).await;
    let r4 = bed.room(&bob, json!({ "preset": "public_chat", "name": "R4" })).await;
    let r5 = bed.room(&bob, json!({ "preset": "public_chat", "name": "R5" })).await;
    for (space, child) in
        [(&root, &r1), (&root, &ss1), (&root, &r2), (&r2, &r5), (&ss1, &ss2), (&ss2, &r3), (&ss2, &r4)]
    {
        link(&bed, &alice, space, child, via()).await;
    }
    Tree { bed, alice, bob, root, rooms: [r1, ss1, ss2, r3, r4, r2] }
}

#[tokio::test(start_paused = true)]
async fn a_space_is_walked_depth_first() {
    let Tree { bed, alice, root, rooms, .. } = tree().await;
    let page = walk(&bed, &alice, &root, "").await.ok();
    let all: Vec<String> = [&root].into_iter().chain(&rooms).cloned().collect();
    assert_eq!((ids(&page), &page["next_batch"]), (all, &Value::Null));
    let [r1, ss1, ss2, r3, r4, r2] = &rooms;
    let found = page["rooms"].as_array().expect("rooms");
    assert_eq!(children(&found[0]), [r1, ss1, r2]);
    assert_eq!((children(&found[2]), children(&found[3])), (vec![&**ss2], vec![&**r3, &**r4]));
    assert_eq!(children(&found[6]), Vec::<&str>::new(), "a room that is no space has no children");
    let child = &found[2]["children_state"][0];
    let at = child["origin_server_ts"].as_u64().expect("a time");
    let form = json!({ "type": "m.space.child", "state_key": ss2, "sender": alice.id, "content": via(),
        "origin_server_ts": at });
    assert_eq!(*child, form);
    let summary = json!({ "room_id": ss1, "name": "Space 1", "num_joined_members": 1, "world_readable": false,
        "guest_can_join": false, "join_rule": "public", "room_type": "m.space", "room_version": "12",
        "children_state": [form] });
    assert_eq!(found[2], summary);
}

#[tokio::test(start_paused = true)]
async fn depth_choice_and_removed_links_shorten_the_walk() {
    let Tree { bed, alice, root, rooms: [r1, ss1, ss2, r3, r4, r2], .. } = tree().await;
    let at_depth =
        async |depth: &str| ids(&walk(&bed, &alice, &root, &format!("max_depth={depth}")).await.ok());
    assert_eq!(at_depth("0").await, [&*root]);
    assert_eq!(at_depth("1").await, [&root, &r1, &ss1, &r2].map(String::as_str));
    assert_eq!(at_depth("2").await, [&root, &r1, &ss1, &ss2, &r2].map(String::as_str));
    assert_eq!(at_depth("9007199254740991").await.len(), 7);

    let suggested = json!({ "via": ["plop.example"], "suggested": true });
    link(&bed, &alice, &root, &ss1, suggested.clone()).await;
    link(&bed, &alice, &ss1, &ss2, json!({ "via": ["plop.example"], "suggested": "true" })).await;
    let page = walk(&bed, &alice, &root, "suggested_only=true").await.ok();
    assert_eq!(ids(&page), [&*root, &*ss1]);
    assert_eq!(children(&page["rooms"][0]), [&ss1]);
    link(&bed, &alice, &ss1, &ss2, suggested).await;
    let page = walk(&bed, &alice, &root, "suggested_only=true").await.ok();
    assert_eq!(ids(&page), [&*root, &*ss1, &*ss2]);

    for content in [json!({}), json!({ "via": [] }), json!({ "via": "plop.example" }), json!({ "via": [1] })]
    {
        link(&bed, &alice, &root, &ss1, content.clone()).await;
        assert_eq!(ids(&walk(&bed, &alice, &root, "").await.ok()), [&*root, &*r1, &*r2], "{content}");
    }
    assert_eq!(ids(&walk(&bed, &alice, &ss1, "").await.ok()), [&*ss1, &*ss2, &*r3, &*r4]);
    let absent = "!absent:elsewhere.example";
    link(&bed, &alice, &root, absent, json!({ "via": ["elsewhere.example"] })).await;
    link(&bed, &alice, &root, "no room", via()).await;
    let page = walk(&bed, &alice, &root, "").await.ok();
    assert_eq!((ids(&page).len(), children(&page["rooms"][0])), (3, vec![&*r1, &*r2, absent]));
}

#[tokio::test(start_paused = true)]
async fn pages_follow_each_other() {
    let Tree { bed, alice, bob, root, rooms: [r1, ss1, ss2, r3, r4, r2] } = tree().await;
    let first = walk(&bed, &alice, &root, "limit=4&max_depth=5").await.ok();
    assert_eq!(ids(&first), [&*root, &*r1, &*ss1, &*ss2]);
    let token = text(&first["next_batch"]);
    for _ in 0..2 {
        let rest = walk(&bed, &alice, &root, &format!("max_depth=5&from={token}")).await.ok();
        assert_eq!(
            (ids(&rest), &rest["next_batch"]),
            (vec![r3.clone(), r4.clone(), r2.clone()], &Value::Null)
        );
    }
    let changed = [
        format!("from={token}"),
        format!("max_depth=4&from={token}"),
        format!("max_depth=5&suggested_only=true&from={token}"),
        "max_depth=5&from=s1_made_up".to_owned(),
    ];
    for query in changed {
        walk(&bed, &alice, &root, &query).await.refused(400, "M_INVALID_PARAM");
    }
    let same = format!("max_depth=5&from={token}");
    walk(&bed, &bob, &root, &same).await.refused(400, "M_INVALID_PARAM");
    walk(&bed, &alice, &ss1, &same).await.refused(400, "M_INVALID_PARAM");
    let restarted = bed.restarted().await;
    walk(&restarted, &alice, &root, &same).await.refused(400, "M_INVALID_PARAM");
    for query in ["limit=0", "limit=-1", "max_depth=-1", "max_depth=x", "suggested_only=7"] {
        walk(&bed, &alice, &root, query).await.refused(400, "M_INVALID_PARAM");
    }
}

#[tokio::test(start_paused = true)]
async fn children_are_ordered_by_order_then_time_then_id() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let root = space(&bed, &alice, "Root", json!({})).await;
    let orders = [
        json!("first"),
        json!(null),
        json!(" "),
        json!("\u{e9}"),
        json!("aaaa"),
        json!(""),
        json!("x".repeat(51)),
        json!("aaaa"),
    ];
    let keys: Vec<String> = (0..orders.len()).map(|n| format!("!{}:elsewhere.example", 9 - n)).collect();
    for (key, order) in keys.iter().zip(&orders) {
        let content = json!({ "via": ["elsewhere.example"], "order": order });
        link(&bed, &alice, &root, key, content).await;
    }
    let page = walk(&bed, &alice, &root, "").await.ok();
    let expected = [2, 4, 7, 0, 1, 3, 5, 6].map(|n: usize| &*keys[n]);
    assert_eq!(children(&page["rooms"][0]), expected);
}

/// Row 142 of the hostile input: cycles, a space in itself.
#[tokio::test(start_paused = true)]
async fn row_142_loops_end() {
    let Tree { bed, alice, root, rooms: [_, ss1, ss2, ..], .. } = tree().await;
    for (space, child) in [(&ss2, &root), (&ss2, &ss1), (&ss1, &ss1), (&root, &ss2)] {
        link(&bed, &alice, space, child, via()).await;
    }
    let page = walk(&bed, &alice, &root, "").await.ok();
    let mut found = ids(&page);
    found.sort();
    found.dedup();
    assert_eq!((ids(&page).len(), found.len()), (7, 7));
}

/// Row 142 of the hostile input: more children than anybody looks at.
#[tokio::test(start_paused = true)]
async fn row_142_a_page_has_an_end() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let children: Vec<Value> = (0..1_100)
        .map(|n| {
            json!({ "type": "m.space.child", "state_key": format!("!{n}:elsewhere.example"),
            "content": { "via": ["elsewhere.example"] } })
        })
        .collect();
    let root = space(&bed, &alice, "Root", json!({ "initial_state": children })).await;
    let first = walk(&bed, &alice, &root, "").await.ok();
    assert_eq!(ids(&first), [&*root]);
    assert_eq!(first["rooms"][0]["children_state"].as_array().map(Vec::len), Some(1_000));
    let mut pages = 0;
    let mut next = first["next_batch"].clone();
    while let Some(token) = next.as_str() {
        let page = walk(&bed, &alice, &root, &format!("from={token}")).await.ok();
        assert_eq!(ids(&page), Vec::<String>::new(), "nobody here knows them");
        (next, pages) = (page["next_batch"].clone(), pages + 1);
    }
    assert_eq!(pages, 1, "500 of 1,000 on each");
}

/// Row 79 of the hostile input: private rooms in hierarchies.
#[tokio::test(start_paused = true)]
async fn row_79_a_walk_shows_what_the_user_may_enter_or_read() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let root = space(&bed, &alice, "Root", json!({ "preset": "public_chat" })).await;
    let rule = |rule: Value| json!({ "initial_state": [{ "type": "m.room.join_rules", "content": rule }] });
    let allow = json!([{ "type": "m.room_membership", "room_id": root }]);
    let hidden = space(&bed, &alice, "Hidden", json!({})).await;
    let below = bed.public_room(&alice, &[]).await;
    let invited = bed.room(&alice, json!({ "invite": [bob.id] })).await;
    let restricted = bed.room(&alice, rule(json!({ "join_rule": "restricted", "allow": allow }))).await;
    let knocked = bed.room(&alice, rule(json!({ "join_rule": "knock" }))).await;
    let both = bed.room(&alice, rule(json!({ "join_rule": "knock_restricted", "allow": [] }))).await;
    let open = json!({ "initial_state": [{ "type": "m.room.history_visibility",
        "content": { "history_visibility": "world_readable" } }] });
    let open = bed.room(&alice, open).await;
    let banned = bed.public_room(&alice, &[]).await;
    let left = bed.public_room(&alice, &[]).await;
    bed.leave(&alice, &left).await.ok();
    for child in [&hidden, &invited, &restricted, &knocked, &both, &open, &banned, &left] {
        link(&bed, &alice, &root, child, via()).await;
    }
    link(&bed, &alice, &hidden, &below, via()).await;

    let seen = async || ids(&walk(&bed, &bob, &root, "").await.ok());
    assert_eq!(seen().await, [&root, &invited, &knocked, &both, &open, &banned].map(String::as_str));
    bed.join(&bob, &root).await.ok();
    let page = walk(&bed, &bob, &root, "").await.ok();
    assert_eq!(
        ids(&page),
        [&root, &invited, &restricted, &knocked, &both, &open, &banned].map(String::as_str)
    );
    assert_eq!(page["rooms"][2]["allowed_room_ids"], json!([root]));
    bed.act_on(&alice, &banned, "ban", &bob).await.ok();
    bed.act_on(&alice, &hidden, "invite", &bob).await.ok();
    let expected = [&root, &hidden, &below, &invited, &restricted, &knocked, &both, &open];
    assert_eq!(seen().await, expected.map(String::as_str));

    let [carol] = bed.users(["carol"]).await;
    let refused = walk(&bed, &carol, &hidden, "").await.refused(403, "M_FORBIDDEN");
    assert_eq!(walk(&bed, &carol, "!absent:plop.example", "").await.refused(403, "M_FORBIDDEN"), refused);
    walk(&bed, &bob, &banned, "").await.refused(403, "M_FORBIDDEN");
}
