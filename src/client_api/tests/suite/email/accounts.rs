//! Addresses of accounts.

use plop_base::Actor;
use serde_json::json;

use super::{ADD, LIST, LOGIN, Post, TO_ADD, TO_RESET, adding, asking};
use crate::bed::PASSWORD;

#[tokio::test(start_paused = true)]
async fn an_address_is_added_shown_and_removed() {
    let post = Post::new().await;
    let alice = post.bed.user("alice").await;
    assert_eq!(post.bed.get(LIST).by(&alice).await.ok(), json!({ "threepids": [] }));
    let sid = post.prove(TO_ADD, "Alice@Example.com", "secret").await;
    let mut body = adding(&alice, &sid, "secret");
    let auth = body.as_object_mut().expect("an object").remove("auth").expect("a proof");
    let challenge = post.bed.post(ADD).by(&alice).json(&body).await.challenged();
    assert_eq!(challenge["flows"], json!([{ "stages": ["m.login.password"] }]));
    body["auth"] = auth;
    body["auth"]["session"] = challenge["session"].clone();
    assert_eq!(post.bed.post(ADD).by(&alice).json(&body).await.ok(), json!({}));
    let at = 1_700_000_000_000_u64;
    let shown =
        json!({ "medium": "email", "address": "alice@example.com", "validated_at": at, "added_at": at });
    assert_eq!(post.bed.get(LIST).by(&alice).await.ok(), json!({ "threepids": [shown] }));

    let delete = |medium: &str, address: &str| {
        let body = json!({ "medium": medium, "address": address });
        post.bed.post("/_matrix/client/v3/account/3pid/delete").by(&alice).json(&body)
    };
    let unsupported = json!({ "id_server_unbind_result": "no-support" });
    for (medium, address) in [("msisdn", "alice@example.com"), ("email", "bob@example.com"), ("email", "x")] {
        assert_eq!(delete(medium, address).await.ok(), unsupported);
        assert_eq!(post.addresses(&alice).await, ["alice@example.com"]);
    }
    assert_eq!(delete("email", "ALICE@example.com").await.ok(), unsupported);
    assert!(post.addresses(&alice).await.is_empty());
    // It is free again.
    let bob = post.bed.user("bob").await;
    post.give(&bob, "alice@example.com").await;
}

#[tokio::test(start_paused = true)]
async fn there_is_no_identity_server_to_bind_to() {
    let post = Post::new().await;
    let alice = post.bed.user("alice").await;
    let bind = json!({ "client_secret": "a", "sid": "b", "id_server": "id.example", "id_access_token": "c" });
    let bind = post.bed.post("/_matrix/client/v3/account/3pid/bind").by(&alice).json(&bind);
    bind.await.refused(400, "M_SERVER_NOT_TRUSTED");
    let unbind = json!({ "medium": "email", "address": "alice@example.com", "id_server": "id.example" });
    let unbind = post.bed.post("/_matrix/client/v3/account/3pid/unbind").by(&alice).json(&unbind);
    assert_eq!(unbind.await.ok(), json!({ "id_server_unbind_result": "no-support" }));
}

#[tokio::test(start_paused = true)]
async fn b8_122_a_session_serves_its_client_its_purpose_and_its_address_once() {
    let post = Post::new().await;
    let (alice, bob) = (post.bed.user("alice").await, post.bed.user("bob").await);
    let sid = post.prove(TO_ADD, "alice@example.com", "secret").await;
    let other = post.ask(TO_ADD, &asking("victim@example.com", "secret")).await;
    post.mail();
    for (sid, secret) in [(&*sid, "guess"), ("guess", "secret"), (&*other, "secret")] {
        let refused = post.bed.post(ADD).by(&alice).json(&adding(&alice, sid, secret)).await;
        refused.refused(400, "M_THREEPID_AUTH_FAILED");
    }
    post.bed.post(ADD).by(&alice).json(&adding(&alice, &sid, "secret")).await.ok();
    let again = post.bed.post(ADD).by(&bob).json(&adding(&bob, &sid, "secret")).await;
    again.refused(400, "M_THREEPID_AUTH_FAILED");
    // A proof for a password is none for an address.
    let sid = post.prove(TO_RESET, "alice@example.com", "reset").await;
    let other = post.bed.post(ADD).by(&bob).json(&adding(&bob, &sid, "reset")).await;
    other.refused(400, "M_THREEPID_AUTH_FAILED");
    assert_eq!(
        (post.addresses(&alice).await, post.addresses(&bob).await),
        (vec!["alice@example.com".to_owned()], vec![])
    );
}

