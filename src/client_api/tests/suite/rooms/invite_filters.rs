//! Invites that somebody does not want to have or to see: `m.invite_permission_config`, and invite filtering (MSC4155).

use http::Method;
use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::chat::encoded;

async fn configure(bed: &Bed, user: &User, kind: &str, content: Value) {
    let path = format!("/_matrix/client/v3/user/{}/account_data/{kind}", encoded(user.id.as_str()));
    bed.put(&path).by(user).json(&content).await.ok();
}

async fn filter(bed: &Bed, user: &User, content: Value) {
    configure(bed, user, "org.matrix.msc4155.invite_permission_config", content).await;
}

/// The rooms that a user is invited to, for their client.
async fn invites(bed: &Bed, user: &User) -> Vec<String> {
    let body = bed.get("/_matrix/client/v3/sync").by(user).await.ok();
    let rooms = body["rooms"]["invite"].as_object();
    rooms.into_iter().flatten().map(|(room, _)| room.clone()).collect()
}

async fn since(bed: &Bed, user: &User, since: &Value) -> Value {
    let since = since.as_str().expect("a token");
    bed.get(&format!("/_matrix/client/v3/sync?since={}", encoded(since))).by(user).await.ok()
}

#[tokio::test(start_paused = true)]
async fn who_is_blocked_is_refused() {
    let bed = Bed::new().await;
    let [alice, bob, carol] = bed.users(["alice", "bob", "carol"]).await;
    for lists in [
        json!({ "blocked_users": [bob.id] }),
        json!({ "blocked_servers": ["plop.example"] }),
        json!({ "blocked_servers": ["plop.*"], "allowed_users": [carol.id] }),
        json!({ "blocked_users": ["@b?b:*"], "allowed_servers": ["*"] }),
    ] {
        filter(&bed, &alice, lists.clone()).await;
        let room = bed.room(&bob, json!({})).await;
        bed.act_on(&bob, &room, "invite", &alice).await.refused(403, "M_INVITE_BLOCKED");
        let create = bed.ask(&bob, Method::POST, "/createRoom", &[]).json(&json!({ "invite": [alice.id] }));
        bed.without_effect(create).await.refused(403, "M_INVITE_BLOCKED");
        assert_eq!(invites(&bed, &alice).await, Vec::<String>::new(), "{lists}");
    }
    filter(&bed, &alice, json!({ "blocked_servers": ["*"], "allowed_users": [carol.id] })).await;
    let room = bed.room(&carol, json!({ "invite": [alice.id] })).await;
    assert_eq!(invites(&bed, &alice).await, [room]);
    filter(&bed, &alice, json!({})).await;
    let room = bed.room(&bob, json!({})).await;
    bed.act_on(&bob, &room, "invite", &alice).await.ok();
}

#[tokio::test(start_paused = true)]
async fn who_is_ignored_notices_nothing_and_is_not_seen() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    filter(&bed, &alice, json!({ "ignored_users": [bob.id] })).await;
    let start = bed.get("/_matrix/client/v3/sync").by(&alice).await.ok();
    let by_invite = bed.room(&bob, json!({})).await;
    bed.act_on(&bob, &by_invite, "invite", &alice).await.ok();
    let by_creation = bed.room(&bob, json!({ "name": "Den", "invite": [alice.id] })).await;
    for room in [&by_invite, &by_creation] {
        let member = bed.state(&bob, room, "m.room.member", alice.id.as_str()).await;
        assert_eq!(member["membership"], "invite");
    }
    assert_eq!(invites(&bed, &alice).await, Vec::<String>::new());
    let news = since(&bed, &alice, &start["next_batch"]).await;
    assert_eq!(news["rooms"].get("invite"), None, "{news}");
    // What was ignored stays so, also across a restart.
    filter(&bed, &alice, json!({})).await;
    let bed = bed.restarted().await;
    assert_eq!(invites(&bed, &alice).await, Vec::<String>::new());
    bed.act_on(&bob, &by_invite, "kick", &alice).await.ok();
    assert_eq!(invites(&bed, &alice).await, Vec::<String>::new());
    bed.act_on(&bob, &by_invite, "invite", &alice).await.ok();
    assert_eq!(invites(&bed, &alice).await, [by_invite.as_str()]);
    bed.join(&alice, &by_creation).await.ok();
    let body = bed.get("/_matrix/client/v3/sync").by(&alice).await.ok();
    assert!(body["rooms"]["join"].get(&by_creation).is_some(), "who knows of it may join: {body}");
}

#[tokio::test(start_paused = true)]
async fn invites_that_stand_are_not_shown_while_they_are_blocked() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.room(&bob, json!({ "invite": [alice.id] })).await;
    assert_eq!(invites(&bed, &alice).await, [room.as_str()]);
    for (kind, content) in [
        ("m.invite_permission_config", json!({ "default_action": "block" })),
        ("org.matrix.msc4155.invite_permission_config", json!({ "blocked_servers": ["plop.example"] })),
        ("org.matrix.msc4155.invite_permission_config", json!({ "ignored_users": ["@bob:*"] })),
    ] {
        configure(&bed, &alice, kind, content).await;
        assert_eq!(invites(&bed, &alice).await, Vec::<String>::new());
        let body = bed.get("/_matrix/client/v3/sync").by(&alice).await.ok();
        configure(&bed, &alice, kind, json!({})).await;
        let news = since(&bed, &alice, &body["next_batch"]).await;
        assert!(news["rooms"]["invite"].get(&room).is_some(), "{news}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_allowed_is_invited_whatever_else_is_said() {
    let bed = Bed::new().await;
    let [alice, bob, carol] = bed.users(["user-1-alice", "user-2-bob", "user-3-carol"]).await;
    let none = Value::Null;
    for lists in [
        json!({}),
        json!({ "allowed_users": none, "ignored_users": none, "blocked_users": none,
            "allowed_servers": none, "ignored_servers": none, "blocked_servers": none }),
        json!({ "ignored_users": [bob.id], "blocked_users": [carol.id], "allowed_users": [bob.id, carol.id] }),
        json!({ "allowed_users": [bob.id, carol.id], "blocked_servers": ["plop.example"] }),
        json!({ "allowed_servers": ["plop.example"], "blocked_users": ["@somebody:else.example"] }),
    ] {
        filter(&bed, &alice, lists.clone()).await;
        for user in [&bob, &carol] {
            let room = bed.room(user, json!({ "preset": "private_chat" })).await;
            bed.act_on(user, &room, "invite", &alice).await.ok();
            assert_eq!(invites(&bed, &alice).await, [room.as_str()], "{lists}");
            bed.join(&alice, &room).await.ok();
        }
    }
    filter(&bed, &alice, json!({ "ignored_servers": ["plop.example"] })).await;
    for user in [&bob, &carol] {
        let room = bed.room(user, json!({})).await;
        bed.act_on(user, &room, "invite", &alice).await.ok();
    }
    let answer = bed.get("/_matrix/client/v3/sync").by(&alice).await.ok();
    assert_eq!(answer["rooms"].get("invite"), None);
    filter(&bed, &alice, json!({ "blocked_users": ["@user-?*"] })).await;
    let room = bed.room(&bob, json!({})).await;
    bed.act_on(&bob, &room, "invite", &alice).await.refused(403, "M_INVITE_BLOCKED");
    filter(&bed, &alice, json!({ "allowed_servers": ["plop.example"], "blocked_users": [bob.id] })).await;
    bed.act_on(&bob, &room, "invite", &alice).await.refused(403, "M_INVITE_BLOCKED");
}
