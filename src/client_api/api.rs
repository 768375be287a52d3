//! What the handlers work with.
//!
//! Owns: [`Api`], the parts that handlers name in their signatures with axum's `State`. Does not own: the parts.

use std::sync::Arc;

use axum::extract::FromRef;
use plop_accounts::Accounts;
use plop_base::Clock;
use plop_delayed::Delayed;
use plop_directory::Directory;
use plop_e2ee::backup::KeyBackups;
use plop_e2ee::keys::Keys;
use plop_e2ee::to_device::ToDevice;
use plop_ephemeral::{Presence, Receipts, Typing};
use plop_media::Media;
use plop_moderation::notices::Notices;
use plop_moderation::reports::Reports;
use plop_rooms::Rooms;
use plop_search::Search;
use plop_sync::Syncing;
use plop_unread::Unread;
use ruma::{OwnedUserId, RoomVersionId};
use serde::Serialize;

use crate::budgets::Budgets;
use crate::calls::transports::Transports;
use crate::calls::turn::Turn;
use crate::extract::Bodies;

/// The parts below. A handler takes those that it needs: `State(rooms): State<Rooms>`.
#[derive(Clone, FromRef)]
pub struct Api {
    pub accounts: Accounts,
    pub rooms: Rooms,
    pub delayed: Delayed,
    pub reports: Reports,
    pub notices: Notices,
    pub receipts: Arc<Receipts>,
    pub typing: Arc<Typing>,
    pub presence: Arc<Presence>,
    pub to_device: ToDevice,
    pub key_backups: KeyBackups,
    pub keys: Keys,
    pub directory: Directory,
    pub search: Search,
    pub sync: Syncing,
    pub unread: Unread,
    pub media: Media,
    pub clock: Clock,
    pub bodies: Bodies,
    pub budgets: Budgets,
    /// Servers that relay calls, if there are any.
    pub turn: Option<Arc<Turn>>,
    pub transports: Transports,
    pub settings: Arc<Settings>,
}

/// What an administrator chose about this API.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The version of rooms that are created without naming one.
    pub default_room_version: RoomVersionId,
    /// Where clients reach this API, for `/.well-known/matrix/client`; without it that is not there.
    pub public_url: Option<String>,
    /// Whom one turns to, for `/.well-known/matrix/support`.
    pub contacts: Vec<Contact>,
    /// A page with help.
    pub support_page: Option<String>,
    /// Whether files can be had with an access token only.
    pub freeze_media: bool,
}

/// A way to reach somebody in charge; at least one.
#[derive(Debug, Clone, Serialize)]
pub struct Contact {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matrix_id: Option<OwnedUserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_address: Option<String>,
    /// For what: "m.role.admin", "m.role.security".
    pub role: &'static str,
}
