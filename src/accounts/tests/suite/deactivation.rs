//! Accounts that have ended.

use plop_accounts::account_data::Subject;
use plop_accounts::deactivation::{DeactivationError, is_erased};
use plop_accounts::login::LoginError;
use plop_accounts::refresh::RefreshError;
use plop_accounts::registration::RegisterError;
use plop_accounts::schema::{
    AccessTokens, AccountData, AccountDataChanges, AccountDataTotals, AccountEnds, DeviceTokens, Devices,
    Filters, LastSeen, Profiles, RefreshTokens,
};
use plop_accounts::sessions::NewDevice;
use plop_base::Actor;
use plop_db::{Direction, KeyRange, Keyspace};
use serde_json::json;

use crate::bed::{Bed, PASSWORD, account, actor, address, id, json, refreshable};

async fn is_empty<K: Keyspace>(bed: &Bed) -> bool {
    let page = bed.db.snapshot().scan::<K>(KeyRange::all(), Direction::Forward, 1).await.expect("rows");
    page.rows.is_empty()
}

#[tokio::test(start_paused = true)]
async fn b8_135_everything_a_deactivated_user_had_is_gone() {
    for erase in [false, true] {
        let bed = Bed::new();
        bed.create("alice").await;
        let login = bed.login_on("alice", PASSWORD, "192.0.2.1", refreshable("PHONE")).await;
        let login = login.expect("a login");
        let (alice, user) = (actor(&login), id("alice"));
        let seen = bed.accounts.authenticate(&login.tokens.access, Some(address("192.0.2.1").into())).await;
        seen.expect("a session");
        bed.accounts.set_profile_field(&alice, &user, "displayname", &json!("Al")).await.expect("a field");
        let subject = Subject { user: &user, room: None, kind: "org.example" };
        bed.accounts.set_account_data(&alice, &subject, &json("{}")).await.expect("account data");
        bed.accounts.add_filter(&alice, &user, &json("{}")).await.expect("a filter");
        let (login_token, _) = plop_bed::login_token(&bed.accounts, &alice).await;

        plop_bed::deactivate(&bed.accounts, &alice, erase).await.expect("a deactivation");
        assert!(is_empty::<Devices>(&bed).await && is_empty::<LastSeen>(&bed).await);
        assert!(is_empty::<AccessTokens>(&bed).await && is_empty::<RefreshTokens>(&bed).await);
        assert!(is_empty::<DeviceTokens>(&bed).await && is_empty::<Profiles>(&bed).await);
        assert!(is_empty::<AccountData>(&bed).await && is_empty::<AccountDataChanges>(&bed).await);
        assert!(is_empty::<AccountDataTotals>(&bed).await && is_empty::<Filters>(&bed).await);
        assert!(!is_empty::<AccountEnds>(&bed).await, "others are told of it");
        assert_eq!(is_erased(&bed.db.snapshot(), &user).await, Ok(erase));
        assert_eq!(bed.accounts.profile(&user).await, Ok(None));

        for bed in [&bed, &bed.restarted()] {
            assert!(!bed.is_valid(&login.tokens.access).await);
        }
        let by_token = bed.accounts.login_with_token(&login_token, NewDevice::default()).await;
        assert!(matches!(by_token, Err(LoginError::Deactivated)));
    }
}

#[tokio::test(start_paused = true)]
async fn b8_117_a_deactivated_user_is_told_so_with_the_right_password_only() {
    let bed = Bed::new();
    bed.create("alice").await;
    let login = bed.login_on("alice", PASSWORD, "192.0.2.1", refreshable("PHONE")).await.expect("a login");
    plop_bed::deactivate(&bed.accounts, &actor(&login), true).await.expect("a deactivation");
    assert!(matches!(bed.login("alice", PASSWORD, "192.0.2.1").await, Err(LoginError::Deactivated)));
    assert!(matches!(bed.login("alice", "wrong", "192.0.2.1").await, Err(LoginError::WrongCredentials)));
    let refresh = login.tokens.refresh.as_deref().expect("a refresh token");
    assert!(matches!(bed.accounts.refresh(refresh).await, Err(RefreshError::Unknown)));
    // Nor does the account come back by another way.
    let again = plop_bed::deactivate(&bed.accounts, &actor(&login), false).await;
    assert!(matches!(again, Err(DeactivationError::NoAccount)));
    let named = bed.accounts.create_account(&Actor::Server, account("alice", None), false).await;
    assert!(matches!(named, Err(RegisterError::InUse)));
    let field =
        bed.accounts.set_profile_field(&actor(&login), &id("alice"), "displayname", &json!("A")).await;
    assert!(field.is_err());
    assert!(plop_bed::change_password(&bed.accounts, &actor(&login), "new", true).await.is_err());
}
