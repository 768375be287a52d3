//! The list of users whose rooms have something to follow.

use plop_accounts::member_updates::MemberUpdate;
use plop_base::Actor;
use serde_json::json;

use crate::bed::{Bed, actor, id};

async fn listed(bed: &Bed) -> Vec<MemberUpdate> {
    bed.accounts.member_updates(10).await.expect("read")
}

#[tokio::test(start_paused = true)]
async fn a_user_is_listed_once_for_all_changes_that_rooms_show() {
    let bed = Bed::new();
    let (alice, user) = (actor(&bed.user("alice").await), id("alice"));
    bed.accounts.set_profile_field(&alice, &user, "m.tz", &json!("Europe/London")).await.expect("set");
    assert_eq!(listed(&bed).await, []);
    bed.accounts.set_profile_field(&alice, &user, "displayname", &json!("Alice")).await.expect("set");
    bed.accounts.delete_profile_field(&alice, &user, "avatar_url").await.expect("deleted");
    plop_bed::deactivate(&bed.accounts, &alice, false).await.expect("deactivated");
    let users: Vec<_> = listed(&bed.restarted()).await.into_iter().map(|update| update.user).collect();
    assert_eq!(users, [user]);
}

#[tokio::test(start_paused = true)]
async fn no_room_follows_a_user_whom_nobody_hears() {
    let bed = Bed::new();
    let login = bed.user("alice").await;
    let (alice, user) = (actor(&login), id("alice"));
    let unheard = Actor::ShadowBanned { user: user.clone(), device: login.device.clone() };
    bed.accounts.set_profile_field(&unheard, &user, "displayname", &json!("buy")).await.expect("answered");
    bed.accounts.delete_profile_field(&unheard, &user, "avatar_url").await.expect("answered");
    assert_eq!(listed(&bed).await, []);
    let shown = bed.accounts.profile_field(&user, "displayname").await.expect("read");
    assert_eq!(shown.as_deref(), Some(r#""buy""#), "they notice nothing");
    bed.accounts.set_profile_field(&alice, &user, "displayname", &json!("Alice")).await.expect("set");
    assert_eq!(listed(&bed).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_comes_while_the_rooms_follow_stays_on_the_list() {
    let bed = Bed::new();
    let (alice, user) = (actor(&bed.user("alice").await), id("alice"));
    let rename = |name: &'static str| {
        let (accounts, alice, user) = (&bed.accounts, &alice, &user);
        async move { accounts.set_profile_field(alice, user, "displayname", &json!(name)).await.expect("set") }
    };
    rename("Alice").await;
    let [first] = listed(&bed).await.try_into().expect("one");
    rename("Alicia").await;
    bed.accounts.finish_member_update(&first).await.expect("finished");
    let [second] = listed(&bed).await.try_into().expect("one");
    assert_ne!(first, second);
    for _ in 0..2 {
        bed.accounts.finish_member_update(&second).await.expect("finished");
        assert_eq!(listed(&bed).await, []);
    }
}
