//! Who gets an account, and under which names.

use plop_accounts::parameters::RegistrationMode;
use plop_accounts::registration::{NewAccount, RegisterError};
use plop_accounts::registration_tokens::{NewRegistrationToken, RegistrationTokenError};
use plop_accounts::sessions::NewDevice;
use plop_accounts::uia::{Authorized, Failure, Proof, Stage, Submission, UiaError, UiaOperation, UiaRequest};
use plop_accounts::username::UsernameError;
use plop_accounts::{Accounts, Parameters};
use plop_base::{Actor, UnixMillis};

use crate::bed::{Bed, account, actor, address, id, json, parameters};

fn by_token() -> Parameters {
    Parameters { registration: RegistrationMode::Token, ..parameters() }
}

/// Shows a registration token.
async fn show(accounts: &Accounts, token: &str, from: &str) -> Result<Authorized, UiaError> {
    let body = json("{}");
    let flows = [vec![Stage::RegistrationToken]];
    let operation = UiaOperation::Register;
    let request = UiaRequest { actor: None, operation, body: &body, flows: &flows, from: address(from) };
    let proof = Some(Proof::RegistrationToken(token.to_owned()));
    accounts.authorize(&request, Some(Submission { session: None, proof })).await
}

fn is_invalid_token(outcome: &Result<Authorized, UiaError>) -> bool {
    matches!(outcome, Err(UiaError::Challenge(challenge))
        if challenge.failure == Some(Failure::InvalidRegistrationToken))
}

async fn dummy(accounts: &Accounts) -> Authorized {
    let (body, flows) = (json("{}"), [vec![Stage::Dummy]]);
    let operation = UiaOperation::Register;
    let from = address("192.0.2.1");
    let request = UiaRequest { actor: None, operation, body: &body, flows: &flows, from };
    let submission = Submission { session: None, proof: Some(Proof::Dummy) };
    accounts.authorize(&request, Some(submission)).await.expect("authorised")
}

#[tokio::test(start_paused = true)]
async fn an_account_with_its_first_session_is_registered() {
    let bed = Bed::new();
    let device = Some(NewDevice::default());
    let registered = bed.accounts.register(dummy(&bed.accounts).await, account("Alice", device)).await;
    let registered = registered.expect("an account");
    assert_eq!(registered.user, id("alice"));
    let bed = bed.restarted();
    assert!(bed.is_valid(&registered.login.expect("a session").tokens.access).await);
    let chosen = bed.accounts.register(dummy(&bed.accounts).await, NewAccount::default()).await;
    let chosen = chosen.expect("an account");
    assert_eq!(chosen.user.localpart().len(), 12);
    assert_eq!(chosen.login, None);
}

#[tokio::test(start_paused = true)]
async fn b8_126_registration_is_by_token_by_default_and_can_be_closed() {
    assert_eq!(Parameters::default().registration, RegistrationMode::Token);
    let bed = Bed::with(Parameters { registration: RegistrationMode::Closed, ..parameters() });
    assert!(matches!(bed.accounts.registration_flows(), Err(RegisterError::Closed)));
    let from = address("192.0.2.1");
    assert!(matches!(
        bed.accounts.check_registration(Some("alice"), Some(from)).await,
        Err(RegisterError::Closed)
    ));
    let valid = bed.accounts.registration_token_is_valid("x", from).await;
    assert!(matches!(valid, Err(RegistrationTokenError::Closed)));
    let authorized = dummy(&bed.accounts).await;
    let refused = bed.accounts.register(authorized, account("alice", None)).await;
    assert!(matches!(refused, Err(RegisterError::Closed)));
}

#[tokio::test(start_paused = true)]
async fn b8_126_taken_and_reserved_names_are_refused_in_every_case() {
    let bed = Bed::new();
    bed.create("alice").await;
    for name in ["alice", "Alice", "ALICE"] {
        let refused = bed.accounts.register(dummy(&bed.accounts).await, account(name, None)).await;
        assert!(matches!(refused, Err(RegisterError::InUse)), "{name}");
        let refused = bed.accounts.check_registration(Some(name), Some(address("192.0.2.1"))).await;
        assert!(matches!(refused, Err(RegisterError::InUse)), "{name}");
        bed.pass(60).await;
    }
    for name in ["server", "Server", "root"] {
        let refused = bed.accounts.register(dummy(&bed.accounts).await, account(name, None)).await;
        assert!(matches!(refused, Err(RegisterError::Username(UsernameError::Reserved))), "{name}");
    }
    let refused = bed.accounts.register(dummy(&bed.accounts).await, account("a b", None)).await;
    assert!(matches!(refused, Err(RegisterError::Username(UsernameError::Invalid))));
}

