//! A server with rooms and a search index.

use std::collections::BTreeSet;
use std::ops::Deref;

use plop_accounts::Accounts;
use plop_base::Actor;
use plop_bed::{Ground, account, parameters, user};
use plop_bed_rooms::RoomBed;
use plop_rooms::ops::create::CreateRoom;
use plop_rooms::ops::send::{Redaction, Whose};
use plop_search::language::Language;
use plop_search::{Ask, Findings, Key, Order, Place, Search, SearchParameters};
use ruma::{EventId, OwnedEventId, OwnedRoomId, RoomId, RoomVersionId};
use tantivy::directory::RamDirectory;

pub struct Bed {
    pub search: Search,
    pub accounts: Accounts,
    pub place: Place,
    rooms: RoomBed,
}

impl Deref for Bed {
    type Target = RoomBed;

    fn deref(&self) -> &RoomBed {
        &self.rooms
    }
}

impl Bed {
    pub async fn new() -> Self {
        let place = Place::Memory(RamDirectory::create());
        Self::on(Ground::new(plop_bed_rooms::keyspaces(), 3), place, "plain").await
    }

    pub async fn on(ground: Ground, place: Place, language: &str) -> Self {
        let rooms = RoomBed::on(ground).await;
        let accounts = plop_bed::accounts(&rooms.ground, parameters());
        let language = Language::named(language).expect("a language");
        let parameters = SearchParameters { place: place.clone(), language };
        let search = Search::open(rooms.rooms.clone(), rooms.clock.clone(), parameters).await;
        Self { search: search.expect("an index"), accounts, place, rooms }
    }

    /// The same database and index after the process has ended, with what it had not committed lost.
    pub async fn crashed(self, language: &str) -> Self {
        let (ground, place) = (self.ground.restarted(), self.place.clone());
        drop(self);
        Self::on(ground, place, language).await
    }

    pub async fn register(&self, names: &[&str]) {
        for name in names {
            let account = plop_accounts::registration::NewAccount { password: None, ..account(name, None) };
            self.accounts.create_account(&Actor::Server, account, false).await.expect("an account");
        }
    }

    /// A private room of a user's.
    pub async fn den(&self, name: &str) -> OwnedRoomId {
        let tag = format!(r#"{{"org.example.tag":"{}"}}"#, self.random.token(8));
        let request = CreateRoom {
            creation_content: plop_bed::json(&tag),
            ..plop_bed_rooms::private_room(RoomVersionId::V12)
        };
        self.rooms.rooms.create(&user(name), &request).await.expect("a room")
    }

    pub async fn redact(&self, name: &str, room: &RoomId, event: &EventId) {
        let redaction = Redaction { reason: None, transaction: event.as_str(), whose: Whose::Any };
        let redacted = self.rooms.rooms.redact(&user(name), room, event, &redaction).await;
        redacted.expect("a redaction");
    }

    pub async fn find(&self, name: &str, ask: &Ask) -> Findings {
        self.search.find(&user(name), ask).await.expect("an answer")
    }

    /// The ids of what is found by default.
    pub async fn found(&self, name: &str, term: &str) -> Vec<OwnedEventId> {
        ids(&self.find(name, &ask(term)).await)
    }
}

/// What is asked for without any choice, newest first.
pub fn ask(term: &str) -> Ask {
    Ask {
        term: term.to_owned(),
        keys: BTreeSet::from(Key::ALL),
        order: Order::Recent,
        limit: 10,
        ..Ask::default()
    }
}

pub fn ids(found: &Findings) -> Vec<OwnedEventId> {
    found.hits.iter().map(|hit| hit.event.pdu.event_id().to_owned()).collect()
}
