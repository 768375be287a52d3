//! E-mail addresses: proving them, what they are good for, and what nobody learns from them.

mod accounts;
mod proving;
mod registering;
mod resetting;

use plop_accounts::mailer::{Mail, MailText};
use plop_accounts::parameters::EmailParameters;
use plop_bed::{Mailbox, email};
use serde_json::{Value, json};

use crate::bed::{Bed, PASSWORD, User};

const ADD: &str = "/_matrix/client/v3/account/3pid/add";
const LIST: &str = "/_matrix/client/v3/account/3pid";
const LOGIN: &str = "/_matrix/client/v3/login";
const PASSWORDS: &str = "/_matrix/client/v3/account/password";
const REGISTER: &str = "/_matrix/client/v3/register";
const TO_ADD: &str = "/_matrix/client/v3/account/3pid/email/requestToken";
const TO_REGISTER: &str = "/_matrix/client/v3/register/email/requestToken";
const TO_RESET: &str = "/_matrix/client/v3/account/password/email/requestToken";
const PAGE: &str = "/_matrix/client/unstable/plop/email/submit_token";
const WHOAMI: &str = "/_matrix/client/v3/account/whoami";

/// A server that sends mails, and where they end up.
struct Post {
    bed: Bed,
    mailbox: Mailbox,
}

impl Post {
    async fn new() -> Self {
        Self::with(|_| ()).await
    }

    async fn with(choose: impl FnOnce(&mut EmailParameters)) -> Self {
        let mailbox = Mailbox::default();
        let mut email = email(&mailbox);
        choose(&mut email);
        let bed = Bed::with(|choices| choices.parameters.email = Some(email)).await;
        Self { bed, mailbox }
    }

    /// The one mail that has come.
    #[track_caller]
    fn mail(&self) -> Mail {
        let mut mails = self.mailbox.take();
        assert_eq!(mails.len(), 1, "{mails:?}");
        mails.pop().expect("a mail")
    }

    /// Asks for a mail and gives the session's id.
    async fn ask(&self, path: &str, body: &Value) -> String {
        let body = self.bed.post(path).json(body).await.ok();
        body["sid"].as_str().expect("an id").to_owned()
    }

    /// Follows a mail's link and presses the button.
    async fn follow(&self, mail: &Mail) {
        let path = page(mail);
        assert_eq!(self.bed.get(&path).await.status, 200);
        assert_eq!(self.bed.post(&path).await.status, 200);
    }

    /// Proves an address; gives the session's id.
    async fn prove(&self, path: &str, address: &str, secret: &str) -> String {
        let sid = self.ask(path, &asking(address, secret)).await;
        self.follow(&self.mail()).await;
        sid
    }

    /// Gives an address to a user.
    async fn give(&self, user: &User, address: &str) {
        let sid = self.prove(TO_ADD, address, "secret").await;
        self.bed.post(ADD).by(user).json(&adding(user, &sid, "secret")).await.ok();
    }

    async fn addresses(&self, user: &User) -> Vec<String> {
        let body = self.bed.get(LIST).by(user).await.ok();
        let addresses = body["threepids"].as_array().expect("a list").iter();
        addresses.map(|shown| shown["address"].as_str().expect("an address").to_owned()).collect()
    }
}

/// The page behind a mail's link, as a path of the API.
fn page(mail: &Mail) -> String {
    let link = match &mail.says {
        MailText::ConfirmRegistration { link }
        | MailText::ConfirmAddress { link }
        | MailText::ConfirmPasswordReset { link, .. } => link,
        MailText::AddressInUse { .. } | MailText::AddressUnknown => panic!("no link in {mail:?}"),
    };
    let (_, query) = link.split_once('?').expect("a query");
    format!("{PAGE}?{query}")
}

fn asking(address: &str, secret: &str) -> Value {
    json!({ "client_secret": secret, "email": address, "send_attempt": 1 })
}

/// A request to add a proven address, with the user's password.
fn adding(user: &User, sid: &str, secret: &str) -> Value {
    let identifier = json!({ "type": "m.id.user", "user": user.id });
    let auth = json!({ "type": "m.login.password", "identifier": identifier, "password": PASSWORD });
    json!({ "sid": sid, "client_secret": secret, "auth": auth })
}

/// Proof of an address.
fn proof(sid: &str, secret: &str) -> Value {
    json!({ "type": "m.login.email.identity", "threepid_creds": { "sid": sid, "client_secret": secret } })
}
