//! Who finds whom, by what.

use plop_accounts::moderation::Decision;
use plop_bed::{id, json, user};
use plop_bed_rooms::private_room;
use plop_db::Batch;
use plop_directory::schema::{Entries, EntryRow, Words};
use plop_directory::{DirectoryParameters, MAX_FOUND};
use plop_rooms::ops::create::CreateRoom;
use ruma::{OwnedRoomId, OwnedUserId, RoomVersionId, owned_user_id};

use crate::bed::Bed;

/// A room that nobody may find.
async fn den(bed: &Bed, name: &str, invited: &[&str]) -> OwnedRoomId {
    let invite = invited.iter().map(|name| id(name)).collect();
    let tag = format!(r#"{{"org.example.tag":"{}"}}"#, bed.random.token(8));
    let request = CreateRoom { invite, creation_content: json(&tag), ..private_room(RoomVersionId::V12) };
    let room = bed.rooms.create(&user(name), &request).await.expect("a room");
    for name in invited {
        bed.join(name, &room).await;
    }
    room
}

#[tokio::test(start_paused = true)]
async fn words_of_names_and_ids_lead_to_a_user() {
    let bed = Bed::new().await;
    bed.register(&["alice-1", "bob"]).await;
    bed.call("alice-1", "Zoë Müller").await;
    den(&bed, "alice-1", &["bob"]).await;
    let alice = "@alice-1:plop.example";
    for term in [
        "zoe",
        "z%",
        "ZOË",
        "mul",
        "muller z",
        "z mü",
        "alice",
        "ALI",
        "@ali",
        "alice-1",
        "@alice-1:plop.example",
        "alice-1:pl",
        "1",
        "  zoë   müller ",
    ] {
        assert_eq!(bed.found("bob", term).await, [alice], "{term}");
    }
    for term in [
        "",
        " ",
        "@",
        "%",
        "_",
        "*",
        ".*",
        "oe",
        "zoe miller",
        "alice-2",
        "plop",
        "plop.example",
        ":plop",
        "zoe:there",
    ] {
        assert_eq!(bed.found("bob", term).await, Vec::<String>::new(), "{term}");
    }
    assert_eq!(bed.found("alice-1", "zoe").await, Vec::<String>::new(), "nobody finds themselves");
    bed.call("alice-1", "Other").await;
    assert_eq!(bed.found("bob", "zoe").await, Vec::<String>::new());
    assert_eq!(bed.found("bob", "oth").await, [alice]);
    bed.call("alice-1", "").await;
    assert_eq!(bed.search("bob", "alice", 10).await.users[0].display_name, None);
}

#[tokio::test(start_paused = true)]
async fn a_user_is_found_through_a_room_in_common_or_an_open_one() {
    let bed = Bed::new().await;
    bed.register(&["alice", "bob"]).await;
    let (alice, none) = (vec!["@alice:plop.example".to_owned()], Vec::<String>::new());
    assert_eq!(bed.found("bob", "alice").await, none, "nothing in common");
    let room = den(&bed, "alice", &[]).await;
    assert_eq!(bed.found("bob", "alice").await, none, "a private room of hers");
    bed.set("alice", &room, "m.room.history_visibility", r#"{"history_visibility":"world_readable"}"#).await;
    assert_eq!(bed.found("bob", "alice").await, alice, "everybody looks into it");
    bed.set("alice", &room, "m.room.history_visibility", r#"{"history_visibility":"joined"}"#).await;
    assert_eq!(bed.found("bob", "alice").await, none);
    bed.set("alice", &room, "m.room.join_rules", r#"{"join_rule":"public"}"#).await;
    assert_eq!(bed.found("bob", "alice").await, alice, "everybody may join");
    bed.join("bob", &room).await;
    bed.set("alice", &room, "m.room.join_rules", r#"{"join_rule":"invite"}"#).await;
    assert_eq!(bed.found("bob", "alice").await, alice, "in the same room");
    bed.leave("bob", &room).await;
    assert_eq!(bed.found("bob", "alice").await, none);
    let open = bed.restarted(DirectoryParameters { shows_all_local_users: true }).await;
    assert_eq!(open.found("bob", "alice").await, alice, "the administrator lets everybody find everybody");
}

#[tokio::test(start_paused = true)]
async fn who_may_not_use_the_account_is_not_found() {
    let bed = Bed::new().await;
    bed.register(&["alice", "bob"]).await;
    den(&bed, "alice", &["bob"]).await;
    for decision in [Decision::Locked, Decision::Suspended] {
        bed.decide("alice", decision(true)).await;
        assert_eq!(bed.found("bob", "alice").await, Vec::<String>::new());
        bed.decide("alice", decision(false)).await;
        assert_eq!(bed.found("bob", "alice").await.len(), 1);
    }
    plop_bed::deactivate(&bed.accounts, &user("alice"), false).await.expect("the end");
    assert_eq!(bed.found("bob", "alice").await, Vec::<String>::new());
    let entry = bed.db.snapshot().get::<Entries>(&id("alice")).await.expect("a read");
    assert_eq!(entry, None, "nothing is kept of her");
}

#[tokio::test(start_paused = true)]
async fn exact_hits_come_first_then_those_in_common_rooms() {
    let bed = Bed::new().await;
    bed.register(&["sam", "sama", "samb", "samc", "bob"]).await;
    for name in ["sam", "sama", "samb", "samc"] {
        bed.room(name).await;
    }
    den(&bed, "samc", &["bob"]).await;
    let order = ["@sam:plop.example", "@samc:plop.example", "@sama:plop.example", "@samb:plop.example"];
    assert_eq!(bed.found("bob", "sam").await, order);
    let two = bed.search("bob", "sam", 2).await;
    assert_eq!((two.users.len(), two.limited), (2, true));
    assert!(!bed.search("bob", "sam", 4).await.limited);
}

/// The name that somebody has in one room is for those who are in it. Of a user of another server there is no other.
#[tokio::test(start_paused = true)]
async fn a_user_of_another_server_has_the_name_of_a_room_that_the_searcher_sees() {
    let bed = Bed::new().await;
    bed.register(&["bob", "eve"]).await;
    let mallory = owned_user_id!("@mallory:there.example");
    let (secret, open) = (den(&bed, "bob", &[]).await, bed.room("eve").await);
    bed.put_other(&mallory, &secret, "Freddy").await;
    assert_eq!(bed.found("bob", "freddy").await, [mallory.as_str()]);
    assert_eq!(bed.found("eve", "freddy").await, Vec::<String>::new());
    assert_eq!(bed.found("eve", "mallory").await, Vec::<String>::new(), "not even the id");
    bed.put_other(&mallory, &open, "Public Mallory").await;
    assert_eq!(bed.found("eve", "freddy").await, Vec::<String>::new());
    let seen = bed.search("eve", "@mallory:there.example", 10).await.users;
    assert_eq!(seen[0].display_name.as_deref(), Some("Public Mallory"));
    assert_eq!(bed.search("bob", "mallory", 10).await.users[0].display_name.as_deref(), Some("Freddy"));
}

#[tokio::test(start_paused = true)]
async fn the_list_is_worked_off_after_a_restart() {
    let bed = Bed::new().await;
    let names: Vec<String> = (0..120).map(|number| format!("user{number}")).collect();
    bed.register(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    bed.room("user7").await;
    let bed = bed.restarted(DirectoryParameters::default()).await;
    bed.directory.catch_up().await.expect("the end of the list");
    let published = bed.db.published();
    assert_eq!(bed.found("user1", "user7").await, ["@user7:plop.example"]);
    assert_eq!(bed.db.published(), published, "there was nothing left to write");
}

/// Hostile input, row 141, and the cost of a search: what begins like the term and may not be seen is as bounded as the term.
#[tokio::test(start_paused = true)]
async fn row_141_a_search_looks_at_so_many_users_and_says_so() {
    let bed = Bed::new().await;
    bed.register(&["bob", "zed"]).await;
    let mut batch = Batch::durable();
    for number in 0..2_000 {
        let user = OwnedUserId::try_from(format!("@clone{number}:plop.example")).expect("an id");
        let word = format!("clone{number}");
        batch.put::<Words>(&(word.clone(), user.clone()), &());
        batch.put::<Entries>(&user, &EntryRow { words: vec![word] });
    }
    bed.db.commit(batch).await.expect("rows");
    let answer = bed.search("bob", "clone", usize::MAX).await;
    assert_eq!((answer.users.len(), answer.limited), (0, true));
    for term in ["clone".repeat(200_000), "clone ".repeat(200_000), "\u{fdfa}".repeat(300_000)] {
        assert!(bed.search("bob", &term, MAX_FOUND).await.users.is_empty());
    }
}
