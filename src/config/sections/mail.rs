//! `[mail]`: mails to users.

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

use super::Server;
use crate::schema::section;
use crate::{Problems, Secret};

section! {
    /// Mails to users, by which they prove an e-mail address: to set a lost password anew, and to register where that asks
    /// for an address. Mails have links to this server, so `server.public_url` is needed.
    pub struct Mail {
        /// The mail server. Without one no mails are sent, and accounts have no e-mail addresses.
        pub host: Option<String> = None,
        /// Its port.
        pub port: u16 = 587,
        /// How the connection to it is protected: "starttls", "tls" (from the first byte, usually on port 465) or "none" (for a
        /// mail server on this machine).
        pub encryption: MailEncryption = MailEncryption::StartTls,
        /// The name to log in with at the mail server. Without one there is no login.
        pub user: Option<String> = None,
        /// The password beside it.
        pub password: Option<Secret> = None,
        /// The address that mails come from: "noreply@example.org".
        pub from: Option<String> = None,
        /// The name beside it.
        pub from_name: String = "Matrix".to_owned(),
        /// Most seconds for each step of a conversation with the mail server.
        pub timeout_seconds: NonZeroU64 = const { NonZeroU64::new(30).unwrap() },
        /// Most minutes from a client's request for a mail until what it proves is used.
        pub link_minutes: NonZeroU64 = const { NonZeroU64::new(60).unwrap() },
        /// Whether clients are not told which addresses accounts have: who asks about one gets a mail in any case, and it says
        /// how things are. If false, clients are told at once, and everybody can find out who has an account.
        pub hide_accounts: bool = true,
        /// Web clients that may be led to after a mail's link was followed. A client that asks for another address is refused.
        pub next_links: Vec<String> = vec!["https://app.element.io".to_owned()],
    }
}

/// How the connection to the mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailEncryption {
    StartTls,
    Tls,
    None,
}

impl Mail {
    pub(crate) fn validate(&self, server: &Server, problems: &mut Problems) {
        for link in self.next_links.iter().filter(|link| !super::server::is_base_url(link)) {
            problems.add("mail.next_links", format!("`{link}` is no address such as https://app.element.io"));
        }
        if self.host.is_none() {
            return;
        }
        if server.public_url.is_none() {
            problems.add("mail.host", "mails have links to this server, and `server.public_url` is not set");
        }
        let is_address = |from: &String| {
            from.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty())
                && from.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>,;\"".contains(&byte))
        };
        if !self.from.as_ref().is_some_and(is_address) {
            problems.add("mail.from", "an address such as noreply@example.org is needed to send mails from");
        }
        if self.from_name.chars().any(char::is_control) {
            problems.add("mail.from_name", "a name is one line");
        }
        if self.user.is_some() != self.password.is_some() {
            problems.add("mail.user", "a user and a password are set together");
        }
    }
}
