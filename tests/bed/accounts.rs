//! Accounts.

use plop_accounts::parameters::RegistrationMode;
use plop_accounts::passwords::PasswordCost;
use plop_accounts::registration::NewAccount;
use plop_accounts::sessions::NewDevice;
use plop_accounts::{Accounts, Parameters};

use crate::{Ground, server};

/// Everybody's.
pub const PASSWORD: &str = "correct horse";

/// Hashes that cost nothing, open registration, `shared` as the secret.
pub fn parameters() -> Parameters {
    Parameters {
        passwords: PasswordCost { memory_kib: 8, iterations: 1, parallelism: 1, concurrent_hashes: 2 },
        registration: RegistrationMode::Open,
        shared_secret: Some("shared".into()),
        reserved_names: vec!["root".to_owned()],
        ..Parameters::default()
    }
}

/// The accounts of the server.
pub fn accounts(ground: &Ground, parameters: Parameters) -> Accounts {
    let Ground { db, clock, random } = ground.clone();
    Accounts::new(db, clock, random, server(), parameters).expect("accounts")
}

/// A request for an account with [`PASSWORD`], which is logged in where there is a device.
pub fn account(name: &str, device: Option<NewDevice>) -> NewAccount {
    NewAccount {
        username: Some(name.to_owned()),
        password: Some(PASSWORD.into()),
        device,
        ..NewAccount::default()
    }
}
