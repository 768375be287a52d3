//! What `plop check` asks of key backups: that keys belong to rooms of backups, and these to users.
//!
//! Owns: the references between these keyspaces. Repairs nothing.

use plop_db::{Reference, ReferenceCheck};

use super::schema::{BackedUpKeys, KeyBackupRooms, KeyBackupTotals, KeyBackupVersions, LastKeyBackups};

/// The checks of key backups.
pub fn reference_checks() -> Vec<Box<dyn ReferenceCheck>> {
    vec![
        Box::new(Reference::<BackedUpKeys, KeyBackupRooms>::exists(
            "keys of backups",
            |(user, version, room, _), _| vec![(user.clone(), *version, room.clone())],
        )),
        Box::new(Reference::<KeyBackupRooms, KeyBackupTotals> {
            name: "rooms of key backups",
            names: |(user, version, _), _| vec![(user.clone(), *version)],
            agrees: |(_, room), (_, totals)| room.keys <= totals.keys && room.bytes <= totals.bytes,
        }),
        Box::new(Reference::<KeyBackupTotals, KeyBackupVersions>::exists(
            "totals of key backups",
            |key, _| vec![key.clone()],
        )),
        Box::new(Reference::<KeyBackupVersions, KeyBackupTotals>::exists("key backups", |key, _| {
            vec![key.clone()]
        })),
        Box::new(Reference::<KeyBackupVersions, LastKeyBackups> {
            name: "versions of key backups",
            names: |(user, _), _| vec![user.clone()],
            agrees: |((_, version), _), (_, last)| version <= last,
        }),
    ]
}
