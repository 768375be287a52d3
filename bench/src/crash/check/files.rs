//! Reads files back, and uploads those that were announced.

use super::Checker;
use crate::crash::facts::Record;
use crate::crash::files::{Content, Stage};
use crate::http::Failure;

/// Of a file that the check uploads itself.
const SIZE: usize = 10_000;

impl Checker<'_> {
    /// What is there has its bytes; what was announced, and what got no answer, is there or can be uploaded.
    pub(super) async fn file(&mut self, name: &str) {
        let Some(file) = self.facts.files.file(name).cloned() else { return };
        let content = match file.stage {
            Stage::There(content) => content,
            Stage::InDoubt(content) => {
                if !self.fill(name, &file.user_id, &content, true).await {
                    return;
                }
                content
            }
            Stage::Announced => {
                let content = Content { marker: name.to_owned(), size: SIZE };
                if !self.fill(name, &file.user_id, &content, false).await {
                    return;
                }
                content
            }
        };
        let Some(session) = self.session(&file.user_id) else { return };
        match session.download(name).await {
            Ok(bytes) if bytes == content.bytes() => {}
            Ok(bytes) => {
                let (is, was) = (bytes.len(), content.size);
                self.violations.push(format!("the file {name} has {is} bytes, not the {was} that it had"));
            }
            Err(error) => self.violations.push(format!("the file {name} is lost: {error}")),
        }
    }

    /// Uploads a file that was announced; one that may be there may be refused for that reason.
    async fn fill(&mut self, name: &str, user_id: &str, content: &Content, may_be_there: bool) -> bool {
        let Some(session) = self.session(user_id) else { return false };
        match session.upload_to(name, content.bytes()).await {
            Ok(()) => {}
            Err(Failure::Refused { errcode, .. })
                if may_be_there && errcode == "M_CANNOT_OVERWRITE_MEDIA" => {}
            Err(error) => {
                self.violations
                    .push(format!("the file {name} was announced and cannot be uploaded: {error}"));
                return false;
            }
        }
        let (user_id, name, content) = (user_id.to_owned(), Some(name.to_owned()), content.clone());
        let record = Record::File { user_id, name, content, acknowledged: true };
        self.facts.apply(&record);
        self.resolved.push(record);
        true
    }
}
