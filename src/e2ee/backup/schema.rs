//! What is stored of key backups: the keyspaces and the rows in them.
//!
//! Owns: the declarations, and nothing that reads or writes them.

use plop_accounts::schema::{AccountEnd, AccountEnds};
use plop_db::codec::Tail;
use plop_db::record;
use ruma::{OwnedRoomId, OwnedUserId};

plop_db::keyspaces! {
    pub const KEYSPACES;

    /// Backups: the user and the version. Written when a client makes a backup or signs it anew; read by clients; deleted by them, or with the
    /// account. Redactions do not touch it. Each has a row of `key_backup_totals`.
    pub KeyBackupVersions = 160 "key_backup_versions" Scan { (OwnedUserId, u64) => KeyBackupRow }

    /// What is in a backup. Written with every key that comes or goes; read by all that is done with the backup; deleted with it. Redactions do
    /// not touch it. The sums of its rooms.
    pub KeyBackupTotals = 161 "key_backup_totals" Scan { (OwnedUserId, u64) => KeyBackupTotalsRow }

    /// What is in a backup for a room: the user, the version, the room. Written with every key that comes or goes; read then; deleted with the last
    /// key of the room. Redactions do not touch it.
    pub KeyBackupRooms = 162 "key_backup_rooms" Scan { (OwnedUserId, u64, OwnedRoomId) => KeyBackupRoomRow }

    /// Keys: the user, the version, the room, the session. Written by clients, where a key is better than what is there; read by clients; deleted
    /// by them, with the backup or with the account. Redactions do not touch it.
    pub BackedUpKeys = 163 "backed_up_keys" Scan { (OwnedUserId, u64, OwnedRoomId, String) => BackedUpKeyRow }

    /// The last version that a user's backup has had, also if it is deleted. Written with each new one; read then; deleted with the account. Redactions
    /// do not touch it.
    pub LastKeyBackups = 164 "last_key_backups" Point { OwnedUserId => u64 }

    /// The last account that ended whose backups are gone. Written and read by the sweep of backups.
    pub BackupsDeleted = 167 "backups_deleted" Point { () => AccountEnd } cursor of AccountEnds
}

record! {
    /// A backup.
    pub struct KeyBackupRow = 1 {
        pub algorithm: String,
        /// A JSON object, of which only clients know what is in it.
        pub auth_data: Tail<String>,
    }
}

record! {
    /// What is in a backup.
    pub struct KeyBackupTotalsRow = 1 {
        /// How often keys have changed: what clients compare as `etag`.
        pub changes: u64,
        pub keys: u64,
        /// Of the keys' encrypted parts and names.
        pub bytes: u64,
    }
}

record! {
    /// What is in a backup for a room. Never nothing.
    pub struct KeyBackupRoomRow = 1 {
        pub keys: u64,
        pub bytes: u64,
    }
}

record! {
    /// A key.
    pub struct BackedUpKeyRow = 1 {
        /// From which message on it can decrypt.
        pub first_message_index: u64,
        /// Through how many devices it came.
        pub forwarded_count: u64,
        /// Whether the device that it came from was verified.
        pub is_verified: bool,
        /// The encrypted part: a JSON object.
        pub session_data: Tail<String>,
    }
}
