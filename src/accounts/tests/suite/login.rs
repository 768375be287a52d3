//! Logins, and the limits on trying.

use plop_accounts::Parameters;
use plop_accounts::login::LoginError;
use plop_accounts::passwords::PasswordCost;
use plop_accounts::sessions::{AccountStanding, DeviceRejected, NewDevice, TokenError};
use plop_base::Actor;

use crate::bed::{Bed, PASSWORD, actor, address, id, parameters};

const HERE: &str = "192.0.2.1";

#[tokio::test(start_paused = true)]
async fn a_login_opens_a_session_that_survives_a_restart() {
    let bed = Bed::new();
    bed.create("alice").await;
    let login = bed.login("alice", PASSWORD, HERE).await.expect("a login");
    for accounts in [&bed.accounts, &bed.restarted().accounts] {
        let session = accounts.authenticate(&login.tokens.access, None).await.expect("a session");
        assert_eq!(session.actor, Actor::User { user: id("alice"), device: login.device.clone() });
        assert_eq!((session.admin, session.standing), (false, AccountStanding::Active));
    }
    assert_eq!(login.tokens.refresh, None);
    assert_eq!(login.tokens.expires_in, None);
    let full = bed.login("@ALICE:plop.example", PASSWORD, HERE).await.expect("a login");
    assert_eq!(full.user, id("alice"));
    assert_ne!(full.device, login.device);
}

