//! The handle: what the operations of this crate work with.
//!
//! Owns: the parts. Does not own: any operation; each file of this crate adds its own.

use std::sync::Arc;

use plop_db::Db;
use ruma::{OwnedServerName, UserId};
use tokio::sync::Mutex;

/// What an administrator chose.
#[derive(Debug, Clone, Copy, Default)]
pub struct DirectoryParameters {
    /// Whether everybody finds every user of this server, rooms in common or not.
    pub shows_all_local_users: bool,
}

/// The user directory of one server. Cheap to clone.
#[derive(Clone)]
pub struct Directory(Arc<Parts>);

pub(crate) struct Parts {
    pub db: Db,
    pub server: OwnedServerName,
    pub parameters: DirectoryParameters,
    /// Held by whoever brings entries up to date.
    pub indexing: Mutex<()>,
}

impl Directory {
    /// The directory in a database of this server.
    pub fn new(db: Db, server: OwnedServerName, parameters: DirectoryParameters) -> Self {
        Self(Arc::new(Parts { db, server, parameters, indexing: Mutex::default() }))
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.0
    }

    /// Whether a user is of this server.
    pub(crate) fn is_local(&self, user: &UserId) -> bool {
        user.server_name() == self.0.server
    }
}
