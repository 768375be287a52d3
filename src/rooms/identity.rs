//! Who this server is: its name and its signing key.
//!
//! Owns: making them part of the database at the first start, and reading them at the others. Does not own: publishing the key.
//!
//! Invariants: a database that has a user or a room has one server name for ever, for every id in it holds that name. The key is part of the
//! database, so a backup has it. A key is never deleted: events signed with it must verify for ever.

use plop_accounts::schema::Users;
use plop_base::{Clock, Random};
use plop_db::{Batch, CommitError, Db, Direction, KeyRange, ReadError, Snapshot};
use plop_state::sign::{KeyError, SigningKey};
use ruma::OwnedServerName;

use crate::schema::{RoomRecords, ServerName, SigningKeyRow, SigningKeys};

/// Keys that a server may have had. Rotating once a week for ten years makes half as many.
const MOST_KEYS: usize = 1000;

/// Why the server cannot be who it is to be.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("this is the database of {stored}, not of {configured}")]
    OtherServer { stored: OwnedServerName, configured: OwnedServerName },
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the name or the signing key cannot be stored: {0}")]
    Commit(#[from] CommitError),
    #[error("the stored signing key cannot be used: {0}")]
    Key(#[from] KeyError),
}

/// The key in use, made now if there is none.
///
/// # Errors
/// [`IdentityError::OtherServer`] for a database that belongs to a server of another name; nothing is changed.
pub async fn load_or_make(
    db: &Db,
    server: OwnedServerName,
    clock: &Clock,
    random: &Random,
) -> Result<SigningKey, IdentityError> {
    const NAME_LETTERS: usize = 6;
    let snapshot = db.snapshot();
    stored_name(&snapshot, &server).await?;
    let stored = snapshot.scan(KeyRange::<SigningKeys>::all(), Direction::Forward, MOST_KEYS).await?;
    if let Some((name, row)) = stored.rows.into_iter().find(|(_, row)| row.until.is_none()) {
        return Ok(SigningKey::from_seed(server, &name, &row.seed)?);
    }
    let name = format!("a_{}", random.token(NAME_LETTERS));
    let row = SigningKeyRow { seed: random.bytes(), since: clock.now(), until: None };
    let key = SigningKey::from_seed(server, &name, &row.seed)?;
    let mut batch = Batch::durable();
    batch.expect::<SigningKeys>(&name, None);
    batch.put::<SigningKeys>(&name, &row);
    db.commit(batch).await?;
    Ok(key)
}

/// Makes the database this server's, unless it is already. To be called before requests are taken, when nothing refuses the start any more.
///
/// # Errors
/// [`IdentityError::OtherServer`] for a database that belongs to a server of another name; nothing is changed.
pub async fn claim(db: &Db, server: &OwnedServerName) -> Result<(), IdentityError> {
    let stored = stored_name(&db.snapshot(), server).await?;
    if stored.as_ref() == Some(server) {
        return Ok(());
    }
    if let Some(stored) = &stored {
        tracing::warn!(%stored, configured = %server, "nothing has the stored server name yet: it is replaced");
    }
    let mut batch = Batch::durable();
    batch.expect::<ServerName>(&(), stored.as_ref());
    batch.put::<ServerName>(&(), server);
    db.commit(batch).await?;
    Ok(())
}

/// The name that the database has, if it is this one or can still be replaced by it.
async fn stored_name(
    snapshot: &Snapshot,
    server: &OwnedServerName,
) -> Result<Option<OwnedServerName>, IdentityError> {
    match snapshot.get::<ServerName>(&()).await? {
        Some(stored) if stored != *server && is_used(snapshot).await? => {
            Err(IdentityError::OtherServer { stored, configured: server.clone() })
        }
        stored => Ok(stored),
    }
}

/// Whether something holds the server's name: a user or a room.
async fn is_used(snapshot: &Snapshot) -> Result<bool, ReadError> {
    let users = snapshot.scan(KeyRange::<Users>::all(), Direction::Forward, 1).await?;
    let rooms = snapshot.scan(KeyRange::<RoomRecords>::all(), Direction::Forward, 1).await?;
    Ok(!users.rows.is_empty() || !rooms.rows.is_empty())
}
