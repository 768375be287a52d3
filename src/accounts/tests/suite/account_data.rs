//! What users keep here, by user, room and type.

use plop_accounts::account_data::{
    AccountDataError, MAX_ACCOUNT_DATA_BYTES, MAX_ACCOUNT_DATA_ROWS, MAX_ACCOUNT_DATA_TOTAL_BYTES, Subject,
    account_data_changes, all_account_data,
};
use plop_accounts::schema::{AccountDataChanges, AccountDataTotals, AccountDataTotalsRow};
use plop_base::Actor;
use plop_db::{Batch, Position};
use ruma::{room_id, user_id};

use crate::bed::{Bed, actor, id, json};

#[tokio::test(start_paused = true)]
async fn account_data_is_kept_by_user_room_and_type() {
    let bed = Bed::new();
    let (alice, user) = (actor(&bed.user("alice").await), id("alice"));
    let room = room_id!("!room:plop.example");
    let global = Subject { user: &user, room: None, kind: "org.example" };
    let in_room = Subject { room: Some(room), ..global.clone() };
    bed.accounts.set_account_data(&alice, &global, &json(r#"{"a": 1}"#)).await.expect("account data");
    bed.accounts.set_account_data(&alice, &in_room, &json(r#"{"b": [2]}"#)).await.expect("account data");
    let bed = bed.restarted();
    let read = async |subject: &Subject<'_>| bed.accounts.account_data(&alice, subject).await.expect("read");
    assert_eq!(read(&global).await.as_deref(), Some(r#"{"a":1}"#));
    assert_eq!(read(&in_room).await.as_deref(), Some(r#"{"b":[2]}"#));
    assert_eq!(read(&Subject { kind: "org.other", ..global.clone() }).await, None);
    let snapshot = bed.db.snapshot();
    for (room, content) in [(None, r#"{"a":1}"#), (Some(room), r#"{"b":[2]}"#)] {
        let all = all_account_data(&snapshot, &user, room).await.expect("read");
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].room.as_deref(), all[0].content.as_str()), (room, content));
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_dropped_in_its_commit_fails_none_that_comes_after() {
    let bed = Bed::new();
    let (alice, user) = (actor(&bed.user("alice").await), id("alice"));
    let subject = Subject { user: &user, room: None, kind: "org.example" };
    for round in 0..10 {
        let (gone, stays) = (json(r#"{"gone": true}"#), json(&format!(r#"{{"round": {round}}}"#)));
        tokio::select! {
            biased;
            outcome = bed.accounts.set_account_data(&alice, &subject, &gone) => outcome.expect("account data"),
            // Its commit is queued; the client goes away.
            () = std::future::ready(()) => {}
        }
        bed.accounts
            .set_account_data(&alice, &subject, &stays)
            .await
            .expect("no conflict with the first one");
        let read = bed.accounts.account_data(&alice, &subject).await.expect("read");
        assert_eq!(read, Some(format!(r#"{{"round":{round}}}"#)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_moves_its_subject_to_the_newest_position_and_wakes_the_user() {
    let bed = Bed::new();
    let (alice, user) = (actor(&bed.user("alice").await), id("alice"));
    let bob = actor(&bed.user("bob").await);
    let mut publications = bed.db.subscribe();
    let start = bed.db.published();
    let set = async |kind: &str, content: &str| {
        let subject = Subject { user: &user, room: None, kind };
        bed.accounts.set_account_data(&alice, &subject, &json(content)).await.expect("account data");
    };
    set("org.a", "{}").await;
    set("org.b", "{}").await;
    let middle = bed.db.published();
    set("org.a", r#"{"again": true}"#).await;
    let theirs = Subject { user: user_id!("@bob:plop.example"), room: None, kind: "org.a" };
    bed.accounts.set_account_data(&bob, &theirs, &json("{}")).await.expect("account data");
    let end = bed.db.published();

    let snapshot = bed.db.snapshot();
    let changes = async |after: Position, to: Position, limit: usize| {
        let page = account_data_changes(&snapshot, &user, after, to, limit).await.expect("read");
        let kinds: Vec<_> = page.items.into_iter().map(|item| (item.kind, item.content)).collect();
        (kinds, page.more)
    };
    let b = ("org.b".to_owned(), "{}".to_owned());
    let a = ("org.a".to_owned(), r#"{"again":true}"#.to_owned());
    assert_eq!(changes(start, end, 10).await, (vec![b.clone(), a.clone()], false));
    assert_eq!(changes(start, middle, 10).await, (vec![b.clone()], false));
    assert_eq!(changes(middle, end, 10).await, (vec![a], false));
    assert_eq!(changes(start, end, 1).await, (vec![b], true));
    assert_eq!(changes(end, end, 10).await, (vec![], false));

    let first = publications.recv().await.expect("a publication");
    let woken: Vec<_> =
        first.notices.iter().filter_map(|notice| notice.subject::<AccountDataChanges>()).collect();
    assert_eq!(woken, std::slice::from_ref(&user));
}

#[tokio::test(start_paused = true)]
async fn concurrent_changes_leave_one_row_for_each_subject() {
    let bed = Bed::new();
    let (alice, user) = (actor(&bed.user("alice").await), id("alice"));
    let subject = Subject { user: &user, room: None, kind: "org.a" };
    let content = json("{}");
    let set = || bed.accounts.set_account_data(&alice, &subject, &content);
    for _ in 0..10 {
        let (a, b, c) = tokio::join!(set(), set(), set());
        for outcome in [a, b, c] {
            outcome.expect("account data");
        }
    }
    let snapshot = bed.db.snapshot();
    let page = account_data_changes(&snapshot, &user, Position::START, bed.db.published(), 10).await;
    assert_eq!(page.expect("read").items.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_the_server_manages_is_written_by_its_own_endpoints() {
    let bed = Bed::new();
    let (alice, user) = (actor(&bed.user("alice").await), id("alice"));
    for kind in ["m.fully_read", "m.push_rules"] {
        for room in [None, Some(room_id!("!room:plop.example"))] {
            let subject = Subject { user: &user, room, kind };
            let refused = bed.accounts.set_account_data(&alice, &subject, &json("{}")).await;
            assert!(matches!(refused, Err(AccountDataError::ServerManaged)));
            let set = bed.accounts.set_managed_account_data(&alice, &subject, &json(r#"{"x":1}"#)).await;
            set.expect("account data");
            let read = bed.accounts.account_data(&alice, &subject).await.expect("read");
            assert_eq!(read.as_deref(), Some(r#"{"x":1}"#));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn account_data_of_others_of_nobody_and_beyond_the_limits_is_refused() {
    let bed = Bed::new();
    let (alice, user) = (actor(&bed.user("alice").await), id("alice"));
    let bob = actor(&bed.user("bob").await);
    let subject = Subject { user: &user, room: None, kind: "org.a" };
    for other in [&bob, &Actor::Server] {
        let refused = bed.accounts.set_account_data(other, &subject, &json("{}")).await;
        assert!(matches!(refused, Err(AccountDataError::Forbidden(_))));
        let refused = bed.accounts.account_data(other, &subject).await;
        assert!(matches!(refused, Err(AccountDataError::Forbidden(_))));
    }
    let long = "x".repeat(256);
    for kind in ["", &long] {
        let subject = Subject { kind, ..subject.clone() };
        let refused = bed.accounts.set_account_data(&alice, &subject, &json("{}")).await;
        assert!(matches!(refused, Err(AccountDataError::InvalidType)));
    }
    let of_size = |bytes: usize| json(&format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes - r#"{"a":""}"#.len())));
    let refused = bed.accounts.set_account_data(&alice, &subject, &of_size(MAX_ACCOUNT_DATA_BYTES + 1)).await;
    assert!(matches!(refused, Err(AccountDataError::TooLarge)));
    let set = bed.accounts.set_account_data(&alice, &subject, &of_size(MAX_ACCOUNT_DATA_BYTES)).await;
    set.expect("account data");
    let ghost = Actor::AdminAs { admin: id("bob"), user: id("ghost") };
    let of_ghost = Subject { user: user_id!("@ghost:plop.example"), ..subject };
    let refused = bed.accounts.set_account_data(&ghost, &of_ghost, &json("{}")).await;
    assert!(matches!(refused, Err(AccountDataError::NoAccount)));
}

#[tokio::test(start_paused = true)]
async fn a_full_account_takes_what_makes_it_no_larger() {
    let bed = Bed::new();
    let (alice, user) = (actor(&bed.user("alice").await), id("alice"));
    let set = async |kind: &str, content: &str| {
        let subject = Subject { user: &user, room: None, kind };
        bed.accounts.set_account_data(&alice, &subject, &json(content)).await
    };
    let totals = async || {
        let row = bed.db.snapshot().get::<AccountDataTotals>(&user).await.expect("read").expect("a row");
        (row.rows, row.bytes)
    };
    let pretend = async |rows: u32, bytes: u64| {
        let mut batch = Batch::durable();
        batch.put::<AccountDataTotals>(&user, &AccountDataTotalsRow { rows, bytes });
        bed.db.commit(batch).await.expect("committed");
    };
    set("org.a", r#"{"a":1}"#).await.expect("account data");
    set("org.b", "{}").await.expect("account data");
    set("org.a", r#"{"a":100}"#).await.expect("account data");
    assert_eq!(totals().await, (2, 5 + 9 + 5 + 2));

    pretend(MAX_ACCOUNT_DATA_ROWS, 100).await;
    assert!(matches!(set("org.c", "{}").await, Err(AccountDataError::Full)));
    set("org.b", r#"{"b":1}"#).await.expect("no new row");
    pretend(MAX_ACCOUNT_DATA_ROWS - 1, 100).await;
    set("org.c", "{}").await.expect("the last row");
    assert_eq!(totals().await, (MAX_ACCOUNT_DATA_ROWS, 100 + 5 + 2));

    pretend(3, MAX_ACCOUNT_DATA_TOTAL_BYTES).await;
    assert!(matches!(set("org.b", r#"{"b":10}"#).await, Err(AccountDataError::Full)));
    set("org.b", r#"{"b":2}"#).await.expect("of the same size");
    set("org.b", "{}").await.expect("smaller");
    assert_eq!(totals().await, (3, MAX_ACCOUNT_DATA_TOTAL_BYTES - 5));
    set("org.b", r#"{"b":3}"#).await.expect("there is room again");
}
