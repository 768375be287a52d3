//! Stored rows of every keyspace: damage is an error, never a panic or a large allocation.

use plop_db::KeyspaceInfo;

const KEYSPACES: [&[KeyspaceInfo]; 5] = [
    plop_state_store::KEYSPACES,
    plop_accounts::schema::KEYSPACES,
    plop_rooms::schema::KEYSPACES,
    plop_ephemeral::schema::KEYSPACES,
    plop_e2ee::schema::KEYSPACES,
];

/// Takes the id of a keyspace, a byte with the length of the key, the key, and the value.
pub fn target(data: &[u8]) {
    let Some(([high, low, length], rest)) = data.split_first_chunk() else { return };
    let id = [*high, *low];
    let mut keyspaces = KEYSPACES.iter().copied().flatten();
    let Some(keyspace) = keyspaces.find(|keyspace| keyspace.id.to_be_bytes() == id) else { return };
    let (key, value) = rest.split_at(usize::from(*length).min(rest.len()));
    let _ = (keyspace.check_row)(&[id.as_slice(), key].concat(), value);
}
