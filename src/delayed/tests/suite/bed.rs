//! A server with rooms and delayed events.

use std::time::Duration;

use plop_accounts::Accounts;
use plop_accounts::registration::NewAccount;
use plop_base::Actor;
use plop_base::buckets::Rate;
use plop_bed::{Ground, account, json, user};
use plop_bed_rooms::RoomBed;
use plop_delayed::schema::{End, FailureKind};
use plop_delayed::{DelayRefusal, Delayed, Filter, Limits, Listed, NewDelayed};
use plop_rooms::InviteRates;
use ruma::{OwnedEventId, RoomId};

pub const LIMITS: Limits = Limits { max_delay: Duration::from_secs(3600), max_scheduled: 5 };

pub struct Bed {
    pub rooms: RoomBed,
    pub accounts: Accounts,
    pub delayed: Delayed,
}

impl Bed {
    /// With the accounts `alice` and `bob`.
    pub async fn new() -> Self {
        let keyspaces = [plop_bed_rooms::keyspaces(), plop_delayed::schema::KEYSPACES.to_vec()].concat();
        let bed = Self::on(Ground::new(keyspaces, 3)).await;
        for name in ["alice", "bob"] {
            let account = NewAccount { password: None, ..account(name, None) };
            bed.accounts.create_account(&Actor::Server, account, false).await.expect("an account");
        }
        bed
    }

    async fn on(ground: Ground) -> Self {
        let Ground { db, clock, random } = ground.clone();
        let accounts = plop_bed::accounts(&ground, plop_bed::parameters());
        let to_user = Some(Rate { burst: 2, interval: Duration::from_secs(60) });
        let rooms = RoomBed::limited(ground, InviteRates { to_user, to_room: None }).await;
        let delayed = Delayed::new(db, clock, random, rooms.rooms.clone(), accounts.clone(), LIMITS);
        Self { rooms, accounts, delayed }
    }

    /// The same database, with nothing of what was in memory.
    pub async fn restarted(&self) -> Self {
        Self::on(self.rooms.ground.restarted()).await
    }

    pub async fn pass(&self, millis: u64) {
        self.rooms.clock.sleep(Duration::from_millis(millis)).await;
    }

    /// Schedules a text.
    pub async fn later(
        &self,
        name: &str,
        room: &RoomId,
        text: &str,
        millis: u64,
    ) -> Result<String, DelayRefusal> {
        self.schedule(name, room, "m.room.message", None, text, millis).await
    }

    pub async fn schedule(
        &self,
        name: &str,
        room: &RoomId,
        kind: &str,
        state_key: Option<&str>,
        text: &str,
        millis: u64,
    ) -> Result<String, DelayRefusal> {
        let new = NewDelayed {
            room,
            kind,
            state_key,
            content: json(&format!(r#"{{"body":"{text}"}}"#)),
            delay: Duration::from_millis(millis),
            transaction: None,
        };
        self.delayed.schedule(&user(name), new).await
    }

    /// What a user has scheduled.
    pub async fn scheduled(&self, name: &str) -> Vec<Listed> {
        let page = self.delayed.list(&user(name), Filter::default()).await.expect("a page").expect("a page");
        page.events
    }

    /// The event that a delayed one became.
    pub async fn sent(&self, name: &str, id: &str) -> Option<OwnedEventId> {
        let listed = self.delayed.get(&user(name), id).await.expect("an event");
        match listed.row.finalised?.end {
            End::Sent { event } => Some(event),
            End::Refused { .. } | End::Cancelled => None,
        }
    }

    /// Why an event was not sent.
    pub async fn refused(&self, name: &str, id: &str) -> FailureKind {
        let listed = self.delayed.get(&user(name), id).await.expect("an event");
        match listed.row.finalised.expect("an end").end {
            End::Refused { failure } => failure.kind,
            other => panic!("{other:?}"),
        }
    }

    /// Schedules a step of a member's.
    pub async fn member_later(
        &self,
        actor: &Actor,
        room: &RoomId,
        target: &str,
        membership: &str,
    ) -> Result<String, DelayRefusal> {
        let target = plop_bed::id(target);
        let new = NewDelayed {
            room,
            kind: "m.room.member",
            state_key: Some(target.as_str()),
            content: json(&format!(r#"{{"membership":"{membership}"}}"#)),
            delay: Duration::from_millis(100),
            transaction: None,
        };
        self.delayed.schedule(actor, new).await
    }

    /// Texts of a room, oldest first.
    pub async fn texts(&self, room: &RoomId) -> Vec<String> {
        use plop_db::Direction;
        use plop_rooms::reader::history::PageRequest;
        let alice = user("alice");
        let mut reader = self.rooms.rooms.reader(&alice, room).await.expect("a reader");
        let request = PageRequest { from: None, to: None, direction: Direction::Forward, limit: 500 };
        let page = reader.history(request, |event| event.pdu.type_name() == "m.room.message").await;
        let events = page.expect("a page").events;
        let body = |event: &plop_rooms::RoomEvent| {
            event.pdu.content_object().get("body").and_then(|body| body.as_str()).map(ToOwned::to_owned)
        };
        events.iter().filter_map(|event| body(event)).collect()
    }
}
