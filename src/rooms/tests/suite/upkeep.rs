//! Rooms follow the accounts of their members, across crashes.

use plop_accounts::Accounts;
use plop_accounts::registration::NewAccount;
use plop_base::Actor;
use plop_db::{Direction, KeyRange};
use plop_rooms::schema::{Membership, Timeline};
use plop_rooms::upkeep::Upkeep;
use plop_state::json::Object;
use ruma::{OwnedRoomId, RoomVersionId, owned_device_id};
use serde_json::json;

use crate::suite::bed::{Bed, id, user};

/// Rooms and accounts on one database.
struct Server {
    bed: Bed,
    accounts: Accounts,
    upkeep: Upkeep,
}

impl Server {
    async fn new() -> Self {
        let server = Self::on(Bed::new().await);
        for name in ["alice", "bob"] {
            let account = NewAccount { username: Some(name.to_owned()), ..NewAccount::default() };
            server.accounts.create_account(&Actor::Server, account, false).await.expect("an account");
        }
        server
    }

    fn on(bed: Bed) -> Self {
        let accounts = plop_bed::accounts(&bed.ground, plop_bed::parameters());
        let upkeep = Upkeep::new(bed.rooms.clone(), accounts.clone());
        Self { bed, accounts, upkeep }
    }

    async fn restarted(&self) -> Self {
        Self::on(self.bed.restarted().await)
    }

    async fn rename(&self, name: &str, display_name: &str) {
        let value = json!(display_name);
        let set = self.accounts.set_profile_field(&user(name), &id(name), "displayname", &value).await;
        set.expect("a name");
    }

    /// What a room shows as the name of a user.
    async fn shown(&self, room: &OwnedRoomId, name: &str) -> serde_json::Value {
        self.bed.state(room, "m.room.member", id(name).as_str()).await["displayname"].clone()
    }

    async fn rooms_of_alice(&self, count: usize) -> Vec<OwnedRoomId> {
        let mut rooms = Vec::new();
        for _ in 0..count {
            rooms.push(self.bed.room(RoomVersionId::V11, None).await);
        }
        rooms
    }

