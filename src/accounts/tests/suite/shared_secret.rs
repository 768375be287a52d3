//! Registration by the shared secret.

use hmac::{Hmac, KeyInit, Mac};
use plop_accounts::Parameters;
use plop_accounts::shared_secret::{SharedSecretError, SharedSecretRegistration};
use sha1::Sha1;

use crate::bed::{Bed, PASSWORD, parameters};

fn code(secret: &str, message: &str) -> String {
    let mut code = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("a key");
    code.update(message.as_bytes());
    code.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn request(nonce: &str, admin: bool, secret: &str) -> SharedSecretRegistration {
    let flag = if admin { "admin" } else { "notadmin" };
    SharedSecretRegistration {
        nonce: nonce.to_owned(),
        username: "alice".to_owned(),
        password: PASSWORD.into(),
        display_name: Some("Alice".to_owned()),
        admin,
        user_type: None,
        mac: code(secret, &format!("{nonce}\0alice\0{PASSWORD}\0{flag}")),
        device: None,
    }
}

#[tokio::test(start_paused = true)]
async fn who_knows_the_secret_makes_an_administrator() {
    let bed = Bed::new();
    let nonce = bed.accounts.shared_secret_nonce().expect("a nonce");
    let registered = bed.accounts.register_with_shared_secret(request(&nonce, true, "shared")).await;
    let user = registered.expect("an account").user;
    assert!(bed.accounts.account(&user).await.expect("read").expect("a user").admin);
    let name = bed.accounts.profile_field(&user, "displayname").await.expect("read");
    assert_eq!(name.as_deref(), Some("\"Alice\""));
    bed.login("alice", PASSWORD, "192.0.2.1").await.expect("a login");
}

#[tokio::test(start_paused = true)]
async fn b8_124_without_a_configured_secret_there_is_nothing() {
    let bed = Bed::with(Parameters { shared_secret: None, ..parameters() });
    assert!(matches!(bed.accounts.shared_secret_nonce(), Err(SharedSecretError::Off)));
    for secret in ["", "shared", "plop.example"] {
        let refused = bed.accounts.register_with_shared_secret(request("", true, secret)).await;
        assert!(matches!(refused, Err(SharedSecretError::Off)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_code_makes_nothing_and_uses_the_nonce_up() {
    let bed = Bed::new();
    let changed = |change: fn(&mut SharedSecretRegistration)| {
        let nonce = bed.accounts.shared_secret_nonce().expect("a nonce");
        let mut request = request(&nonce, false, "shared");
        change(&mut request);
        request
    };
    for request in [
        changed(|request| request.admin = true),
        changed(|request| request.username = "bob".to_owned()),
        changed(|request| request.password = "other".into()),
        changed(|request| request.user_type = Some("bot".to_owned())),
        changed(|request| request.mac.clear()),
        changed(|request| request.mac.truncate(38)),
        changed(|request| request.mac = "é".repeat(20)),
    ] {
        let refused = bed.accounts.register_with_shared_secret(request.clone()).await;
        assert!(matches!(refused, Err(SharedSecretError::WrongMac)), "{request:?}");
        let again = bed.accounts.register_with_shared_secret(request).await;
        assert!(matches!(again, Err(SharedSecretError::UnknownNonce)));
    }
    let nonce = bed.accounts.shared_secret_nonce().expect("a nonce");
    let refused = bed.accounts.register_with_shared_secret(request(&nonce, false, "other")).await;
    assert!(matches!(refused, Err(SharedSecretError::WrongMac)));
}

#[tokio::test(start_paused = true)]
async fn a_nonce_is_good_for_a_minute_and_one_account() {
    let bed = Bed::new();
    let nonce = bed.accounts.shared_secret_nonce().expect("a nonce");
    bed.pass(60).await;
    let late = bed.accounts.register_with_shared_secret(request(&nonce, false, "shared")).await;
    assert!(matches!(late, Err(SharedSecretError::UnknownNonce)));
    let made_up = bed.accounts.register_with_shared_secret(request("made up", false, "shared")).await;
    assert!(matches!(made_up, Err(SharedSecretError::UnknownNonce)));
}

#[tokio::test(start_paused = true)]
async fn the_user_type_is_part_of_the_code_and_refused() {
    let bed = Bed::new();
    let nonce = bed.accounts.shared_secret_nonce().expect("a nonce");
    let mut typed = request(&nonce, false, "shared");
    typed.user_type = Some("bot".to_owned());
    typed.mac = code("shared", &format!("{nonce}\0alice\0{PASSWORD}\0notadmin\0bot"));
    let refused = bed.accounts.register_with_shared_secret(typed).await;
    assert!(matches!(refused, Err(SharedSecretError::UnsupportedUserType)));
}
