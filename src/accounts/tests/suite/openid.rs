//! OpenID tokens.

use plop_accounts::moderation::Decision;
use plop_accounts::openid::{MAX_TOKENS, OpenIdError};
use plop_accounts::schema::{OpenIdTokenEnds, OpenIdTokens, OpenIdTokensOfUser};
use plop_base::Actor;
use plop_db::{Direction, KeyRange};
use ruma::UserId;

use crate::bed::{Bed, actor, id};

async fn make(bed: &Bed, actor: &Actor, user: &UserId) -> String {
    let made = bed.accounts.make_openid_token(actor, user).await.expect("a token");
    assert_eq!(made.expires_in.as_secs(), 3_600);
    made.token
}

async fn is_known(bed: &Bed, token: &str) -> bool {
    match bed.accounts.openid_user(token).await {
        Ok(_) => true,
        Err(OpenIdError::UnknownToken) => false,
        Err(error) => panic!("{error}"),
    }
}

/// Rows of each keyspace.
async fn rows(bed: &Bed) -> [usize; 3] {
    let snapshot = bed.db.snapshot();
    let tokens = snapshot.scan(KeyRange::<OpenIdTokens>::all(), Direction::Forward, 1_000).await;
    let ends = snapshot.scan(KeyRange::<OpenIdTokenEnds>::all(), Direction::Forward, 1_000).await;
    let of_users = snapshot.scan(KeyRange::<OpenIdTokensOfUser>::all(), Direction::Forward, 1_000).await;
    [tokens.expect("rows").rows.len(), ends.expect("rows").rows.len(), of_users.expect("rows").rows.len()]
}

#[tokio::test(start_paused = true)]
async fn a_token_says_whose_it_is_for_an_hour_and_opens_nothing() {
    let bed = Bed::new();
    let (alice, user) = (actor(&bed.user("alice").await), id("alice"));
    let token = make(&bed, &alice, &user).await;
    let bed = bed.restarted();
    assert_eq!(bed.accounts.openid_user(&token).await.expect("a user"), user);
    assert!(!bed.is_valid(&token).await, "it is no access token");
    assert!(!is_known(&bed, "").await && !is_known(&bed, &token[1..]).await);
    // Nobody has one for somebody else.
    let refused = bed.accounts.make_openid_token(&alice, &id("bob")).await;
    assert!(matches!(refused, Err(OpenIdError::Forbidden(_))));
    bed.pass(3_599).await;
    assert!(is_known(&bed, &token).await);
    bed.pass(1).await;
    assert!(!is_known(&bed, &token).await);
}

#[tokio::test(start_paused = true)]
async fn tokens_end_with_the_account_and_say_nothing_while_it_is_locked() {
    let bed = Bed::new();
    let (alice, user) = (actor(&bed.user("alice").await), id("alice"));
    let token = make(&bed, &alice, &user).await;
    for locked in [true, false] {
        bed.accounts.decide(&Actor::Server, &user, Decision::Locked(locked)).await.expect("decided");
        assert_eq!(is_known(&bed, &token).await, !locked);
    }
    plop_bed::deactivate(&bed.accounts, &alice, false).await.expect("the end");
    assert!(!is_known(&bed, &token).await);
    assert_eq!(rows(&bed).await, [0; 3]);
    let late = bed.accounts.make_openid_token(&alice, &user).await;
    assert!(matches!(late, Err(OpenIdError::NoAccount)));
}

#[tokio::test(start_paused = true)]
async fn a_user_has_so_many_and_those_that_ended_are_swept() {
    let bed = Bed::new();
    let (alice, user) = (actor(&bed.user("alice").await), id("alice"));
    let (bob, other) = (actor(&bed.user("bob").await), id("bob"));
    let of_bob = make(&bed, &bob, &other).await;
    let mut tokens = Vec::new();
    for _ in 0..=MAX_TOKENS {
        tokens.push(make(&bed, &alice, &user).await);
        bed.pass(1).await;
    }
    assert_eq!(rows(&bed).await, [MAX_TOKENS + 1; 3]);
    assert!(!is_known(&bed, &tokens[0]).await, "the first one made room");
    assert!(is_known(&bed, &tokens[1]).await && is_known(&bed, &of_bob).await);
    // Whoever asks sweeps.
    bed.pass(3_600).await;
    for _ in 0..10 {
        make(&bed, &bob, &other).await;
    }
    assert_eq!(rows(&bed).await, [10; 3]);
}
