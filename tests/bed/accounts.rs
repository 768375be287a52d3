//! Accounts.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use plop_accounts::deactivation::DeactivationError;
use plop_accounts::devices::DeviceError;
use plop_accounts::mailer::{Mail, Mailer, TooManyMails};
use plop_accounts::parameters::{EmailAtRegistration, EmailParameters, RegistrationMode};
use plop_accounts::password_change::PasswordChangeError;
use plop_accounts::passwords::PasswordCost;
use plop_accounts::registration::NewAccount;
use plop_accounts::sessions::NewDevice;
use plop_accounts::uia::{Authorized, Proof, Stage, Submission, UiaOperation, UiaRequest};
use plop_accounts::{Accounts, Parameters};
use plop_base::Actor;
use ruma::OwnedDeviceId;
use serde_json::Map;

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

/// What interactive authentication gives a user for an operation, by a flow that proves nothing.
pub async fn authorized(accounts: &Accounts, actor: &Actor, operation: UiaOperation) -> Authorized {
    let (flows, body) = ([vec![Stage::Dummy]], Map::new());
    let from = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let request = UiaRequest { actor: Some(actor), operation, body: &body, flows: &flows, from };
    let auth = Submission { session: None, proof: Some(Proof::Dummy) };
    accounts.authorize(&request, Some(auth)).await.expect("authorised")
}

/// Ends the account of a user, who has authorised it.
pub async fn deactivate(accounts: &Accounts, actor: &Actor, erase: bool) -> Result<(), DeactivationError> {
    let authorized = authorized(accounts, actor, UiaOperation::Deactivate).await;
    accounts.deactivate(actor, authorized, erase).await
}

/// Changes the password of a user, who has authorised it.
pub async fn change_password(
    accounts: &Accounts,
    actor: &Actor,
    password: &str,
    logout_others: bool,
) -> Result<Vec<OwnedDeviceId>, PasswordChangeError> {
    let authorized = authorized(accounts, actor, UiaOperation::ChangePassword).await;
    accounts.change_password(actor, authorized, password.into(), logout_others).await
}

/// A login token of a user, who has authorised it.
pub async fn login_token(accounts: &Accounts, actor: &Actor) -> (String, Duration) {
    let authorized = authorized(accounts, actor, UiaOperation::MakeLoginToken).await;
    accounts.make_login_token(actor, authorized).expect("a token")
}

/// Deletes devices of a user, who has authorised it.
pub async fn delete_devices(
    accounts: &Accounts,
    actor: &Actor,
    ids: &[OwnedDeviceId],
) -> Result<Vec<OwnedDeviceId>, DeviceError> {
    let authorized = authorized(accounts, actor, UiaOperation::DeleteDevices).await;
    accounts.delete_devices(actor, authorized, ids).await
}
