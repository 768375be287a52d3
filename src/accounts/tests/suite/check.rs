//! What `plop check` asks of the accounts: it holds after everything that happens to them, and each row that is gone is missed.

use std::time::Duration;

use plop_accounts::account_data::Subject;
use plop_accounts::check::reference_checks;
use plop_accounts::schema::{
    AccessTokens, AccountData, AccountDataChanges, DeviceTokens, Devices, OpenIdTokenEnds, OpenIdTokens,
    OpenIdTokensOfUser, PusherOwners, Pushers, RefreshTokens, Users,
};
use plop_db::{Batch, Db, Direction, KeyRange, Keyspace};
use serde_json::json;

use crate::bed::{Bed, PASSWORD, actor, address, id, refreshable};

/// Alice has one of everything, Bob had it, Carol has gone.
async fn lived() -> Bed {
    let bed = Bed::new();
    for name in ["alice", "bob", "carol"] {
        bed.create(name).await;
        let login = bed.login_on(name, PASSWORD, "192.0.2.1", refreshable("PHONE")).await.expect("a login");
        let (actor, user) = (actor(&login), id(name));
        let refreshed = bed.accounts.refresh(login.tokens.refresh.as_deref().expect("a token")).await;
        let access = refreshed.expect("new tokens").access;
        bed.accounts.authenticate(&access, Some(address("192.0.2.1").into())).await.expect("a session");
        let accounts = &bed.accounts;
        accounts.set_profile_field(&actor, &user, "displayname", &json!(name)).await.expect("a field");
        for kind in ["org.example", "org.other", "org.example"] {
            let subject = Subject { user: &user, room: None, kind };
            let content = crate::bed::json(r#"{"a": 1}"#);
            accounts.set_account_data(&actor, &subject, &content).await.expect("account data");
        }
        accounts.add_filter(&actor, &user, &crate::bed::json("{}")).await.expect("a filter");
        accounts.set_pusher(&actor, crate::pushers::pusher(name)).await.expect("a pusher");
        accounts.make_openid_token(&actor, &user).await.expect("a token");
        match name {
            "bob" => drop(accounts.logout_all(&actor).await.expect("a logout")),
            "carol" => plop_bed::deactivate(accounts, &actor, true).await.expect("the end"),
            _ => {}
        }
        bed.clock.sleep(Duration::from_secs(60)).await;
    }
    bed
}

/// What is wrong: the name of each check that found something, once.
async fn problems(db: &Db) -> Vec<String> {
    let report = db.check(&reference_checks()).await;
    let mut places: Vec<String> = report.problems.into_iter().map(|problem| problem.place).collect();
    places.dedup();
    places
}

/// The checks that miss the first row of a keyspace.
async fn problems_without_first<K: Keyspace>() -> Vec<String> {
    let bed = lived().await;
    let found = bed.db.snapshot().scan(KeyRange::<K>::all(), Direction::Forward, 1).await.expect("read");
    let mut batch = Batch::durable();
    batch.delete::<K>(&found.rows.first().expect("a row").0);
    bed.db.commit(batch).await.expect("committed");
    problems(&bed.db).await
}

#[tokio::test(start_paused = true)]
async fn rows_agree_with_each_other() {
    assert_eq!(problems(&lived().await.db).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_missing_row_is_missed() {
    let of_users = [
        "profiles of users",
        "devices of users",
        "account data of users",
        "totals of users",
        "filters of users",
        "pushers of users",
    ];
    assert_eq!(problems_without_first::<Users>().await, of_users);
    let of_devices = ["devices last seen", "tokens of devices", "devices of pushers"];
    assert_eq!(problems_without_first::<Devices>().await, of_devices);
    assert_eq!(problems_without_first::<Pushers>().await, ["owners of pushers"]);
    assert_eq!(problems_without_first::<PusherOwners>().await, ["owners of pushers"]);
    assert_eq!(problems_without_first::<AccessTokens>().await, ["tokens of devices"]);
    assert_eq!(problems_without_first::<RefreshTokens>().await, ["tokens of devices"]);
    assert_eq!(problems_without_first::<AccountData>().await, ["changes of account data"]);
    assert_eq!(problems_without_first::<AccountDataChanges>().await, ["changes of account data"]);
    assert_eq!(problems_without_first::<OpenIdTokens>().await, ["tokens with an end"]);
    assert_eq!(problems_without_first::<OpenIdTokenEnds>().await, ["ends of tokens"]);
    assert_eq!(problems_without_first::<OpenIdTokensOfUser>().await, ["tokens of users"]);
    // A token of either kind.
    let listed = problems_without_first::<DeviceTokens>().await;
    assert!(listed == ["access tokens"] || listed == ["refresh tokens"], "{listed:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_deactivated_user_still_has_is_found() {
    let bed = lived().await;
    let mut row = bed.db.snapshot().get::<Users>(&id("alice")).await.expect("read").expect("a user");
    let gone = bed.db.snapshot().get::<Users>(&id("carol")).await.expect("read").expect("a user");
    row.deactivated = gone.deactivated;
    let mut batch = Batch::durable();
    batch.put::<Users>(&id("alice"), &row);
    bed.db.commit(batch).await.expect("committed");
    assert_eq!(problems(&bed.db).await.len(), 6);
}
