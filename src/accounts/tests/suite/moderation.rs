//! Locked and suspended users, administrators.

use plop_accounts::login::LoginError;
use plop_accounts::moderation::{Decision, ModerationError};
use plop_accounts::profile::ProfileError;
use plop_accounts::refresh::RefreshError;
use plop_accounts::sessions::{AccountStanding, NewDevice};
use plop_base::Actor;
use serde_json::json;

use crate::bed::{Bed, PASSWORD, actor, id, refreshable};

#[tokio::test(start_paused = true)]
async fn b8_117_a_locked_user_keeps_tokens_and_gets_no_new_ones() {
    let bed = Bed::new();
    bed.create("alice").await;
    let login = bed.login_on("alice", PASSWORD, "192.0.2.1", refreshable("PHONE")).await.expect("a login");
    let (token, _) = plop_bed::login_token(&bed.accounts, &actor(&login)).await;
    let standing =
        async || bed.accounts.authenticate(&login.tokens.access, None).await.expect("a session").standing;
    assert_eq!(standing().await, AccountStanding::Active);
    bed.accounts.decide(&Actor::Server, &id("alice"), Decision::Locked(true)).await.expect("a decision");
    assert_eq!(standing().await, AccountStanding::Locked);
    assert!(matches!(bed.login("alice", PASSWORD, "192.0.2.1").await, Err(LoginError::Locked)));
    assert!(matches!(bed.login("alice", "wrong", "192.0.2.1").await, Err(LoginError::WrongCredentials)));
    let by_token = bed.accounts.login_with_token(&token, NewDevice::default()).await;
    assert!(matches!(by_token, Err(LoginError::Locked)));
    let refresh = login.tokens.refresh.as_deref().expect("a refresh token");
    assert!(matches!(bed.accounts.refresh(refresh).await, Err(RefreshError::Locked)));
    bed.accounts.decide(&Actor::Server, &id("alice"), Decision::Locked(false)).await.expect("a decision");
    assert_eq!(standing().await, AccountStanding::Active);
    bed.accounts.refresh(refresh).await.expect("new tokens");
}

#[tokio::test(start_paused = true)]
async fn b8_117_a_suspended_user_logs_in_and_cannot_change_the_profile() {
    let bed = Bed::new();
    bed.user("alice").await;
    bed.accounts.decide(&Actor::Server, &id("alice"), Decision::Suspended(true)).await.expect("a decision");
    let login = bed.login("alice", PASSWORD, "192.0.2.1").await.expect("a login");
    let session = bed.accounts.authenticate(&login.tokens.access, None).await.expect("a session");
    assert_eq!(session.standing, AccountStanding::Suspended);
    let refused =
        bed.accounts.set_profile_field(&session.actor, &id("alice"), "displayname", &json!("Al")).await;
    assert!(matches!(refused, Err(ProfileError::Suspended)));
}

#[tokio::test(start_paused = true)]
async fn the_administrators_flag_counts_from_the_next_request_on() {
    let bed = Bed::new();
    let login = bed.user("alice").await;
    let admin =
        async || bed.accounts.authenticate(&login.tokens.access, None).await.expect("a session").admin;
    assert!(!admin().await);
    bed.accounts.decide(&Actor::Server, &id("alice"), Decision::Admin(true)).await.expect("a decision");
    assert!(admin().await);
    bed.accounts.decide(&Actor::Server, &id("alice"), Decision::Admin(false)).await.expect("a decision");
    assert!(!admin().await);
}

#[tokio::test(start_paused = true)]
async fn nobody_decides_about_an_account_by_being_a_user() {
    let bed = Bed::new();
    let login = bed.user("alice").await;
    let refused = bed.accounts.decide(&actor(&login), &id("alice"), Decision::Admin(true)).await;
    assert!(matches!(refused, Err(ModerationError::Forbidden(_))));
    let nobody = bed.accounts.decide(&Actor::Server, &id("bob"), Decision::Admin(true)).await;
    assert!(matches!(nobody, Err(ModerationError::NoAccount)));
}
