//! The signing key of this server.
//!
//! Owns: making it at the first start and reading it at the others. Does not own: publishing it.
//!
//! Invariants: it is part of the database, so a backup has it. A key is never deleted: events signed with it must verify for ever.

use plop_base::{Clock, Random};
use plop_db::{Batch, CommitError, Db, Direction, KeyRange, ReadError};
use plop_state::sign::{KeyError, SigningKey};
use ruma::OwnedServerName;

use crate::schema::{SigningKeyRow, SigningKeys};

/// Keys that a server may have had. Rotating once a week for ten years makes half as many.
const MOST_KEYS: usize = 1000;

/// Why there is no signing key.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the new signing key cannot be stored: {0}")]
    Commit(#[from] CommitError),
    #[error("the stored signing key cannot be used: {0}")]
    Key(#[from] KeyError),
}

/// The key in use, made now if there is none.
pub async fn load_or_make(
    db: &Db,
    server: OwnedServerName,
    clock: &Clock,
    random: &Random,
) -> Result<SigningKey, SigningKeyError> {
    const NAME_LETTERS: usize = 6;
    let stored = db.snapshot().scan(KeyRange::<SigningKeys>::all(), Direction::Forward, MOST_KEYS).await?;
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
