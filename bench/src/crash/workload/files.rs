//! What workers do with files: upload them, announce them first.

use rand::RngExt;

use super::{Worker, outcome};
use crate::crash::facts::Record;
use crate::crash::files::Content;
use crate::http::Failure;

/// Most bytes of a usual file, and of one in [`LARGE`], which a server takes in several parts.
const MOST_BYTES: usize = 64 << 10;
const LARGE_BYTES: usize = 3 << 20;
const LARGE: u32 = 8;
/// One in so many announced files is left for the check to upload.
const LEFT: u32 = 3;

impl Worker {
    pub(super) async fn upload(&mut self) -> Result<(), Failure> {
        let content = self.content();
        let uploaded = self.session.upload("application/octet-stream", content.bytes()).await;
        if let Some(name) = outcome(&uploaded) {
            let (name, acknowledged) = (name.cloned(), name.is_some());
            self.stored(name, content, acknowledged);
        }
        uploaded.map(drop)
    }

    pub(super) async fn upload_later(&mut self) -> Result<(), Failure> {
        let announced = self.session.announce_file().await;
        if let Some(name) = outcome(&announced) {
            let user_id = self.session.account.user_id.clone();
            self.records.push(Record::Announced { user_id, name: name.cloned() });
        }
        let name = announced?;
        if self.random.random_ratio(1, LEFT) {
            return Ok(());
        }
        let content = self.content();
        let uploaded = self.session.upload_to(&name, content.bytes()).await;
        if let Some(done) = outcome(&uploaded) {
            let acknowledged = done.is_some();
            self.stored(Some(name), content, acknowledged);
        }
        uploaded
    }

    fn stored(&mut self, name: Option<String>, content: Content, acknowledged: bool) {
        let user_id = self.session.account.user_id.clone();
        self.records.push(Record::File { user_id, name, content, acknowledged });
    }

    /// What no other file is.
    fn content(&mut self) -> Content {
        let most = if self.random.random_ratio(1, LARGE) { LARGE_BYTES } else { MOST_BYTES };
        Content { marker: self.marker(), size: self.random.random_range(1..=most) }
    }
}
