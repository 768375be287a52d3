//! What the tests call the API of: a server in memory, and its users.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::Method;
use plop_accounts::Parameters;
use plop_accounts::parameters::RegistrationLimits;
use plop_accounts::sessions::NewDevice;
use plop_base::buckets::Rate;
use plop_base::{Actor, Clock};
pub use plop_bed::PASSWORD;
use plop_bed::{Ground, account, parameters};
use plop_bed_server::{Server, keyspaces};
use plop_client_api::{Api, Bodies, BodyLimits, BudgetLimits, Budgets, Settings, Transports, Turn};
use plop_db::Db;
use plop_media::BlobStore;
use plop_moderation::notices::{NoticeSettings, Notices};
use plop_rooms::InviteRates;
use plop_rooms::upkeep::Upkeep;
use ruma::{OwnedDeviceId, OwnedUserId, RoomVersionId};

use crate::call::Call;

/// Where requests come from that say nothing else.
pub const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// The largest body, as with the default configuration.
pub const MOST_BYTES: usize = 1 << 20;
/// The largest without a session.
pub const STRANGER_BYTES: usize = 64 << 10;

/// A server, `plop.example`, and what may be done to it besides calling it.
pub struct Bed {
    pub api: Api,
    pub db: Db,
    pub clock: Clock,
    router: Router,
    ground: Ground,
    choices: Choices,
}

/// What its administrator chose.
#[derive(Clone)]
pub struct Choices {
    pub parameters: Parameters,
    pub settings: Settings,
    pub bodies: BodyLimits,
    /// Nobody is limited without.
    pub budgets: Option<BudgetLimits>,
    pub turn: Option<Arc<Turn>>,
    pub transports: Transports,
    /// Nobody is told anything without.
    pub notices: Option<NoticeSettings>,
    pub media: plop_media::Settings,
    pub invites: InviteRates,
    pub blobs: BlobStore,
    /// No previews without.
    pub previewing: Option<plop_media::Previewing>,
}

/// A logged-in user.
#[derive(Clone, Debug)]
pub struct User {
    pub id: OwnedUserId,
    pub device: OwnedDeviceId,
    pub token: String,
}

impl User {
    /// For calling the parts below.
    pub fn actor(&self) -> Actor {
        Actor::User { user: self.id.clone(), device: self.device.clone() }
    }
}

/// Lets guests in, as many as come.
pub fn admit_guests(choices: &mut Choices) {
    let rate = Rate { burst: u32::MAX, interval: Duration::ZERO };
    let guests = &mut choices.parameters.guests;
    (guests.are_admitted, guests.limits) = (true, RegistrationLimits { address: rate, everyone: rate });
}

impl Bed {
    /// Open registration, cheap passwords, `shared` as the secret.
    pub async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// The same with other choices.
    pub async fn with(choose: impl FnOnce(&mut Choices)) -> Self {
        let mut choices = Choices {
            parameters: parameters(),
            settings: Settings {
                default_room_version: RoomVersionId::V12,
                public_url: None,
                contacts: Vec::new(),
                support_page: None,
                freeze_media: true,
            },
            bodies: BodyLimits { user: MOST_BYTES, stranger: STRANGER_BYTES, all: 1 << 28 },
            budgets: None,
            turn: None,
            transports: Transports::default(),
            notices: None,
            media: plop_media::Settings::default(),
            invites: InviteRates::default(),
            blobs: BlobStore::memory(),
            previewing: None,
        };
        choose(&mut choices);
        Self::on(Ground::new(keyspaces(), 2), choices).await
    }

    /// The same database, with nothing of what was in memory.
    pub async fn restarted(&self) -> Self {
        Self::on(self.ground.restarted(), self.choices.clone()).await
    }

    async fn on(ground: Ground, choices: Choices) -> Self {
        let server = {
            let (blobs, media) = (choices.blobs.clone(), choices.media.clone());
            let chosen = (choices.parameters.clone(), choices.invites);
            Server::with_media(ground.clone(), chosen, blobs, media, choices.previewing.clone()).await
        };
        let clock = ground.clock.clone();
        let (people, rooms) = (server.accounts.clone(), server.rooms.clone());
        let notices = Notices::new(ground.db.clone(), people, rooms, choices.notices.clone());
        let api = Api {
            notices,
            accounts: server.accounts.clone(),
            rooms: server.rooms.clone(),
            delayed: server.delayed,
            reports: server.reports,
            to_device: server.to_device,
            key_backups: server.key_backups,
            keys: server.keys,
            directory: server.directory,
            search: server.search,
            sync: server.sync,
            unread: server.unread,
            media: server.media,
            receipts: server.receipts,
            typing: server.typing,
            presence: server.presence,
            clock: clock.clone(),
            bodies: Bodies::new(choices.bodies, &clock),
            budgets: Budgets::new(choices.budgets, &clock),
            turn: choices.turn.clone(),
            transports: choices.transports.clone(),
            settings: Arc::new(choices.settings.clone()),
        };
        let router = plop_client_api::router(api.clone());
        Self { api, db: ground.db.clone(), clock, router, ground, choices }
    }

    /// Lets time pass.
    pub async fn pass(&self, seconds: u64) {
        self.clock.sleep(Duration::from_secs(seconds)).await;
    }

    /// Makes an account with [`PASSWORD`], logged in on a device `PHONE`.
    pub async fn user(&self, name: &str) -> User {
        let device = NewDevice { id: Some("PHONE".into()), ..NewDevice::default() };
        let account = account(name, Some(device));
        let registered = self.api.accounts.create_account(&Actor::Server, account, false).await;
        let login = registered.expect("an account").login.expect("a session");
        User { id: login.user, device: login.device, token: login.tokens.access }
    }

    /// A new guest. Guests are to be admitted ([`admit_guests`]).
    pub async fn guest(&self) -> User {
        let registered = self.api.accounts.register_guest(None, HERE).await;
        let login = registered.expect("an account").login.expect("a session");
        User { id: login.user, device: login.device, token: login.tokens.access }
    }

    /// The work by which rooms follow accounts; nobody else does it here.
    pub fn upkeep(&self) -> Upkeep {
        Upkeep::new(self.api.rooms.clone(), self.api.accounts.clone())
    }

    pub fn call(&self, method: Method, path: &str) -> Call {
        Call::new(&self.router, method, path, HERE)
    }

    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    pub fn put(&self, path: &str) -> Call {
        self.call(Method::PUT, path)
    }

    pub fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }

    pub fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }
}

impl Call {
    /// In the name of a user.
    pub fn by(self, user: &User) -> Self {
        self.token(&user.token)
    }
}