    /// Live events of a room.
    async fn events(&self, room: &OwnedRoomId) -> usize {
        let number = self.bed.rooms.number(room).await.expect("a read").expect("a room");
        let snapshot = self.bed.rooms.core().db.snapshot();
        let range = KeyRange::<Timeline>::prefix(&number);
        snapshot.scan(range, Direction::Forward, 100).await.expect("a page").rows.len()
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_name_reaches_each_room_that_its_user_is_in() {
    let server = Server::new().await;
    let rooms = server.rooms_of_alice(3).await;
    let (bed, nothing) = (&server.bed, Object::new());
    bed.rooms.invite(&user("alice"), &rooms[0], &id("bob"), &nothing).await.expect("an invite");
    bed.rooms.leave(&user("alice"), &rooms[2], &nothing).await.expect("left");
    server.rename("alice", "Alice").await;
    server.rename("bob", "Bob").await;
    server.upkeep.catch_up().await.expect("done");
    for room in &rooms[..2] {
        assert_eq!(server.shown(room, "alice").await, "Alice");
    }
    assert_eq!(bed.membership(&rooms[2], "alice").await, Some(Membership::Leave));
    assert_eq!(bed.membership(&rooms[0], "bob").await, Some(Membership::Invite));
    assert_eq!(server.accounts.member_updates(10).await.expect("read"), []);
}

#[tokio::test(start_paused = true)]
async fn rooms_do_not_follow_a_user_whom_nobody_hears() {
    let server = Server::new().await;
    let rooms = server.rooms_of_alice(2).await;
    server.rename("alice", "Alice").await;
    server.upkeep.catch_up().await.expect("done");
    let before = server.events(&rooms[0]).await;
    let unheard = Actor::ShadowBanned { user: id("alice"), device: owned_device_id!("DEVICE") };
    let set = server.accounts.set_profile_field(&unheard, &id("alice"), "displayname", &json!("buy")).await;
    set.expect("answered");
    server.upkeep.catch_up().await.expect("done");
    for room in &rooms {
        assert_eq!(server.shown(room, "alice").await, "Alice");
    }
    assert_eq!(server.events(&rooms[0]).await, before);
}

#[tokio::test(start_paused = true)]
async fn what_a_crash_interrupts_is_done_after_it_and_nothing_twice() {
    let server = Server::new().await;
    let rooms = server.rooms_of_alice(40).await;
    let mut before = Vec::new();
    for room in &rooms {
        before.push(server.events(room).await);
    }
    server.rename("alice", "Alice").await;
    let mut publications = server.bed.rooms.core().db.subscribe();
    tokio::select! {
        done = server.upkeep.catch_up() => panic!("not interrupted: {done:?}"),
        _ = publications.recv() => {}
    }
    let server = server.restarted().await;
    let mut followed = 0;
    for room in &rooms {
        followed += usize::from(server.shown(room, "alice").await == "Alice");
    }
    assert!((1..rooms.len()).contains(&followed), "{followed}");
    for _ in 0..2 {
        server.upkeep.catch_up().await.expect("done");
        for (room, before) in rooms.iter().zip(&before) {
            assert_eq!(server.shown(room, "alice").await, "Alice");
            assert_eq!(server.events(room).await, before + 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_changes_while_the_rooms_follow_reaches_them_too() {
    let server = Server::new().await;
    let rooms = server.rooms_of_alice(40).await;
    server.rename("alice", "Alice").await;
    let mut publications = server.bed.rooms.core().db.subscribe();
    let again = async {
        publications.recv().await.expect("a publication");
        server.rename("alice", "Alicia").await;
    };
    let (done, ()) = tokio::join!(server.upkeep.catch_up(), again);
    done.expect("done");
    for room in &rooms {
        assert_eq!(server.shown(room, "alice").await, "Alicia");
    }
    assert_eq!(server.accounts.member_updates(10).await.expect("read"), []);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_has_ended_leaves_and_takes_back_what_is_pending() {
    let server = Server::new().await;
    let (bed, nothing) = (&server.bed, Object::new());
    let joined = bed.room(RoomVersionId::V11, None).await;
    let invited = bed.room(RoomVersionId::V11, None).await;
    let knocked = bed.room(RoomVersionId::V11, Some(r#"{"join_rule":"knock"}"#)).await;
    let banned = bed.room(RoomVersionId::V11, None).await;
    for room in [&joined, &invited] {
        bed.rooms.invite(&user("alice"), room, &id("bob"), &nothing).await.expect("an invite");
    }
    bed.rooms.join(&user("bob"), &joined, &nothing).await.expect("joined");
    bed.rooms.knock(&user("bob"), &knocked, &nothing).await.expect("a knock");
    bed.rooms.ban(&user("alice"), &banned, &id("bob"), &nothing).await.expect("banned");
    plop_bed::deactivate(&server.accounts, &user("bob"), false).await.expect("deactivated");
    let server = server.restarted().await;
    server.upkeep.catch_up().await.expect("done");
    for room in [&joined, &invited, &knocked] {
        assert_eq!(server.bed.membership(room, "bob").await, Some(Membership::Leave));
    }
    assert_eq!(server.bed.membership(&banned, "bob").await, Some(Membership::Ban));
    assert_eq!(server.bed.rooms.joined_rooms(&id("bob")).await.expect("read"), Vec::<OwnedRoomId>::new());
}

#[tokio::test(start_paused = true)]
async fn the_work_begins_by_itself_when_somebody_changes() {
    let server = Server::new().await;
    let rooms = server.rooms_of_alice(2).await;
    let work = async {
        for name in ["Alice", "Alicia"] {
            server.rename("alice", name).await;
            while !server.accounts.member_updates(1).await.expect("read").is_empty() {
                tokio::task::yield_now().await;
            }
            for room in &rooms {
                assert_eq!(server.shown(room, "alice").await, name);
            }
        }
    };
    tokio::select! {
        () = work => {}
        ended = server.upkeep.run() => panic!("{ended:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn two_users_meet_where_both_have_joined() {
    let server = Server::new().await;
    let (bed, nothing) = (&server.bed, Object::new());
    let (alice, bob) = (id("alice"), id("bob"));
    let rooms = server.rooms_of_alice(3).await;
    let share = async || bed.rooms.share_a_room(&alice, &bob).await.expect("read");
    assert!(!share().await);
    bed.rooms.invite(&user("alice"), &rooms[1], &bob, &nothing).await.expect("an invite");
    assert!(!share().await, "an invited user is not in the room");
    bed.rooms.join(&user("bob"), &rooms[1], &nothing).await.expect("joined");
    assert!(share().await);
    assert!(bed.rooms.share_a_room(&bob, &alice).await.expect("read"));
    bed.rooms.leave(&user("alice"), &rooms[1], &nothing).await.expect("left");
    assert!(!share().await);
}
