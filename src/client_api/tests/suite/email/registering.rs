//! Registration with an e-mail address.

use plop_accounts::parameters::EmailAtRegistration;
use serde_json::{Value, json};

use super::{Post, REGISTER, TO_REGISTER, TO_RESET, asking, proof};
use crate::bed::{PASSWORD, User};
use crate::fallback::{Shown, path};

fn register(name: &str, session: &Value, mut auth: Value) -> Value {
    auth["session"] = session.clone();
    json!({ "username": name, "password": PASSWORD, "auth": auth })
}

fn user(body: &Value) -> User {
    let text = |key: &str| body[key].as_str().expect("text").to_owned();
    User {
        id: text("user_id").try_into().expect("a user"),
        device: text("device_id").as_str().into(),
        token: text("access_token"),
    }
}

async fn required() -> Post {
    Post::with(|email| email.at_registration = EmailAtRegistration::Required).await
}

#[tokio::test(start_paused = true)]
async fn an_address_is_proven_before_there_is_an_account() {
    let post = required().await;
    let challenge = post.bed.post(REGISTER).json(&json!({ "username": "alice" })).await.challenged();
    assert_eq!(challenge["flows"], json!([{ "stages": ["m.login.email.identity"] }]));
    let session = &challenge["session"];
    let sid = post.ask(TO_REGISTER, &asking("alice@example.com", "secret")).await;
    // The client asks again and again until the link was followed; only the first time is an attempt.
    let body = register("alice", session, proof(&sid, "secret"));
    for _ in 0..100 {
        let answer = post.bed.post(REGISTER).json(&body).await.challenged();
        assert_eq!((&answer["errcode"], &answer["session"]), (&json!("M_UNAUTHORIZED"), session));
    }
    post.follow(&post.mail()).await;
    let alice = user(&post.bed.post(REGISTER).json(&body).await.ok());
    assert_eq!(post.addresses(&alice).await, ["alice@example.com"]);
    // It is hers: a second account does not get it.
    let sid = post.ask(TO_REGISTER, &asking("alice@example.com", "other")).await;
    post.mail();
    let again = register("bob", &json!(null), proof(&sid, "other"));
    post.bed.post(REGISTER).json(&again).await.challenged();
}

/// What is asked again is one request: names are not listed that way.
#[tokio::test(start_paused = true)]
async fn b8_116_a_repetition_has_the_same_body() {
    let post = required().await;
    let challenge = post.bed.post(REGISTER).json(&json!({})).await.challenged();
    let session = &challenge["session"];
    let sid = post.ask(TO_REGISTER, &asking("alice@example.com", "secret")).await;
    post.bed.post(REGISTER).json(&register("alice", session, proof(&sid, "secret"))).await.challenged();
    let mut limited = 0;
    for number in 0..40 {
        let body = register(&format!("user{number}"), session, proof(&sid, "secret"));
        limited += u32::from(post.bed.post(REGISTER).json(&body).await.status == 429);
    }
    assert!(limited > 5, "{limited}");
}

#[tokio::test(start_paused = true)]
async fn an_address_may_be_given_where_none_is_asked_for() {
    let post = Post::with(|email| email.at_registration = EmailAtRegistration::Optional).await;
    let challenge = post.bed.post(REGISTER).json(&json!({})).await.challenged();
    let stages = |stage: &str| json!({ "stages": [stage] });
    assert_eq!(challenge["flows"], json!([stages("m.login.dummy"), stages("m.login.email.identity")]));
    let dummy = json!({ "type": "m.login.dummy" });
    let alice = post.bed.post(REGISTER).json(&register("alice", &challenge["session"], dummy)).await.ok();
    assert!(post.addresses(&user(&alice)).await.is_empty());
    let sid = post.prove(TO_REGISTER, "bob@example.com", "secret").await;
    let bob = post.bed.post(REGISTER).json(&register("bob", &json!(null), proof(&sid, "secret"))).await;
    assert_eq!(post.addresses(&user(&bob.ok())).await, ["bob@example.com"]);
}

#[tokio::test(start_paused = true)]
async fn b8_122_a_proof_registers_one_account_and_only_of_its_own_kind() {
    let post = required().await;
    let sid = post.prove(TO_REGISTER, "alice@example.com", "secret").await;
    let first = register("alice", &json!(null), proof(&sid, "secret"));
    post.bed.post(REGISTER).json(&first).await.ok();
    let second = register("bob", &json!(null), proof(&sid, "secret"));
    assert_eq!(post.bed.post(REGISTER).json(&second).await.challenged()["errcode"], "M_UNAUTHORIZED");
    let sid = post.prove(TO_RESET, "alice@example.com", "reset").await;
    let third = register("carol", &json!(null), proof(&sid, "reset"));
    assert_eq!(post.bed.post(REGISTER).json(&third).await.challenged()["errcode"], "M_UNAUTHORIZED");
}

/// A client that does not know the stage leads to a page, which asks for the mail itself.
#[tokio::test(start_paused = true)]
async fn an_address_is_proven_on_a_page() {
    let post = required().await;
    let challenge = post.bed.post(REGISTER).json(&json!({ "username": "alice" })).await.challenged();
    let session = challenge["session"].as_str().expect("text");
    let page = path("m.login.email.identity", session);
    assert!(Shown::of(post.bed.get(&page)).await.text.contains("name=\"address\""));
    let wrong = Shown::of(post.bed.post(&page).text("address=nobody")).await;
    assert!(wrong.status == 400 && wrong.text.contains("name=\"address\""), "{}", wrong.text);
    let sent = Shown::of(post.bed.post(&page).text("address=alice%40example.com")).await;
    let (_, sid) = sent.text.split_once("value=\"").expect("a hidden field");
    let sid = sid.split('"').next().expect("an id");
    let mail = post.mail();
    let confirmed = format!("sid={sid}");
    let early = Shown::of(post.bed.post(&page).text(confirmed.clone())).await;
    assert!(early.status == 400 && early.text.contains("was not confirmed"), "{}", early.text);
    let hostile = Shown::of(post.bed.post(&page).text("sid=%22%3E%3Cscript%3E")).await;
    assert!(hostile.text.contains("value=\"&quot;&gt;&lt;script&gt;\""), "{}", hostile.text);
    post.follow(&mail).await;
    assert!(Shown::of(post.bed.post(&page).text(confirmed)).await.is_done());
    let body = json!({ "username": "alice", "password": PASSWORD, "auth": { "session": session } });
    let alice = user(&post.bed.post(REGISTER).json(&body).await.ok());
    assert_eq!(post.addresses(&alice).await, ["alice@example.com"]);
}
