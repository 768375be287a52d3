//! Rank 3: the users of this server.
//!
//! Owns: users and their passwords, guests, devices (a dehydrated one among them) and tokens, who may register and how often one may try,
//! interactive authentication, and what users keep on the server: e-mail addresses, OpenID tokens, profile, account data, tags, push rules,
//! filters, thread subscriptions, pushers. Everything is reached through one handle, [`Accounts`]; each file adds the operations of its
//! subject to it.
//!
//! Does not own: rooms (they follow the accounts: [`member_updates`]), what is kept for devices and users elsewhere (it follows
//! them: [`schema::DeviceEnds`], [`schema::AccountEnds`]), keys, what is pushed, the words of mails and how they are sent ([`mailer::Mailer`]), HTTP.
//!
//! Invariants: the only writer of its keyspaces ([`schema`]). Operations that write one user's rows run one after the other, under
//! that user's guard, which is never held over a password hash and is taken before that of a registration token, after that of a push key; preconditions of
//! the batches are the fence behind it. Secrets are stored as hashes only: passwords by argon2id, tokens by BLAKE3. What may be
//! forgotten by a restart (interactive authentication sessions, proofs of e-mail addresses, nonces, login tokens, limits) lives in memory, in bounded numbers.

pub mod account_data;
mod accounts;
pub mod attempts;
mod authority;
pub mod check;
pub mod deactivation;
pub mod dehydrated;
pub mod device_lists;
mod device_rows;
mod device_settings;
pub mod devices;
pub mod directory_updates;
pub mod email_address;
pub mod email_validation;
mod ended_accounts;
pub mod ended_devices;
mod error;
mod expiring;
pub mod filters;
pub mod guests;
pub mod ignored_users;
pub mod invite_permission;
pub mod login;
pub mod login_tokens;
pub mod mailer;
pub mod member_updates;
pub mod migrations;
pub mod moderation;
pub mod openid;
pub mod parameters;
pub mod password_change;
pub mod password_reset;
pub mod passwords;
mod policies;
pub mod profile;
pub mod push_rules;
pub mod pushers;
pub mod refresh;
pub mod registration;
pub mod registration_tokens;
mod rows;
pub mod schema;
mod secrets;
pub mod server_user;
pub mod sessions;
pub mod shared_secret;
pub mod tags;
pub mod terms;
pub mod thread_subscriptions;
pub mod threepids;
mod tokens;
mod trimming;
pub mod uia;
pub mod uia_fallback;
mod uia_session;
pub mod username;
mod validation_session;

pub use accounts::Accounts;
pub use attempts::Limited;
pub use authority::Forbidden;
pub use error::StoreError;
pub use parameters::Parameters;
pub use passwords::Password;
