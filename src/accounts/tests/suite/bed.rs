//! What the tests build accounts with.

use std::net::IpAddr;
use std::time::Duration;

use plop_accounts::login::{LoginError, PasswordLogin};
use plop_accounts::registration::Registered;
use plop_accounts::sessions::{LoggedIn, NewDevice};
use plop_accounts::{Accounts, Parameters};
use plop_base::{Actor, Clock};
use plop_bed::Ground;
pub use plop_bed::{PASSWORD, account, id, parameters};
use plop_db::Db;
use serde_json::{Map, Value};

/// A server's accounts with nothing around them.
pub struct Bed {
    pub accounts: Accounts,
    pub db: Db,
    pub clock: Clock,
    ground: Ground,
    parameters: Parameters,
}

impl Bed {
    pub fn new() -> Self {
        Self::with(parameters())
    }

    pub fn with(parameters: Parameters) -> Self {
        Self::on(Ground::new(plop_accounts::schema::KEYSPACES.to_vec(), 2), parameters)
    }

    fn on(ground: Ground, parameters: Parameters) -> Self {
        let accounts = plop_bed::accounts(&ground, parameters.clone());
        Self { accounts, db: ground.db.clone(), clock: ground.clock.clone(), ground, parameters }
    }

    /// The same database, with nothing of what was in memory.
    pub fn restarted(&self) -> Self {
        Self::on(self.ground.restarted(), self.parameters.clone())
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
            PasswordLogin { user: user.into(), password: password.into(), device, from: address(from) };
        self.accounts.login(login).await
    }

    /// Whether an access token opens a session.
    pub async fn is_valid(&self, token: &str) -> bool {
        self.accounts.authenticate(token, None).await.is_ok()
    }
}

pub fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
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
