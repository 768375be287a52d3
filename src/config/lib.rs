//! Rank 0: the configuration.
//!
//! Owns: every key that an admin can set, with its documentation, default and checks; where a value comes from
//! (defaults, then one file, then the environment); secrets that are read from files.
//!
//! Does not own: what the values mean to the parts that get them.
//!
//! Invariants:
//! - a key is declared once, in [`sections`]: its doc comment is its documentation, its default stands beside it,
//!   and loading, the generated example and the names of environment variables follow from the declaration;
//! - unknown keys are mistakes, and all mistakes are reported at once, each with its key;
//! - the defaults are a server to try out: on loopback, named `localhost`;
//! - no key exists that nothing reads.

mod load;
mod problems;
mod render;
mod schema;
mod secret;
pub mod sections;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

pub use problems::{Problem, Problems};
pub use secret::Secret;
use sections::{
    Caches, Calls, Database, EmailAtRegistration, Limits, Listener, Logging, Mail, Media, Outbound,
    Passwords, Registration, Rooms, Search, Server, ServerNotices, Support, UserDirectory,
};

schema::config! {
    /// The whole configuration.
    pub struct Config {
        /// Who this server is.
        pub server: Server = Server::default(),
        /// Where clients connect.
        pub client: Listener = Listener::on([SocketAddr::from(([127, 0, 0, 1], 8008))]),
        /// Where other servers connect. The same addresses as for clients may be named; they then share the
        /// listener, and both sections need the same certificate.
        pub federation: Listener = Listener::on([]),
        /// Where Prometheus fetches `/metrics`. Not for the public: the addresses must be others than those of the
        /// sections above.
        pub metrics: Listener = Listener::on([]),
        /// Where rooms, accounts and everything else is kept.
        pub database: Database = Database::default(),
        /// Memory for what is read often, besides the database's own (`database.cache_mib`).
        pub caches: Caches = Caches::default(),
        /// What is kept of rooms.
        pub rooms: Rooms = Rooms::default(),
        /// How messages are searched. The index is kept beside the database, in the folder of its name with `-search` behind it.
        pub search: Search = Search::default(),
        /// Whom users find by name.
        pub user_directory: UserDirectory = UserDirectory::default(),
        /// What administrators tell users of this server (`POST /_synapse/admin/v1/send_server_notice`). Each user has a room for it, to which the server
        /// invites them with the first notice.
        pub server_notices: ServerNotices = ServerNotices::default(),
        /// What is logged, to standard error.
        pub logging: Logging = Logging::default(),
        /// Who may create an account.
        pub registration: Registration = Registration::default(),
        /// Mails to users, by which they prove an e-mail address: to set a lost password anew, and to register where that asks
        /// for an address. Mails have links to this server, so `server.public_url` is needed.
        pub mail: Mail = Mail::default(),
        /// How passwords are hashed (argon2id).
        pub passwords: Passwords = Passwords::default(),
        /// What one client may take from all.
        pub limits: Limits = Limits::default(),
        /// Files that users upload.
        pub media: Media = Media::default(),
        /// What clients need for calls besides rooms.
        pub calls: Calls = Calls::default(),
        /// Whom users, and admins of other servers, turn to: told to everybody at `/.well-known/matrix/support`. Nothing is told of
        /// what is not set.
        pub support: Support = Support::default(),
        /// Requests that this server makes because others said so: previews of addresses, and later other servers.
        pub outbound: Outbound = Outbound::default(),
    }
}

impl Config {
    /// Everything that is wrong with the values together; empty when the configuration can be used.
    pub fn validate(&self) -> Problems {
        let mut problems = Problems::default();
        let listeners =
            [("client", &self.client), ("federation", &self.federation), ("metrics", &self.metrics)];
        for (section, listener) in listeners {
            listener.validate(section, &mut problems);
        }
        if self.client.addresses.is_empty() {
            problems.add("client.addresses", "no address: no client could connect");
        }
        for address in &self.federation.addresses {
            if self.client.listens_on(*address) && !self.federation.same_tls(&self.client) {
                problems.add(
                    "federation.addresses",
                    format!("{address} is shared with `client`, so both need the same certificate and key"),
                );
            }
        }
        for address in &self.metrics.addresses {
            if self.client.listens_on(*address) || self.federation.listens_on(*address) {
                problems.add(
                    "metrics.addresses",
                    format!("{address} is open to others; metrics are not for them"),
                );
            }
        }
        self.server.validate(&mut problems);
        let mut reachable = self.client.addresses.iter().chain(&self.federation.addresses);
        if let Some(address) = reachable.find(|address| !address.ip().is_loopback())
            && self.server.is_unnamed()
        {
            let text = format!(
                "`localhost` is for a try-out on loopback, and {address} is open to others: choose the name that user ids shall \
                 end with, here or by PLOP_SERVER__NAME. Once there is a user, it stays for ever"
            );
            problems.add("server.name", text);
        }
        self.logging.validate(&mut problems);
        self.server_notices.validate(&mut problems);
        self.registration.validate(&mut problems);
        self.mail.validate(&self.server, &mut problems);
        if self.registration.email != EmailAtRegistration::Off && self.mail.host.is_none() {
            problems.add("registration.email", "an address is proven by mail, and `mail.host` is not set");
        }
        self.passwords.validate(&mut problems);
        self.media.validate(&mut problems);
        self.limits.validate(&mut problems);
        self.calls.validate(&mut problems);
        self.support.validate(&mut problems);
        problems
    }
}
