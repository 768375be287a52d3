//! Mails, their links, and how often they may be asked for.

use plop_accounts::mailer::MailText;
use serde_json::json;

use super::{ADD, PAGE, Post, TO_ADD, TO_REGISTER, TO_RESET, adding, asking, page};
use crate::bed::Bed;

#[tokio::test(start_paused = true)]
async fn a_repetition_sends_no_mail_and_the_next_attempt_sends_the_same_link() {
    let post = Post::new().await;
    let mut body = asking("Alice@Example.com", "secret");
    let sid = post.ask(TO_ADD, &body).await;
    let first = post.mail();
    assert_eq!(first.to.as_str(), "alice@example.com");
    assert_eq!(post.ask(TO_ADD, &body).await, sid);
    assert!(post.mailbox.take().is_empty());
    body["send_attempt"] = json!(2);
    body["email"] = json!("alice@EXAMPLE.com");
    assert_eq!(post.ask(TO_ADD, &body).await, sid);
    assert_eq!(post.mail(), first);
    // Another client has another session.
    assert_ne!(post.ask(TO_ADD, &asking("alice@example.com", "other")).await, sid);
    assert!(sid.len() <= 255 && sid.bytes().all(|byte| byte.is_ascii_alphanumeric()));
}

/// Else the first mail's link is dead.
#[tokio::test(start_paused = true)]
async fn equal_requests_at_the_same_time_send_one_mail() {
    let post = Post::new().await;
    let body = asking("alice@example.com", "secret");
    let (first, second) = tokio::join!(post.ask(TO_ADD, &body), post.ask(TO_ADD, &body));
    assert_eq!(first, second);
    post.follow(&post.mail()).await;
}

