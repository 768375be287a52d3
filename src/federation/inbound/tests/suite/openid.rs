//! OpenID tokens, as services look them up.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use plop_accounts::Accounts;
use plop_accounts::sessions::NewDevice;
use plop_base::Actor;
use plop_bed::{Ground, account, id, parameters};
use tower::ServiceExt as _;

/// What is said of a token: the status, and the body.
async fn userinfo(router: &Router, query: &str) -> (u16, String) {
    let uri = format!("/_matrix/federation/v1/openid/userinfo{query}");
    let request = Request::get(uri).body(Body::empty()).expect("a request");
    let answer = router.clone().oneshot(request).await.expect("an answer");
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8(body.to_vec()).expect("text"))
}

async fn alice(accounts: &Accounts) -> Actor {
    let device = NewDevice { id: Some("PHONE".into()), ..NewDevice::default() };
    let made = accounts.create_account(&Actor::Server, account("alice", Some(device)), false).await;
    let login = made.expect("an account").login.expect("a session");
    Actor::User { user: login.user, device: login.device }
}

#[tokio::test(start_paused = true)]
async fn a_service_learns_whose_a_token_is_until_it_ends() {
    let ground = Ground::new(plop_accounts::schema::KEYSPACES.to_vec(), 2);
    let accounts = plop_bed::accounts(&ground, parameters());
    let router = plop_federation_inbound::router(accounts.clone());
    let made = accounts.make_openid_token(&alice(&accounts).await, &id("alice")).await.expect("a token");
    let query = format!("?access_token={}", made.token);
    let known = (200, r#"{"sub":"@alice:plop.example"}"#.to_owned());
    assert_eq!(userinfo(&router, &query).await, known);
    assert_eq!(userinfo(&router, &query).await, known, "it may be asked for again");

    for (query, errcode) in [
        ("", "M_MISSING_TOKEN"),
        ("?access_token=", "M_MISSING_TOKEN"),
        ("?access_token=a&access_token=b", "M_MISSING_TOKEN"),
        ("?access_token=%FF", "M_UNKNOWN_TOKEN"),
        ("?access_token=unknown", "M_UNKNOWN_TOKEN"),
    ] {
        let (status, body) = userinfo(&router, query).await;
        assert!(status == 401 && body.contains(errcode), "{query}: {status} {body}");
    }
    ground.clock.sleep(Duration::from_secs(3_600)).await;
    let (status, body) = userinfo(&router, &query).await;
    assert!(status == 401 && body.contains("M_UNKNOWN_TOKEN"), "{status} {body}");
}
