//! The streams of what has ended become shorter.
//!
//! Owns: deleting what every reader has read. Does not own: who reads them.

use plop_db::{Batch, ByPosition, Db, Stream, read_by_all};

use crate::accounts::Accounts;
use crate::error::StoreError;
use crate::schema::{AccountEnds, DeviceEnds};

impl Accounts {
    /// Deletes the ends of devices and accounts that every reader is done with. To be run now and then.
    pub async fn trim_ends(&self) -> Result<(), StoreError> {
        let db = &self.parts().db;
        let mut batch = Batch::relaxed();
        add::<DeviceEnds>(db, &mut batch).await?;
        add::<AccountEnds>(db, &mut batch).await?;
        if !batch.is_empty() {
            db.commit(batch).await?;
        }
        Ok(())
    }
}

async fn add<S: Stream<Key: ByPosition>>(db: &Db, batch: &mut Batch) -> Result<(), StoreError> {
    if let Some(read) = read_by_all::<S>(db).await? {
        batch.delete_range::<S>(read);
    }
    Ok(())
}
