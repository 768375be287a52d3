//! Rows of batches that are not on disk yet, readable all the same: a room's head runs ahead of the disk.
//!
//! Owns: [`InFlight`], the promise of whoever submits the batch to say when it is over.

/// What a batch holds stays readable from memory for as long as this lives. Move it into the batch's `on_commit`: it is then dropped
/// once the rows can be read from the store, or together with the batch that was refused.
#[must_use = "what the batch holds is not readable any more once this is dropped"]
pub struct InFlight {
    release: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl InFlight {
    pub(crate) fn new(release: impl FnOnce() + Send + Sync + 'static) -> InFlight {
        InFlight { release: Some(Box::new(release)) }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(release) = self.release.take() {
            release();
        }
    }
}
