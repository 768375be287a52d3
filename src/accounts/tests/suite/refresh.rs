//! Refresh tokens: expiry, lost replies, reuse.

use std::time::Duration;

use plop_accounts::Parameters;
use plop_accounts::refresh::RefreshError;
use plop_accounts::sessions::{IssuedTokens, TokenError};

use crate::bed::{Bed, PASSWORD, actor, parameters, refreshable};

async fn logged_in(bed: &Bed) -> IssuedTokens {
    bed.create("alice").await;
    let login = bed.login_on("alice", PASSWORD, "192.0.2.1", refreshable("PHONE")).await;
    login.expect("a login").tokens
}

async fn refresh(bed: &Bed, tokens: &IssuedTokens) -> Result<IssuedTokens, RefreshError> {
    bed.accounts.refresh(tokens.refresh.as_deref().expect("a refresh token")).await
}

#[tokio::test(start_paused = true)]
async fn an_access_token_expires_and_is_refreshed() {
    let bed = Bed::new();
    let first = logged_in(&bed).await;
    assert_eq!(first.expires_in, Some(Duration::from_secs(3_600)));
    assert!(bed.is_valid(&first.access).await);
    bed.pass(3_600).await;
    for accounts in [&bed.accounts, &bed.restarted().accounts] {
        let expired = accounts.authenticate(&first.access, None).await;
        assert!(matches!(expired, Err(TokenError::Expired)));
    }
    let second = refresh(&bed, &first).await.expect("new tokens");
    assert!(bed.is_valid(&second.access).await);
}

#[tokio::test(start_paused = true)]
async fn b8_123_a_lost_reply_can_be_asked_for_again_until_the_new_token_is_used() {
    let bed = Bed::new();
    let first = logged_in(&bed).await;
    let lost = refresh(&bed, &first).await.expect("new tokens");
    let second = refresh(&bed, &first).await.expect("new tokens again");
    // Until then the old access token is good, for the requests that are under way.
    assert!(bed.is_valid(&first.access).await);
    assert!(bed.is_valid(&second.access).await);
    assert!(!bed.is_valid(&first.access).await);
    assert!(bed.is_valid(&lost.access).await);
}

#[tokio::test(start_paused = true)]
async fn b8_123_a_proven_reuse_revokes_the_family() {
    for by_refresh in [false, true] {
        let bed = Bed::new();
        let first = logged_in(&bed).await;
        let second = refresh(&bed, &first).await.expect("new tokens");
        let newest = if by_refresh {
            refresh(&bed, &second).await.expect("new tokens")
        } else {
            assert!(bed.is_valid(&second.access).await);
            second.clone()
        };
        let bed = bed.restarted();
        assert!(matches!(refresh(&bed, &first).await, Err(RefreshError::Reused)));
        for tokens in [&first, &second, &newest] {
            assert!(!bed.is_valid(&tokens.access).await);
            assert!(matches!(refresh(&bed, tokens).await, Err(RefreshError::Unknown)));
        }
        // The device is still there to log in to.
        let login = bed.login_on("alice", PASSWORD, "192.0.2.1", refreshable("PHONE")).await;
        let login = login.expect("a login");
        assert_eq!(bed.accounts.devices(&actor(&login)).await.expect("devices").len(), 1);
        assert!(bed.is_valid(&login.tokens.access).await);
        refresh(&bed, &login.tokens).await.expect("new tokens");
    }
}

#[tokio::test(start_paused = true)]
async fn b8_123_parallel_refreshes_all_get_tokens_that_work() {
    let bed = Bed::new();
    let first = logged_in(&bed).await;
    let (a, b, c) = tokio::join!(refresh(&bed, &first), refresh(&bed, &first), refresh(&bed, &first));
    for tokens in [a, b, c] {
        assert!(bed.is_valid(&tokens.expect("new tokens").access).await);
    }
    assert!(matches!(refresh(&bed, &first).await, Err(RefreshError::Reused)));
}

#[tokio::test(start_paused = true)]
async fn b8_123_no_token_refreshes_after_a_logout() {
    let bed = Bed::new();
    bed.create("alice").await;
    let login = bed.login_on("alice", PASSWORD, "192.0.2.1", refreshable("PHONE")).await.expect("a login");
    let second = refresh(&bed, &login.tokens).await.expect("new tokens");
    bed.accounts.logout(&actor(&login)).await.expect("a logout");
    for tokens in [&login.tokens, &second] {
        assert!(matches!(refresh(&bed, tokens).await, Err(RefreshError::Unknown)));
        assert!(!bed.is_valid(&tokens.access).await);
    }
}

#[tokio::test(start_paused = true)]
async fn repeated_refreshes_keep_a_bounded_number_of_tokens() {
    let bed = Bed::new();
    let first = logged_in(&bed).await;
    for _ in 0..100 {
        refresh(&bed, &first).await.expect("new tokens");
    }
    assert!(stored_tokens(&bed).await <= 2 + 16);
}

#[tokio::test(start_paused = true)]
async fn used_refresh_tokens_are_remembered_for_some_generations_only() {
    let bed = Bed::new();
    let first = logged_in(&bed).await;
    let mut tokens = first.clone();
    for _ in 0..40 {
        tokens = refresh(&bed, &tokens).await.expect("new tokens");
        assert!(bed.is_valid(&tokens.access).await);
    }
    assert!(stored_tokens(&bed).await <= 2 + 17);
    assert!(matches!(refresh(&bed, &first).await, Err(RefreshError::Unknown)));
    assert!(bed.is_valid(&tokens.access).await);
}

async fn stored_tokens(bed: &Bed) -> usize {
    let range = plop_db::KeyRange::<plop_accounts::schema::DeviceTokens>::all();
    let page = bed.db.snapshot().scan(range, plop_db::Direction::Forward, 1_000).await.expect("rows");
    page.rows.len()
}

#[tokio::test(start_paused = true)]
async fn an_unused_refresh_token_expires_if_configured() {
    let lifetime = Duration::from_secs(86_400);
    let bed = Bed::with(Parameters { refresh_token_lifetime: Some(lifetime), ..parameters() });
    let first = logged_in(&bed).await;
    bed.pass(86_399).await;
    let second = refresh(&bed, &first).await.expect("new tokens");
    bed.pass(86_400).await;
    assert!(matches!(refresh(&bed, &second).await, Err(RefreshError::Expired)));
}

#[tokio::test(start_paused = true)]
async fn an_access_token_is_no_refresh_token_and_the_reverse() {
    let bed = Bed::new();
    let tokens = logged_in(&bed).await;
    assert!(matches!(bed.accounts.refresh(&tokens.access).await, Err(RefreshError::Unknown)));
    assert!(matches!(bed.accounts.refresh("").await, Err(RefreshError::Unknown)));
    assert!(!bed.is_valid(tokens.refresh.as_deref().expect("a refresh token")).await);
}
