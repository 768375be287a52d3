//! Accounts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use plop_accounts::mailer::{Mail, Mailer, TooManyMails};
use plop_accounts::parameters::{EmailAtRegistration, EmailParameters, RegistrationMode};
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

/// Where mails end up, instead of being sent.
#[derive(Clone, Debug, Default)]
pub struct Mailbox(Arc<Mutex<Vec<Mail>>>);

impl Mailbox {
    /// The mails that have come since this was asked last.
    pub fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut self.0.lock().expect("mails"))
    }
}

impl Mailer for Mailbox {
    fn post(&self, mail: Mail) -> Result<(), TooManyMails> {
        self.0.lock().expect("mails").push(mail);
        Ok(())
    }
}

/// Mails into a mailbox, whose links are valid for an hour; clients are told nothing about accounts, and registration takes no address.
pub fn email(mailbox: &Mailbox) -> EmailParameters {
    EmailParameters {
        mailer: Arc::new(mailbox.clone()),
        link_base: "https://plop.example/link".to_owned(),
        link_lifetime: Duration::from_secs(60 * 60),
        hides_accounts: true,
        next_links: vec!["https://app.example/".to_owned()],
        at_registration: EmailAtRegistration::Off,
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