/// Row 132 of the hostile input: nobody has the page in a frame.
#[tokio::test(start_paused = true)]
async fn row_132_the_page_asks_before_it_confirms_and_is_in_no_frame() {
    let post = Post::new().await;
    let alice = post.bed.user("alice").await;
    let sid = post.ask(TO_ADD, &asking("alice@example.com", "secret")).await;
    let path = page(&post.mail());
    for _ in 0..3 {
        let shown = post.bed.get(&path).await;
        assert_eq!(shown.status, 200);
        assert_eq!(shown.header("x-frame-options"), Some("DENY"));
        assert!(
            shown.header("content-security-policy").expect("a policy").contains("frame-ancestors 'none'")
        );
        assert_eq!(shown.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(shown.header("cache-control"), Some("no-store"));
        assert!(shown.header("content-type").expect("a type").starts_with("text/html"));
    }
    let add = || post.bed.post(ADD).by(&alice).json(&adding(&alice, &sid, "secret"));
    // Whoever looked at the page has confirmed nothing.
    add().await.refused(400, "M_THREEPID_AUTH_FAILED");
    assert_eq!(post.bed.post(&path).await.status, 200);
    add().await.ok();
    // A link serves once.
    assert_eq!(post.bed.post(&path).await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn b8_122_a_token_is_neither_guessed_nor_valid_for_ever() {
    let post = Post::new().await;
    let sid = post.ask(TO_ADD, &asking("alice@example.com", "secret")).await;
    let path = page(&post.mail());
    for _ in 0..9 {
        assert_eq!(post.bed.post(&format!("{PAGE}?sid={sid}&token=guess")).await.status, 404);
    }
    assert_eq!(post.bed.get(&path).await.status, 200);
    post.bed.post(&format!("{PAGE}?sid={sid}&token=guess")).await;
    assert_eq!(post.bed.get(&path).await.status, 404, "the session has ended");
    assert_eq!(post.bed.get(&format!("{PAGE}?sid=x&token=y")).await.status, 404);
    post.bed.get(PAGE).await.refused(400, "M_MISSING_PARAM");

    post.ask(TO_ADD, &asking("bob@example.com", "secret")).await;
    let path = page(&post.mail());
    post.bed.pass(60 * 60).await;
    assert_eq!(post.bed.post(&path).await.status, 404, "an hour is over");
}

#[tokio::test(start_paused = true)]
async fn the_page_leads_to_where_the_administrator_allows() {
    let post = Post::new().await;
    for link in [
        "https://evil.example/",
        "https://app.example.evil.example/",
        "https://app.example@evil.example/",
        "http://app.example/",
        "javascript:alert(1)",
        "https://app.example/\r\nSet-Cookie: a=b",
        "//app.example/",
    ] {
        let mut body = asking("alice@example.com", "secret");
        body["next_link"] = json!(link);
        post.bed.post(TO_ADD).json(&body).await.refused(400, "M_INVALID_PARAM");
    }
    assert!(post.mailbox.take().is_empty());
    let mut body = asking("alice@example.com", "secret");
    body["next_link"] = json!("https://app.example/#/register?sid=1");
    post.ask(TO_ADD, &body).await;
    let answer = post.bed.post(&page(&post.mail())).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("location")),
        (303, Some("https://app.example/#/register?sid=1"))
    );
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_request_for_a_mail_is_refused() {
    let post = Post::new().await;
    for (key, value) in [
        ("email", json!("alice")),
        ("email", json!("alice@example.com\r\nBcc: eve@example.com")),
        ("email", json!("alıce@example.com")),
        ("client_secret", json!("")),
        ("client_secret", json!("a b")),
        ("client_secret", json!("x".repeat(256))),
    ] {
        let mut body = asking("alice@example.com", "secret");
        body[key] = value;
        post.bed.post(TO_ADD).json(&body).await.refused(400, "M_INVALID_PARAM");
    }
    for key in ["email", "client_secret", "send_attempt"] {
        let mut body = asking("alice@example.com", "secret");
        body.as_object_mut().expect("an object").remove(key);
        post.bed.post(TO_ADD).json(&body).await.refused(400, "M_BAD_JSON");
    }
    // Registration takes no addresses here.
    let body = asking("alice@example.com", "secret");
    post.bed.post(TO_REGISTER).json(&body).await.refused(400, "M_THREEPID_MEDIUM_NOT_SUPPORTED");
    for path in [TO_ADD, TO_REGISTER, TO_RESET] {
        let body = json!({ "client_secret": "a", "country": "GB", "phone_number": "1", "send_attempt": 1 });
        let path = path.replace("email", "msisdn");
        post.bed.post(&path).json(&body).await.refused(400, "M_THREEPID_MEDIUM_NOT_SUPPORTED");
    }
    assert!(post.mailbox.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn b8_116_mails_to_an_address_and_from_a_network_are_limited() {
    let post = Post::new().await;
    let ask = |address: &str, attempt: u32, from: &str| {
        let mut body = asking(address, "secret");
        body["send_attempt"] = json!(attempt);
        post.bed.post(TO_ADD).from(from).json(&body)
    };
    for attempt in 1..=3 {
        ask("alice@example.com", attempt, &format!("198.51.100.{attempt}")).await.ok();
    }
    ask("alice@example.com", 4, "198.51.100.9").await.refused(429, "M_LIMIT_EXCEEDED");
    // A repetition costs nothing.
    ask("alice@example.com", 3, "198.51.100.9").await.ok();
    for name in 0..10 {
        ask(&format!("user{name}@example.com"), 1, "2001:db8::1").await.ok();
    }
    ask("bob@example.com", 1, "2001:db8::ffff").await.refused(429, "M_LIMIT_EXCEEDED");
    assert_eq!(post.mailbox.take().len(), 13);
}

/// Row 116 of the hostile input: who has an account is told to nobody but who reads the mail.
#[tokio::test(start_paused = true)]
async fn b8_116_nobody_learns_from_an_answer_whether_an_address_has_an_account() {
    let post =
        Post::with(|email| email.at_registration = plop_accounts::parameters::EmailAtRegistration::Optional)
            .await;
    let alice = post.bed.user("alice").await;
    post.give(&alice, "alice@example.com").await;
    for path in [TO_ADD, TO_REGISTER, TO_RESET] {
        let mut texts = Vec::new();
        for address in ["alice@example.com", "nobody@example.com"] {
            let answer = post.bed.post(path).json(&asking(address, "other")).await;
            assert_eq!(answer.body.as_object().expect("an object").len(), 1);
            assert_eq!(answer.ok()["sid"].as_str().expect("an id").len(), 64);
            texts.push(post.mail().says);
        }
        let known = &texts[0];
        match path {
            TO_RESET => {
                assert!(matches!(known, MailText::ConfirmPasswordReset { user, .. } if *user == alice.id));
                assert_eq!(texts[1], MailText::AddressUnknown);
            }
            _ => assert_eq!(*known, MailText::AddressInUse { user: alice.id.clone() }),
        }
        post.bed.pass(60 * 60).await;
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_administrator_allows_it_clients_are_told_at_once() {
    let post = Post::with(|email| email.hides_accounts = false).await;
    let alice = post.bed.user("alice").await;
    post.give(&alice, "alice@example.com").await;
    let in_use = post.bed.post(TO_ADD).json(&asking("alice@example.com", "other")).await;
    in_use.refused(400, "M_THREEPID_IN_USE");
    let unknown = post.bed.post(TO_RESET).json(&asking("nobody@example.com", "other")).await;
    unknown.refused(400, "M_THREEPID_NOT_FOUND");
    assert!(post.mailbox.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn without_a_mail_server_there_are_no_addresses() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    for path in [TO_ADD, TO_REGISTER, TO_RESET] {
        let refused = bed.post(path).json(&asking("alice@example.com", "secret")).await;
        refused.refused(400, "M_THREEPID_MEDIUM_NOT_SUPPORTED");
    }
    let body = bed.get("/_matrix/client/v3/capabilities").by(&alice).await.ok();
    assert_eq!(body["capabilities"]["m.3pid_changes"], json!({ "enabled": false }));
    let post = Post::new().await;
    let alice = post.bed.user("alice").await;
    let body = post.bed.get("/_matrix/client/v3/capabilities").by(&alice).await.ok();
    assert_eq!(body["capabilities"]["m.3pid_changes"], json!({ "enabled": true }));
}
