//! A server with accounts, rooms and a directory.

use std::ops::Deref;

use plop_accounts::Accounts;
use plop_accounts::directory_updates::note_directory_update;
use plop_accounts::moderation::Decision;
use plop_base::Actor;
use plop_bed::{Ground, account, id, parameters, server, user};
use plop_bed_rooms::RoomBed;
use plop_db::{Batch, KeyspaceInfo, Position};
use plop_directory::{Answer, Directory, DirectoryParameters};
use plop_rooms::schema::{MemberRow, Members, Membership, UserRoomRow, UserRooms};
use plop_state_store::{EventNumber, RoomNumber};
use ruma::{OwnedUserId, RoomId};
use serde_json::Value;

pub struct Bed {
    pub accounts: Accounts,
    pub directory: Directory,
    rooms: RoomBed,
}

impl Deref for Bed {
    type Target = RoomBed;

    fn deref(&self) -> &RoomBed {
        &self.rooms
    }
}

fn keyspaces() -> Vec<KeyspaceInfo> {
    [plop_bed_rooms::keyspaces(), plop_directory::schema::KEYSPACES.to_vec()].concat()
}

impl Bed {
    pub async fn new() -> Self {
        Self::on(Ground::new(keyspaces(), 3), DirectoryParameters::default()).await
    }

    pub async fn on(ground: Ground, parameters: DirectoryParameters) -> Self {
        let rooms = RoomBed::on(ground).await;
        let accounts = plop_bed::accounts(&rooms.ground, self::parameters());
        let directory = Directory::new(rooms.ground.db.clone(), server(), parameters);
        Self { accounts, directory, rooms }
    }

    /// The same database with other settings, and nothing of what was in memory.
    pub async fn restarted(&self, parameters: DirectoryParameters) -> Self {
        Self::on(self.ground.restarted(), parameters).await
    }

    /// Accounts of these names.
    pub async fn register(&self, names: &[&str]) {
        for name in names {
            let account = plop_accounts::registration::NewAccount { password: None, ..account(name, None) };
            self.accounts.create_account(&Actor::Server, account, false).await.expect("an account");
        }
    }

    pub async fn call(&self, name: &str, display_name: &str) {
        let value = Value::from(display_name);
        let set = self.accounts.set_profile_field(&user(name), &id(name), "displayname", &value).await;
        set.expect("a profile");
    }

    pub async fn decide(&self, name: &str, decision: Decision) {
        self.accounts.decide(&Actor::Server, &id(name), decision).await.expect("a decision");
    }

    /// A user of another server is in a room under a name.
    pub async fn put_other(&self, other: &OwnedUserId, room: &RoomId, name: &str) {
        let room = self.rooms.rooms.number(room).await.expect("a read").expect("a room");
        let mut batch = Batch::durable();
        put_member(&mut batch, other, room, Some(name));
        note_directory_update(&mut batch, other);
        self.db.commit(batch).await.expect("rows");
    }

    /// Everything of an answer.
    pub async fn search(&self, by: &str, term: &str, limit: usize) -> Answer {
        self.directory.search(&id(by), term, limit).await.expect("an answer")
    }

    /// Who is found, in order.
    pub async fn found(&self, by: &str, term: &str) -> Vec<String> {
        let answer = self.search(by, term, 10).await;
        assert!(!answer.limited, "{term}");
        answer.users.into_iter().map(|found| found.user.to_string()).collect()
    }
}

/// The rows of one who has joined.
pub fn put_member(batch: &mut Batch, user: &OwnedUserId, room: RoomNumber, name: Option<&str>) {
    let event = EventNumber(1_000);
    let displayname = name.map(ToOwned::to_owned);
    let member = MemberRow { membership: Membership::Join, event, displayname, avatar_url: None };
    batch.put::<Members>(&(room, user.clone()), &member);
    let row = UserRoomRow {
        membership: Membership::Join,
        event: Some(event),
        position: Position::START,
        forgotten: false,
    };
    batch.put::<UserRooms>(&(user.clone(), room), &row);
}
