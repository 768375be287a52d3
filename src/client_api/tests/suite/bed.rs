//! What the tests call the API of: a server in memory, and its users.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::Method;
use plop_accounts::parameters::RegistrationMode;
use plop_accounts::passwords::PasswordCost;
use plop_accounts::registration::NewAccount;
use plop_accounts::sessions::NewDevice;
use plop_accounts::{Accounts, Parameters};
use plop_base::{Actor, Clock, Random, TaskKind, Tasks, UnixMillis};
use plop_client_api::{Api, Bodies, BodyLimits, BudgetLimits, Budgets, Settings};
use plop_db::{Db, KeyspaceInfo};
use plop_e2ee::to_device::ToDevice;
use plop_ephemeral::{Presence, ProcessStart, Receipts, Typing};
use plop_rooms::core::Core;
use plop_rooms::event_store::EventStore;
use plop_rooms::rooms::Rooms;
use plop_rooms::state_lists::StateLists;
use plop_rooms::upkeep::Upkeep;
use plop_state::sign::SigningKey;
use plop_state_store::{CacheBytes, StateStore};
use plop_sync::Syncing;
use plop_unread::Unread;
use ruma::{OwnedDeviceId, OwnedUserId, RoomVersionId, owned_server_name};

use crate::call::Call;

pub const PASSWORD: &str = "correct horse";
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

impl Bed {
    /// Open registration, cheap passwords, `shared` as the secret.
    pub async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// The same with other choices.
    pub async fn with(choose: impl FnOnce(&mut Choices)) -> Self {
        let mut choices = Choices {
            parameters: Parameters {
                passwords: PasswordCost {
                    memory_kib: 8,
                    iterations: 1,
                    parallelism: 1,
                    concurrent_hashes: 2,
                },
                registration: RegistrationMode::Open,
                shared_secret: Some("shared".into()),
                reserved_names: vec!["root".to_owned()],
                ..Parameters::default()
            },
            settings: Settings { default_room_version: RoomVersionId::V12, public_url: None },
            bodies: BodyLimits { user: MOST_BYTES, stranger: STRANGER_BYTES, all: 1 << 28 },
            budgets: None,
        };
        choose(&mut choices);
        let db = Db::memory(keyspaces(), &Random::seeded(1)).expect("a database");
        Self::on(db, Clock::simulated(UnixMillis(1_700_000_000_000)), choices, 2).await
    }

    /// The same database, with nothing of what was in memory.
    pub async fn restarted(&self) -> Self {
        Self::on(self.db.clone(), self.clock.clone(), self.choices.clone(), 3).await
    }

    async fn on(db: Db, clock: Clock, choices: Choices, seed: u64) -> Self {
        let random = Random::seeded(seed);
        let tasks = Tasks::new(clock.clone(), random.clone());
        let server = owned_server_name!("plop.example");
        let cache = CacheBytes { nodes: 1 << 20, links: 1 << 20 };
        let core = Core {
            db: db.clone(),
            state: StateStore::open(&db, &random, cache).await.expect("a state store"),
            events: EventStore::new(1 << 20),
            state_lists: StateLists::default(),
            server: server.clone(),
            key: SigningKey::from_seed(server.clone(), "a", &[1; 32]).expect("a key"),
            clock: clock.clone(),
            random: random.clone(),
            redaction_retention: Duration::from_secs(7 * 24 * 60 * 60),
        };
        let parameters = choices.parameters.clone();
        let accounts = Accounts::new(db.clone(), clock.clone(), random.clone(), server.clone(), parameters);
        let accounts = accounts.expect("accounts");
        let rooms = Rooms::open(core, 1 << 24).await.expect("rooms");
        let start = ProcessStart(seed);
        let typing = Arc::new(Typing::new(clock.clone(), start));
        let presence = Arc::new(Presence::new(db.clone(), clock.clone(), start));
        let to_device = ToDevice::new(db.clone(), clock.clone(), server);
        let sync = Syncing::new(plop_sync::Parts {
            db: db.clone(),
            clock: clock.clone(),
            tasks: tasks.clone(),
            rooms: rooms.clone(),
            accounts: accounts.clone(),
            typing: Arc::clone(&typing),
            presence: Arc::clone(&presence),
            to_device: to_device.clone(),
            unread: Unread::new(rooms.clone(), 1 << 20),
        });
        let follower = sync.clone();
        tasks.spawn(TaskKind::Follower, "sync", move || {
            let follower = follower.clone();
            async move { follower.run().await }
        });
        let follower = sync.clone();
        tasks.spawn(TaskKind::Follower, "sync of presence", move || {
            let follower = follower.clone();
            async move { follower.run_presence().await }
        });
        let api = Api {
            accounts,
            rooms,
            to_device,
            sync,
            receipts: Arc::new(Receipts::new(db.clone())),
            typing,
            presence,
            clock: clock.clone(),
            bodies: Bodies::new(choices.bodies, &clock),
            budgets: Budgets::new(choices.budgets, &clock),
            settings: Arc::new(choices.settings.clone()),
        };
        let router = plop_client_api::router(api.clone());
        Self { api, db, clock, router, choices }
    }

    /// Lets time pass.
    pub async fn pass(&self, seconds: u64) {
        self.clock.sleep(Duration::from_secs(seconds)).await;
    }

    /// Makes an account with [`PASSWORD`], logged in on a device `PHONE`.
    pub async fn user(&self, name: &str) -> User {
        let account = NewAccount {
            username: Some(name.to_owned()),
            password: Some(PASSWORD.into()),
            device: Some(NewDevice { id: Some("PHONE".into()), ..NewDevice::default() }),
            ..NewAccount::default()
        };
        let registered = self.api.accounts.create_account(&Actor::Server, account, false).await;
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

fn keyspaces() -> Vec<KeyspaceInfo> {
    [
        plop_state_store::KEYSPACES,
        plop_accounts::schema::KEYSPACES,
        plop_rooms::schema::KEYSPACES,
        plop_ephemeral::schema::KEYSPACES,
        plop_e2ee::schema::KEYSPACES,
    ]
    .concat()
}