#[tokio::test(start_paused = true)]
async fn of_two_who_add_one_address_one_gets_it() {
    let post = Post::new().await;
    let (alice, bob) = (post.bed.user("alice").await, post.bed.user("bob").await);
    let first = post.prove(TO_ADD, "we@example.com", "alice").await;
    let second = post.prove(TO_ADD, "we@example.com", "bob").await;
    let (a, b) = (adding(&alice, &first, "alice"), adding(&bob, &second, "bob"));
    let (a, b) = tokio::join!(async { post.bed.post(ADD).by(&alice).json(&a).await }, async {
        post.bed.post(ADD).by(&bob).json(&b).await
    });
    let (won, lost) = if a.status == 200 { (a, b) } else { (b, a) };
    won.ok();
    lost.refused(400, "M_THREEPID_IN_USE");
    assert_eq!(post.addresses(&alice).await.len() + post.addresses(&bob).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_account_has_so_many_addresses_and_no_more() {
    let post = Post::new().await;
    let alice = post.bed.user("alice").await;
    for number in 0..20 {
        post.give(&alice, &format!("alice{number}@example.com")).await;
        post.bed.pass(60).await;
    }
    let sid = post.prove(TO_ADD, "alice@example.com", "secret").await;
    post.bed.post(ADD).by(&alice).json(&adding(&alice, &sid, "secret")).await.refused(413, "M_TOO_LARGE");
    // The proof is not used up by that: it needs no other mail.
    let body = json!({ "medium": "email", "address": "alice7@example.com" });
    post.bed.post("/_matrix/client/v3/account/3pid/delete").by(&alice).json(&body).await.ok();
    post.bed.post(ADD).by(&alice).json(&adding(&alice, &sid, "secret")).await.ok();
    assert_eq!(post.addresses(&alice).await.len(), 20);
    // Now it is.
    let again = post.bed.post(ADD).by(&alice).json(&adding(&alice, &sid, "secret")).await;
    again.refused(400, "M_THREEPID_AUTH_FAILED");
}

#[tokio::test(start_paused = true)]
async fn users_log_in_by_their_addresses() {
    let post = Post::new().await;
    let alice = post.bed.user("alice").await;
    post.give(&alice, "alice@example.com").await;
    let login = |address: &str, password: &str| {
        let identifier = json!({ "type": "m.id.thirdparty", "medium": "email", "address": address });
        let body = json!({ "type": "m.login.password", "identifier": identifier, "password": password });
        post.bed.post(LOGIN).json(&body)
    };
    assert_eq!(login("Alice@EXAMPLE.com", PASSWORD).await.ok()["user_id"], json!(alice.id));
    // An unknown address and a wrong password look the same.
    let wrong = login("alice@example.com", "wrong").await.refused(403, "M_FORBIDDEN");
    assert_eq!(login("nobody@example.com", PASSWORD).await.refused(403, "M_FORBIDDEN"), wrong);
    assert_eq!(login("x", PASSWORD).await.refused(403, "M_FORBIDDEN"), wrong);
    // So do proofs.
    let bob = post.bed.user("bob").await;
    for (user, answer) in [(&alice, 200), (&bob, 401)] {
        let identifier =
            json!({ "type": "m.id.thirdparty", "medium": "email", "address": "alice@example.com" });
        let auth = json!({ "type": "m.login.password", "identifier": identifier, "password": PASSWORD });
        let body = json!({ "auth": auth });
        let got = post.bed.post("/_matrix/client/v1/login/get_token").by(user).json(&body).await;
        assert_eq!(got.status, answer, "{:?}", got.body);
    }
}

#[tokio::test(start_paused = true)]
async fn b8_135_the_addresses_of_an_ended_account_are_free() {
    let post = Post::new().await;
    let (alice, bob) = (post.bed.user("alice").await, post.bed.user("bob").await);
    post.give(&alice, "alice@example.com").await;
    plop_bed::deactivate(&post.bed.api.accounts, &alice.actor(), true).await.expect("deactivated");
    let left = post.bed.api.accounts.addresses(&Actor::ServerAs { user: alice.id.clone() }).await;
    assert!(left.expect("rows").is_empty());
    post.give(&bob, "alice@example.com").await;
    assert_eq!(post.addresses(&bob).await, ["alice@example.com"]);
}
