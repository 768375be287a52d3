//! What the tests build accounts with.

use std::net::IpAddr;
use std::time::Duration;

use plop_accounts::login::{LoginError, PasswordLogin};
use plop_accounts::parameters::RegistrationMode;
use plop_accounts::passwords::PasswordCost;
use plop_accounts::registration::{NewAccount, Registered};
use plop_accounts::sessions::{LoggedIn, NewDevice};
use plop_accounts::{Accounts, Parameters};
use plop_base::{Actor, Clock, Random, UnixMillis};
use plop_db::Db;
use ruma::{OwnedUserId, owned_server_name};
use serde_json::{Map, Value};

pub const PASSWORD: &str = "correct horse";

/// A server's accounts with nothing around them.
pub struct Bed {
    pub accounts: Accounts,
    pub db: Db,
    pub clock: Clock,
    parameters: Parameters,
}

/// Parameters with hashes that cost nothing and open registration.
pub fn parameters() -> Parameters {
    Parameters {
        passwords: PasswordCost { memory_kib: 8, iterations: 1, parallelism: 1, concurrent_hashes: 2 },
        registration: RegistrationMode::Open,
        shared_secret: Some("shared".into()),
        reserved_names: vec!["root".to_owned()],
        ..Parameters::default()
    }
}

impl Bed {
    pub fn new() -> Self {
        Self::with(parameters())
    }

    pub fn with(parameters: Parameters) -> Self {
        let db =
            Db::memory(plop_accounts::schema::KEYSPACES.to_vec(), &Random::seeded(1)).expect("a database");
        Self::on(db, Clock::simulated(UnixMillis(1_700_000_000_000)), parameters, 2)
    }

    fn on(db: Db, clock: Clock, parameters: Parameters, seed: u64) -> Self {
        let server = owned_server_name!("plop.example");
        let random = Random::seeded(seed);
        let accounts = Accounts::new(db.clone(), clock.clone(), random, server, parameters.clone());
        Self { accounts: accounts.expect("accounts"), db, clock, parameters }
    }

    /// The same database, with nothing of what was in memory.
    pub fn restarted(&self) -> Self {
        Self::on(self.db.clone(), self.clock.clone(), self.parameters.clone(), 3)
    }

    pub async fn pass(&self, seconds: u64) {
        self.clock.sleep(Duration::from_secs(seconds)).await;
    }

    /// Makes an account with [`PASSWORD`] and logs it in.
    pub async fn user(&self, name: &str) -> LoggedIn {
        let device = Some(NewDevice { id: Some("PHONE".into()), ..NewDevice::default() });
        let account = account(name, device);
        let registered = self.accounts.create_account(&Actor::Server, account, false).await;
        registered.expect("an account").login.expect("a session")
    }

    pub async fn create(&self, name: &str) -> Registered {
        let registered = self.accounts.create_account(&Actor::Server, account(name, None), false).await;
        registered.expect("an account")
    }

    pub async fn login(&self, user: &str, password: &str, from: &str) -> Result<LoggedIn, LoginError> {
        self.login_on(user, password, from, NewDevice::default()).await
    }

    pub async fn login_on(
        &self,
        user: &str,
        password: &str,
        from: &str,
        device: NewDevice,
    ) -> Result<LoggedIn, LoginError> {
        let login =
            PasswordLogin { user: user.to_owned(), password: password.into(), device, from: address(from) };
        self.accounts.login(login).await
    }

    /// Whether an access token opens a session.
    pub async fn is_valid(&self, token: &str) -> bool {
        self.accounts.authenticate(token, None).await.is_ok()
    }
}

pub fn account(name: &str, device: Option<NewDevice>) -> NewAccount {
    NewAccount {
        username: Some(name.to_owned()),
        password: Some(PASSWORD.into()),
        device,
        ..NewAccount::default()
    }
}

pub fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

pub fn id(name: &str) -> OwnedUserId {
    OwnedUserId::try_from(format!("@{name}:plop.example")).expect("a user id")
}

/// The actor of a session.
pub fn actor(login: &LoggedIn) -> Actor {
    Actor::User { user: login.user.clone(), device: login.device.clone() }
}

pub fn refreshable(id: &str) -> NewDevice {
    NewDevice { id: Some(id.into()), display_name: None, refreshable: true }
}

pub fn json(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).expect("an object")
}