#[tokio::test(start_paused = true)]
async fn b8_116_an_absent_user_is_answered_like_a_wrong_password() {
    let bed = Bed::new();
    bed.create("alice").await;
    for (user, password) in [
        ("alice", "wrong"),
        ("alice", ""),
        ("bob", PASSWORD),
        ("@alice:elsewhere.example", PASSWORD),
        ("@alice", PASSWORD),
        ("", ""),
    ] {
        let refused = bed.login(user, password, HERE).await;
        assert!(matches!(refused, Err(LoginError::WrongCredentials)), "{user}: {refused:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn b8_118_an_empty_or_unknown_token_matches_no_record() {
    let bed = Bed::new();
    let login = bed.user("alice").await;
    let token = &login.tokens.access;
    let cut = &token[1..];
    for unknown in ["", " ", "Bearer", cut, &format!("{token} "), &token.to_lowercase()] {
        let refused = bed.accounts.authenticate(unknown, None).await;
        assert!(matches!(refused, Err(TokenError::Unknown)), "{unknown:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn b8_124_tokens_have_256_bits_and_are_nowhere_in_the_store() {
    let bed = Bed::new();
    let login = bed.user("alice").await;
    let other = bed.login("alice", PASSWORD, HERE).await.expect("a login");
    assert_eq!(login.tokens.access.len(), 43);
    assert_ne!(login.tokens.access, other.tokens.access);
    assert_eq!(format!("{:?}", login.tokens), "IssuedTokens(..)");
    let stored = bed.db.snapshot();
    let range = plop_db::KeyRange::<plop_accounts::schema::AccessTokens>::all();
    let page = stored.scan(range, plop_db::Direction::Forward, 10).await.expect("rows");
    assert_eq!(page.rows.len(), 2);
    let printed = format!("{:?}", page.rows);
    assert!(!printed.contains(&login.tokens.access));
}

#[tokio::test(start_paused = true)]
async fn b8_115_ten_thousand_logins_on_one_user_are_limited_and_its_home_stays_open() {
    let bed = Bed::new();
    let phone = bed.user("alice").await;
    bed.accounts.authenticate(&phone.tokens.access, Some(address(HERE).into())).await.expect("a session");
    let (mut wrong, mut limited) = (0, 0);
    for attempt in 0..10_000_u32 {
        let from = format!("198.51.{}.{}", attempt / 250 % 250, attempt % 250);
        match bed.login("alice", "guess", &from).await {
            Err(LoginError::WrongCredentials) => wrong += 1,
            Err(LoginError::Limited(refused)) => {
                assert!(!refused.retry_after.is_zero());
                limited += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((wrong, limited), (10, 9_990));
    bed.login("alice", PASSWORD, HERE).await.expect("a login at home");
    assert!(matches!(bed.login("alice", PASSWORD, "203.0.113.1").await, Err(LoginError::Limited(_))));
    bed.pass(20).await;
    bed.login("alice", PASSWORD, "203.0.113.1").await.expect("a login, later");
}

#[tokio::test(start_paused = true)]
async fn b8_115_logins_from_one_network_on_many_users_are_limited() {
    let bed = Bed::new();
    let mut passed = 0;
    for attempt in 0..1_000_u32 {
        let from = format!("2001:db8:0:1:{attempt:x}::1");
        match bed.login(&format!("user{attempt}"), "guess", &from).await {
            Err(LoginError::WrongCredentials) => passed += 1,
            Err(LoginError::Limited(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(passed, 30);
}

#[tokio::test(start_paused = true)]
async fn b8_115_logins_spread_over_users_and_networks_are_limited() {
    let bed = Bed::new();
    let mut passed = 0;
    for attempt in 0..2_000_u32 {
        let from = format!("2001:db8:{attempt:x}::1");
        match bed.login(&format!("user{attempt}"), "guess", &from).await {
            Err(LoginError::WrongCredentials) => passed += 1,
            Err(LoginError::Limited(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(passed, 500);
}

#[tokio::test(start_paused = true)]
async fn a_login_on_a_known_device_keeps_its_name_and_ends_its_tokens() {
    let bed = Bed::new();
    bed.create("alice").await;
    let named = |name: &str| NewDevice {
        id: Some("LAPTOP".into()),
        display_name: Some(name.to_owned()),
        refreshable: false,
    };
    let first = bed.login_on("alice", PASSWORD, HERE, named("Laptop")).await.expect("a login");
    assert!(bed.is_valid(&first.tokens.access).await);
    let second = bed.login_on("alice", PASSWORD, HERE, named("Other")).await.expect("a login");
    assert!(!bed.is_valid(&first.tokens.access).await);
    assert!(bed.is_valid(&second.tokens.access).await);
    let devices = bed.accounts.devices(&actor(&second)).await.expect("devices");
    assert_eq!(devices.len(), 1);
    assert_eq!(devices[0].display_name.as_deref(), Some("Laptop"));
}

#[tokio::test(start_paused = true)]
async fn devices_that_cannot_be_are_refused_before_anything_else() {
    let bed = Bed::new();
    let long = NewDevice { id: Some("x".repeat(256).as_str().into()), ..NewDevice::default() };
    let empty = NewDevice { id: Some("".into()), ..NewDevice::default() };
    let name = NewDevice { display_name: Some("x".repeat(1_025)), ..NewDevice::default() };
    for (device, rejected) in [
        (long, DeviceRejected::InvalidId),
        (empty, DeviceRejected::InvalidId),
        (name, DeviceRejected::NameTooLong),
    ] {
        match bed.login_on("alice", PASSWORD, HERE, device).await {
            Err(LoginError::Device(error)) => assert_eq!(error, rejected),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hash_of_another_cost_is_made_anew_at_login() {
    let bed = Bed::new();
    bed.create("alice").await;
    let cost = PasswordCost { iterations: 2, ..parameters().passwords };
    let dearer = Bed::with(Parameters { passwords: cost, ..parameters() });
    // The same rows under the other parameters.
    let row = bed.accounts.account(&id("alice")).await.expect("read").expect("a user");
    let mut batch = plop_db::Batch::durable();
    batch.put::<plop_accounts::schema::Users>(&id("alice"), &row);
    dearer.db.commit(batch).await.expect("a commit");
    for _ in 0..2 {
        dearer.login("alice", PASSWORD, HERE).await.expect("a login");
        let row = dearer.accounts.account(&id("alice")).await.expect("read").expect("a user");
        assert!(row.password.expect("a hash").starts_with("$argon2id$v=19$m=8,t=2,p=1$"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_changed_password_ends_the_other_sessions_if_asked() {
    let bed = Bed::new();
    let phone = bed.user("alice").await;
    let laptop = bed.login("alice", PASSWORD, HERE).await.expect("a login");
    for token in [&phone.tokens.access, &laptop.tokens.access] {
        assert!(bed.is_valid(token).await);
    }
    let gone =
        plop_bed::change_password(&bed.accounts, &actor(&phone), "new", false).await.expect("a change");
    assert!(gone.is_empty() && bed.is_valid(&laptop.tokens.access).await);
    let gone =
        plop_bed::change_password(&bed.accounts, &actor(&phone), "newer", true).await.expect("a change");
    assert_eq!(gone, [laptop.device]);
    assert!(!bed.is_valid(&laptop.tokens.access).await);
    assert!(bed.is_valid(&phone.tokens.access).await);
    assert!(matches!(bed.login("alice", PASSWORD, HERE).await, Err(LoginError::WrongCredentials)));
    bed.login("alice", "newer", HERE).await.expect("a login");
    for rejected in ["", &"x".repeat(1_025)] {
        assert!(plop_bed::change_password(&bed.accounts, &actor(&phone), rejected, false).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn b8_121_a_password_is_stored_as_its_hash_only() {
    let bed = Bed::new();
    let phone = bed.user("alice").await;
    plop_bed::change_password(&bed.accounts, &actor(&phone), "tell nobody", true).await.expect("a change");
    let row = bed.accounts.account(&id("alice")).await.expect("read").expect("a user");
    let hash = row.password.expect("a hash");
    assert!(hash.starts_with("$argon2id$") && !hash.contains("tell nobody") && !hash.contains(PASSWORD));
    // No other row of the user has text that the user gave.
    let page = bed
        .db
        .snapshot()
        .scan(plop_db::KeyRange::<plop_accounts::schema::Devices>::all(), plop_db::Direction::Forward, 10)
        .await
        .expect("rows");
    assert!(!format!("{:?}", page.rows).contains("tell nobody"));
}

#[tokio::test(start_paused = true)]
async fn a_login_token_lets_another_device_in_once_and_for_two_minutes() {
    let bed = Bed::new();
    let phone = bed.user("alice").await;
    let (token, _) = plop_bed::login_token(&bed.accounts, &actor(&phone)).await;
    let laptop = bed.accounts.login_with_token(&token, NewDevice::default()).await.expect("a login");
    assert_eq!(laptop.user, id("alice"));
    for _ in 0..2 {
        let again = bed.accounts.login_with_token(&token, NewDevice::default()).await;
        assert!(matches!(again, Err(LoginError::WrongCredentials)));
    }
    let (late, lifetime) = plop_bed::login_token(&bed.accounts, &actor(&phone)).await;
    bed.pass(lifetime.as_secs()).await;
    let refused = bed.accounts.login_with_token(&late, NewDevice::default()).await;
    assert!(matches!(refused, Err(LoginError::WrongCredentials)));
}
