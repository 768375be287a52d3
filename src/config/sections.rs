//! The keys, one file for each section.

mod caches;
mod calls;
mod database;
mod limits;
mod listener;
mod logging;
mod mail;
mod media;
mod outbound;
mod passwords;
mod registration;
mod rooms;
mod search;
mod server;
mod server_notices;
mod support;
mod user_directory;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use ruma::{OwnedServerName, RoomVersionId};

pub use caches::Caches;
pub use calls::Calls;
pub use database::{Database, Durability};
pub use limits::{Limits, Often};
pub use listener::Listener;
pub use logging::{LogFormat, Logging};
pub use mail::{Mail, MailEncryption};
pub use media::Media;
pub use outbound::Outbound;
pub use passwords::Passwords;
pub use registration::{EmailAtRegistration, Policy, PolicyText, Registration, RegistrationMode};
pub use rooms::Rooms;
pub use search::{Search, SearchLanguage};
pub use server::{IpNetwork, ProxyHeader, Server};
pub use server_notices::ServerNotices;
pub use support::Support;
pub use user_directory::UserDirectory;

use crate::schema::Setting;

impl Setting for bool {}
impl Setting for u16 {}
impl Setting for u32 {}
impl Setting for NonZeroU32 {}
impl Setting for NonZeroU64 {}
impl Setting for String {}
impl Setting for PathBuf {}
impl Setting for Option<PathBuf> {}
impl Setting for Option<String> {}
impl Setting for OwnedServerName {}
impl Setting for RoomVersionId {}
impl Setting for Vec<String> {}
impl Setting for Often {}
impl Setting for Vec<IpNetwork> {}
impl Setting for Vec<SocketAddr> {}
impl Setting for Durability {}
impl Setting for LogFormat {}
impl Setting for MailEncryption {}
impl Setting for ProxyHeader {}
impl Setting for RegistrationMode {}
impl Setting for SearchLanguage {}
impl Setting for EmailAtRegistration {}
impl Setting for BTreeMap<String, Policy> {}