#[tokio::test(start_paused = true)]
async fn b8_126_of_two_registrations_of_one_name_exactly_one_wins() {
    let bed = Bed::new();
    for round in 0..20 {
        let name = format!("user{round}");
        let make = || bed.accounts.create_account(&Actor::Server, account(&name, None), false);
        let (a, b, c) = tokio::join!(make(), make(), make());
        let won = [a, b, c].into_iter().filter(|outcome| match outcome {
            Ok(_) => true,
            Err(RegisterError::InUse) => false,
            Err(error) => panic!("{error}"),
        });
        assert_eq!(won.count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn b8_125_no_registration_makes_an_administrator() {
    let bed = Bed::new();
    let registered = bed.accounts.register(dummy(&bed.accounts).await, account("first", None)).await;
    let user = registered.expect("an account").user;
    assert!(!bed.accounts.account(&user).await.expect("read").expect("a user").admin);
    let login = bed.user("alice").await;
    let refused = bed.accounts.create_account(&actor(&login), account("bob", None), true).await;
    assert!(matches!(refused, Err(RegisterError::Forbidden(_))));
}

#[tokio::test(start_paused = true)]
async fn a_registration_token_makes_as_many_accounts_as_it_allows() {
    let bed = Bed::with(by_token());
    let new = NewRegistrationToken { uses_allowed: Some(2), ..NewRegistrationToken::default() };
    let token = bed.accounts.create_registration_token(&Actor::Server, new).await.expect("a token");
    for name in ["alice", "bob"] {
        let shown = show(&bed.accounts, &token, "192.0.2.1").await.expect("authorised");
        bed.accounts.register(shown, account(name, None)).await.expect("an account");
    }
    assert!(is_invalid_token(&show(&bed.accounts, &token, "192.0.2.1").await));
    assert!(is_invalid_token(&show(&bed.accounts, "unknown", "192.0.2.1").await));
    assert!(is_invalid_token(&show(&bed.restarted().accounts, &token, "192.0.2.1").await));
}

#[tokio::test(start_paused = true)]
async fn a_failed_registration_costs_no_use() {
    let bed = Bed::with(by_token());
    bed.create("alice").await;
    let new = NewRegistrationToken { uses_allowed: Some(1), ..NewRegistrationToken::default() };
    let token = bed.accounts.create_registration_token(&Actor::Server, new).await.expect("a token");
    let shown = show(&bed.accounts, &token, "192.0.2.1").await.expect("authorised");
    let refused = bed.accounts.register(shown, account("alice", None)).await;
    assert!(matches!(refused, Err(RegisterError::InUse)));
    let shown = show(&bed.accounts, &token, "192.0.2.1").await.expect("authorised");
    bed.accounts.register(shown, account("bob", None)).await.expect("an account");
}

#[tokio::test(start_paused = true)]
async fn two_who_hold_the_last_use_make_one_account() {
    let bed = Bed::with(by_token());
    let new = NewRegistrationToken { uses_allowed: Some(1), ..NewRegistrationToken::default() };
    let token = bed.accounts.create_registration_token(&Actor::Server, new).await.expect("a token");
    let first = show(&bed.accounts, &token, "192.0.2.1").await.expect("authorised");
    // The first one's session has ended, its account is not there yet.
    let second = show(&bed.accounts, &token, "192.0.2.1").await.expect("authorised");
    let (a, b) = tokio::join!(
        bed.accounts.register(first, account("alice", None)),
        bed.accounts.register(second, account("bob", None))
    );
    let outcomes = [a, b];
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.iter().any(|outcome| matches!(outcome, Err(RegisterError::TokenSpent))));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_has_shown_the_last_use_holds_it_until_it_ends() {
    let bed = Bed::with(by_token());
    let new = NewRegistrationToken { uses_allowed: Some(1), ..NewRegistrationToken::default() };
    let token = bed.accounts.create_registration_token(&Actor::Server, new).await.expect("a token");
    // A flow with one more stage leaves the session open.
    let (body, flows) = (json("{}"), [vec![Stage::RegistrationToken, Stage::Dummy]]);
    let from = address("192.0.2.1");
    let operation = UiaOperation::Register;
    let request = UiaRequest { actor: None, operation, body: &body, flows: &flows, from };
    let proof = Some(Proof::RegistrationToken(token.clone()));
    let held = bed.accounts.authorize(&request, Some(Submission { session: None, proof })).await;
    assert!(matches!(held, Err(UiaError::Challenge(challenge)) if challenge.failure.is_none()));
    assert!(is_invalid_token(&show(&bed.accounts, &token, "192.0.2.1").await));
    assert!(!bed.accounts.registration_token_is_valid(&token, from).await.expect("an answer"));
    bed.pass(15 * 60).await;
    assert!(bed.accounts.registration_token_is_valid(&token, from).await.expect("an answer"));
    assert!(show(&bed.accounts, &token, "192.0.2.1").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_registration_token_expires() {
    let bed = Bed::with(by_token());
    let expires = Some(UnixMillis(1_700_000_060_000));
    let new = NewRegistrationToken { token: Some("beta".to_owned()), expires, uses_allowed: None };
    bed.accounts.create_registration_token(&Actor::Server, new.clone()).await.expect("a token");
    let again = bed.accounts.create_registration_token(&Actor::Server, new).await;
    assert!(matches!(again, Err(RegistrationTokenError::Exists)));
    assert!(show(&bed.accounts, "beta", "192.0.2.1").await.is_ok());
    bed.pass(60).await;
    assert!(is_invalid_token(&show(&bed.accounts, "beta", "192.0.2.1").await));
    assert!(bed.accounts.delete_registration_token(&Actor::Server, "beta").await.expect("an answer"));
    assert!(!bed.accounts.delete_registration_token(&Actor::Server, "beta").await.expect("an answer"));
}

#[tokio::test(start_paused = true)]
async fn tokens_are_opaque_identifiers_and_only_managers_make_them() {
    let bed = Bed::with(by_token());
    let login = bed.user("alice").await;
    let refused =
        bed.accounts.create_registration_token(&actor(&login), NewRegistrationToken::default()).await;
    assert!(matches!(refused, Err(RegistrationTokenError::Forbidden(_))));
    for token in ["", "a b", "é", &"x".repeat(65)] {
        let new = NewRegistrationToken { token: Some(token.to_owned()), ..NewRegistrationToken::default() };
        let refused = bed.accounts.create_registration_token(&Actor::Server, new).await;
        assert!(matches!(refused, Err(RegistrationTokenError::Invalid)), "{token:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn b8_124_the_first_start_makes_one_token_for_one_user() {
    let bed = Bed::with(by_token());
    let token = bed.accounts.first_registration_token().await.expect("read").expect("a token");
    assert_eq!(token.len(), 43);
    let bed = bed.restarted();
    assert_eq!(bed.accounts.first_registration_token().await.expect("read"), Some(token.clone()));
    let shown = show(&bed.accounts, &token, "192.0.2.1").await.expect("authorised");
    bed.accounts.register(shown, account("alice", None)).await.expect("an account");
    assert_eq!(bed.accounts.first_registration_token().await.expect("read"), None);
    assert!(is_invalid_token(&show(&bed.accounts, &token, "192.0.2.1").await));
}

#[tokio::test(start_paused = true)]
async fn b8_116_names_and_tokens_cannot_be_tried_without_limit() {
    let bed = Bed::with(by_token());
    let from = address("192.0.2.1");
    let mut limited = 0;
    for attempt in 0..50 {
        let name = bed.accounts.check_registration(Some(&format!("user{attempt}")), Some(from)).await;
        limited += u32::from(matches!(name, Err(RegisterError::Limited(_))));
        let token = bed.accounts.registration_token_is_valid("guess", from).await;
        limited += u32::from(matches!(token, Err(RegistrationTokenError::Limited(_))));
    }
    assert_eq!(limited, 70);
    assert!(matches!(show(&bed.accounts, "guess", "192.0.2.1").await, Err(UiaError::Limited(_))));
    assert!(is_invalid_token(&show(&bed.accounts, "guess", "192.0.2.2").await));
}
