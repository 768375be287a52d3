//! What administrators do through the client API.

use http::header::USER_AGENT;
use plop_accounts::moderation::Decision;
use plop_base::Actor;
use serde_json::{Value, json};

use crate::bed::{Bed, User};

const WHOAMI: &str = "/_matrix/client/v3/account/whoami";

async fn admin(bed: &Bed, name: &str) -> User {
    let user = bed.user(name).await;
    bed.api.accounts.decide(&Actor::Server, &user.id, Decision::Admin(true)).await.expect("an administrator");
    user
}

fn lock(user: &str) -> String {
    format!("/_matrix/client/v1/admin/lock/{user}")
}

fn suspend(user: &str) -> String {
    format!("/_matrix/client/v1/admin/suspend/{user}")
}

fn whois(user: &str) -> String {
    format!("/_matrix/client/v3/admin/whois/{user}")
}

async fn capability(bed: &Bed, user: &User) -> Option<Value> {
    let body = bed.get("/_matrix/client/v3/capabilities").by(user).await.ok();
    body["capabilities"].get("m.account_moderation").cloned()
}

#[tokio::test(start_paused = true)]
async fn b8_117_an_administrator_locks_and_suspends_users() {
    let bed = Bed::new().await;
    let (root, alice) = (admin(&bed, "boss").await, bed.user("alice").await);
    let id = alice.id.as_str();
    assert_eq!(bed.get(&lock(id)).by(&root).await.ok(), json!({ "locked": false }));
    let locked = json!({ "locked": true });
    assert_eq!(bed.put(&lock(id)).by(&root).json(&locked).await.ok(), locked);
    assert_eq!(bed.get(&lock(id)).by(&root).await.ok(), locked);
    let refused = bed.get(WHOAMI).by(&alice).await.refused(401, "M_USER_LOCKED");
    assert_eq!(refused["soft_logout"], true);
    bed.put(&lock(id)).by(&root).json(&json!({ "locked": false })).await.ok();
    bed.get(WHOAMI).by(&alice).await.ok();

    let suspended = json!({ "suspended": true });
    assert_eq!(bed.put(&suspend(id)).by(&root).json(&suspended).await.ok(), suspended);
    assert_eq!(bed.get(&suspend(id)).by(&root).await.ok(), suspended);
    bed.get(WHOAMI).by(&alice).await.ok();
    let room = bed.post("/_matrix/client/v3/createRoom").by(&alice).json(&json!({}));
    room.await.refused(403, "M_USER_SUSPENDED");
    bed.put(&suspend(id)).by(&root).json(&json!({ "suspended": false })).await.ok();
    bed.post("/_matrix/client/v3/createRoom").by(&alice).json(&json!({})).await.ok();
    for body in [json!({}), json!({ "locked": "yes" })] {
        bed.put(&lock(id)).by(&root).json(&body).await.refused(400, "M_BAD_JSON");
    }
}

#[tokio::test(start_paused = true)]
async fn b8_129_administrators_decide_neither_about_each_other_nor_themselves() {
    let bed = Bed::new().await;
    let (root, other) = (admin(&bed, "boss").await, admin(&bed, "other").await);
    for path in [lock(other.id.as_str()), suspend(other.id.as_str())] {
        bed.get(&path).by(&root).await.refused(403, "M_FORBIDDEN");
    }
    for user in [&root, &other] {
        let body = json!({ "locked": true, "suspended": true });
        bed.put(&lock(user.id.as_str())).by(&root).json(&body).await.refused(403, "M_FORBIDDEN");
        bed.put(&suspend(user.id.as_str())).by(&root).json(&body).await.refused(403, "M_FORBIDDEN");
        bed.get(WHOAMI).by(user).await.ok();
    }
    assert_eq!(bed.get(&lock(root.id.as_str())).by(&root).await.ok(), json!({ "locked": false }));
}

