//! What workers do with devices: one-time keys, messages, key backups.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use rand::RngExt;
use serde_json::json;

use super::{KIND, Worker, outcome};
use crate::client::{Identity, backup_key};
use crate::crash::facts::Record;
use crate::crash::values::CellKind;
use crate::http::Failure;

/// One-time keys of one upload.
const KEYS: usize = 5;
/// Where the keys of a backup belong to.
pub const BACKUP_ROOM: &str = "!backup:crash";
/// The session whose key is backed up again and again, each time a better one.
pub const BACKUP_SESSION: &str = "session";

impl Worker {
    pub(super) async fn upload_keys(&mut self) -> Result<(), Failure> {
        let identity = Identity::of(&self.session.account);
        let marker = self.marker();
        let keys = identity.one_time_keys((0..KEYS).map(|number| format!("{marker}.{number}")));
        let device_keys = identity.device_keys();
        let uploaded = self.session.upload_keys(Some(&device_keys), &keys).await;
        if let Some(done) = outcome(&uploaded) {
            let (user_id, ids) = (self.session.account.user_id.clone(), keys.into_keys().collect());
            self.records.push(Record::KeysUploaded { user_id, ids, acknowledged: done.is_some() });
        }
        uploaded.map(drop)
    }

    pub(super) async fn claim_key(&mut self) -> Result<(), Failure> {
        let (user_id, device) = self.peer();
        let claimed = self.session.claim_key(&user_id, &device).await;
        if let Some(done) = outcome(&claimed) {
            let (key, acknowledged) = (done.cloned().flatten(), done.is_some());
            self.records.push(Record::KeyClaimed { user_id, key, acknowledged });
        }
        claimed.map(drop)
    }

    pub(super) async fn send_to_device(&mut self) -> Result<(), Failure> {
        let (to, device) = self.peer();
        let marker = self.marker();
        let content = json!({ "marker": marker });
        let sent = self.session.send_to_device(KIND, &marker, (&to, &device), &content).await;
        if let Some(done) = outcome(&sent) {
            let sender = self.session.account.user_id.clone();
            self.records.push(Record::ToDevice { to, device, sender, marker, acknowledged: done.is_some() });
        }
        sent
    }

    /// Backs up a key that is better than all before: it can decrypt from an earlier message on.
    pub(super) async fn back_up(&mut self) -> Result<(), Failure> {
        let version = match self.session.current_backup().await? {
            Some(version) => version,
            None => self.session.create_backup().await?,
        };
        let value = self.marker();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let index = (1_u64 << 53).saturating_sub(1 + u64::try_from(now).unwrap_or(0));
        let keys = BTreeMap::from([(BACKUP_SESSION.to_owned(), backup_key(index, &value))]);
        let stored = self.session.back_up(&version, BACKUP_ROOM, &keys).await;
        self.wrote(CellKind::Backup, None, value, stored)
    }

    /// Some device of the cycle.
    fn peer(&mut self) -> (String, String) {
        let place = self.random.random_range(0..self.peers.len().max(1));
        let own = || (self.session.account.user_id.clone(), self.session.account.device_id.clone());
        self.peers.get(place).cloned().unwrap_or_else(own)
    }
}
