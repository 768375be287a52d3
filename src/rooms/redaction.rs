//! Originals of redacted events (client-server API, "Redactions").
//!
//! Owns: their destruction. Does not own: how an event is redacted ([`crate::operation`]).

use plop_base::clock::UnixMillis;
use plop_db::{Batch, Db, Direction, KeyRange};

use crate::fault::StoreFault;
use crate::schema::Originals;

/// Rows deleted in one batch.
const PAGE: usize = 500;

/// Destroys the originals whose time has come. To be run now and then.
pub async fn destroy_originals(db: &Db, now: UnixMillis) -> Result<(), StoreFault> {
    loop {
        let due = KeyRange::<Originals>::all().before(&now);
        let page = db.snapshot().scan(due, Direction::Forward, PAGE).await?;
        let mut batch = Batch::relaxed();
        for (key, _) in &page.rows {
            batch.delete::<Originals>(key);
        }
        if !batch.is_empty() {
            db.commit(batch).await?;
        }
        if !page.more {
            return Ok(());
        }
    }
}