/// Who is there is told to administrators only: a user gets the same answer for everybody.
#[tokio::test(start_paused = true)]
async fn b8_129_whoever_is_no_administrator_is_told_nothing() {
    let bed = Bed::new().await;
    let (root, alice) = (admin(&bed, "boss").await, bed.user("alice").await);
    bed.user("bob").await;
    for (user, status, errcode) in [
        ("@bob:plop.example", 200, None),
        ("@nobody:plop.example", 404, Some("M_NOT_FOUND")),
        ("@bob:elsewhere.example", 400, Some("M_INVALID_PARAM")),
    ] {
        for path in [lock(user), suspend(user)] {
            bed.get(&path).by(&alice).await.refused(403, "M_FORBIDDEN");
            let body = json!({ "locked": true, "suspended": true });
            bed.put(&path).by(&alice).json(&body).await.refused(403, "M_FORBIDDEN");
            let told = bed.get(&path).by(&root).await;
            assert_eq!((told.status.as_u16(), told.body["errcode"].as_str()), (status, errcode));
        }
        bed.get(&whois(user)).by(&alice).await.refused(403, "M_FORBIDDEN");
    }
    assert_eq!(capability(&bed, &alice).await, None);
    assert_eq!(capability(&bed, &root).await, Some(json!({ "lock": true, "suspend": true })));
    plop_bed::deactivate(&bed.api.accounts, &alice.actor(), false).await.expect("deactivated");
    bed.get(&lock(alice.id.as_str())).by(&root).await.refused(404, "M_NOT_FOUND");
    bed.get(&whois(alice.id.as_str())).by(&root).await.refused(404, "M_NOT_FOUND");
    // The flag counts as long as it is there.
    bed.api.accounts.decide(&Actor::Server, &root.id, Decision::Admin(false)).await.expect("a decision");
    bed.get(&lock("@bob:plop.example")).by(&root).await.refused(403, "M_FORBIDDEN");
}

/// Row 129 of the hostile input: the flag is worth as much as the account.
#[tokio::test(start_paused = true)]
async fn row_129_an_administrator_who_is_locked_suspended_or_gone_decides_nothing() {
    let bed = Bed::new().await;
    let bob = bed.user("bob").await;
    let body = json!({ "locked": true, "suspended": true });
    let decided = async |by: &User, status: u16, errcode: &str| {
        for path in [lock(bob.id.as_str()), suspend(bob.id.as_str())] {
            bed.get(&path).by(by).await.refused(status, errcode);
            bed.put(&path).by(by).json(&body).await.refused(status, errcode);
        }
        bed.get(WHOAMI).by(&bob).await.ok();
    };
    for (name, decision, status, errcode) in [
        ("locked", Decision::Locked(true), 401, "M_USER_LOCKED"),
        ("suspended", Decision::Suspended(true), 403, "M_USER_SUSPENDED"),
    ] {
        let root = admin(&bed, name).await;
        bed.api.accounts.decide(&Actor::Server, &root.id, decision).await.expect("a decision");
        decided(&root, status, errcode).await;
    }
    let root = admin(&bed, "gone").await;
    plop_bed::deactivate(&bed.api.accounts, &root.actor(), false).await.expect("deactivated");
    decided(&root, 401, "M_UNKNOWN_TOKEN").await;
}

#[tokio::test(start_paused = true)]
async fn whois_shows_where_and_with_what_each_device_was_seen() {
    let bed = Bed::new().await;
    let (root, alice) = (admin(&bed, "boss").await, bed.user("alice").await);
    let unseen = bed.get(&whois(alice.id.as_str())).by(&root).await.ok();
    assert_eq!(
        unseen,
        json!({ "user_id": alice.id, "devices": { "PHONE": { "sessions": [{ "connections": [] }] } } })
    );
    let mut call = bed.get(WHOAMI).by(&alice).from("::ffff:203.0.113.7");
    let name = format!("Element/1.0 {}", "x".repeat(500));
    call.request.headers_mut().insert(USER_AGENT, name.parse().expect("a header"));
    call.await.ok();
    bed.pass(1).await;
    for user in [&root, &alice] {
        let body = bed.get(&whois(alice.id.as_str())).by(user).await.ok();
        let connections = &body["devices"]["PHONE"]["sessions"][0]["connections"];
        assert_eq!(connections[0]["ip"], "203.0.113.7");
        assert_eq!(connections[0]["user_agent"], name[..255]);
        assert!(connections[0]["last_seen"].is_u64() && connections.get(1).is_none(), "{body}");
    }
}
