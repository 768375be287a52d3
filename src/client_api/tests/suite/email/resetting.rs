//! A new password by mail.

use plop_accounts::moderation::Decision;
use plop_base::Actor;
use serde_json::{Value, json};

use super::{LIST, LOGIN, PASSWORDS, Post, TO_ADD, TO_RESET, WHOAMI, asking, proof};
use crate::bed::PASSWORD;

fn reset(sid: &str, secret: &str) -> Value {
    json!({ "new_password": "new", "auth": proof(sid, secret) })
}

async fn logs_in(post: &Post, password: &str) -> bool {
    let identifier = json!({ "type": "m.id.user", "user": "alice" });
    let body = json!({ "type": "m.login.password", "identifier": identifier, "password": password });
    post.bed.post(LOGIN).json(&body).await.status == 200
}

#[tokio::test(start_paused = true)]
async fn b8_122_who_has_lost_the_password_sets_a_new_one_by_mail_and_sessions_end() {
    let post = Post::new().await;
    let alice = post.bed.user("alice").await;
    post.give(&alice, "alice@example.com").await;
    let challenge = post.bed.post(PASSWORDS).json(&json!({ "new_password": "new" })).await.challenged();
    assert_eq!(challenge["flows"], json!([{ "stages": ["m.login.email.identity"] }]));
    let sid = post.ask(TO_RESET, &asking("alice@example.com", "reset")).await;
    let early = post.bed.post(PASSWORDS).json(&reset(&sid, "reset")).await.challenged();
    assert_eq!(early["errcode"], "M_UNAUTHORIZED");
    post.follow(&post.mail()).await;
    for (sid, secret) in [(&*sid, "guess"), ("guess", "reset")] {
        let refused = post.bed.post(PASSWORDS).json(&reset(sid, secret)).await.challenged();
        assert_eq!(refused["errcode"], "M_UNAUTHORIZED");
    }
    assert_eq!(post.bed.post(PASSWORDS).json(&reset(&sid, "reset")).await.ok(), json!({}));
    post.bed.get(WHOAMI).by(&alice).await.refused(401, "M_UNKNOWN_TOKEN");
    assert!(logs_in(&post, "new").await && !logs_in(&post, PASSWORD).await);
    // Once.
    post.bed.post(PASSWORDS).json(&reset(&sid, "reset")).await.challenged();
}

#[tokio::test(start_paused = true)]
async fn sessions_stay_if_the_client_asks_for_it() {
    let post = Post::new().await;
    let alice = post.bed.user("alice").await;
    post.give(&alice, "alice@example.com").await;
    let sid = post.prove(TO_RESET, "alice@example.com", "reset").await;
    let mut body = reset(&sid, "reset");
    body["logout_devices"] = json!(false);
    post.bed.post(PASSWORDS).json(&body).await.ok();
    post.bed.get(WHOAMI).by(&alice).await.ok();
    assert!(logs_in(&post, "new").await);
}

#[tokio::test(start_paused = true)]
async fn b8_122_the_address_must_be_the_accounts_still() {
    let post = Post::new().await;
    let (alice, bob) = (post.bed.user("alice").await, post.bed.user("bob").await);
    post.give(&alice, "alice@example.com").await;
    let sid = post.prove(TO_RESET, "alice@example.com", "reset").await;
    let delete = json!({ "medium": "email", "address": "alice@example.com" });
    post.bed.post(&format!("{LIST}/delete")).by(&alice).json(&delete).await.ok();
    // Somebody else has it now: neither account gets the password.
    post.give(&bob, "alice@example.com").await;
    post.bed.post(PASSWORDS).json(&reset(&sid, "reset")).await.refused(404, "M_NOT_FOUND");
    post.bed.get(WHOAMI).by(&alice).await.ok();
    post.bed.get(WHOAMI).by(&bob).await.ok();
    // A proof for an address is none for a password.
    let sid = post.prove(TO_ADD, "other@example.com", "add").await;
    let refused = post.bed.post(PASSWORDS).json(&reset(&sid, "add")).await.challenged();
    assert_eq!(refused["errcode"], "M_UNAUTHORIZED");
}

#[tokio::test(start_paused = true)]
async fn b8_117_a_locked_account_gets_no_new_password() {
    let post = Post::new().await;
    let alice = post.bed.user("alice").await;
    post.give(&alice, "alice@example.com").await;
    let sid = post.prove(TO_RESET, "alice@example.com", "reset").await;
    let accounts = &post.bed.api.accounts;
    accounts.decide(&Actor::Server, &alice.id, Decision::Locked(true)).await.expect("a decision");
    post.bed.post(PASSWORDS).json(&reset(&sid, "reset")).await.refused(401, "M_USER_LOCKED");
}

/// Who has a session proves the old password, as before.
#[tokio::test(start_paused = true)]
async fn b8_120_a_session_does_not_replace_the_old_password_by_a_mail() {
    let post = Post::new().await;
    let alice = post.bed.user("alice").await;
    post.give(&alice, "alice@example.com").await;
    let sid = post.prove(TO_RESET, "alice@example.com", "reset").await;
    let refused = post.bed.post(PASSWORDS).by(&alice).json(&reset(&sid, "reset")).await.challenged();
    assert_eq!(refused["flows"], json!([{ "stages": ["m.login.password"] }]));
    assert_eq!(refused["errcode"], "M_UNRECOGNIZED");
    let weak = json!({ "new_password": "", "auth": proof(&sid, "reset") });
    post.bed.post(PASSWORDS).json(&weak).await.refused(400, "M_WEAK_PASSWORD");
    post.bed
        .post(PASSWORDS)
        .token("made up")
        .json(&reset(&sid, "reset"))
        .await
        .refused(401, "M_UNKNOWN_TOKEN");
}
