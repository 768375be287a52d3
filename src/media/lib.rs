//! Rank 3: files that users upload, and what is made of them (client-server API, "Content repository").
//!
//! Owns: [`Media`], the only writer of the rows in [`schema`] and of the blobs behind them: uploads with their limits, content that is announced first
//! and uploaded later, reading, thumbnails, previews of addresses, and what is deleted when. Does not own: HTTP (which types are shown inline, ranges),
//! files of other servers.
//!
//! Invariants:
//! - a blob is written and on disk first, its row second; a row goes first, its blob second. What is in between is in `unplaced_blobs`, so that nothing
//!   is ever listed or guessed: whatever a crash leaves is found there;
//! - a blob is never changed, and never held in memory whole, but for sources of thumbnails that lie in another store, which are bounded;
//! - names of blobs are random: nothing that a client says is part of a path;
//! - nothing is decoded before its size is known to be within the limits.

mod blob_check;
mod blobs;
pub mod check;
mod flights;
mod html;
mod parts;
mod pending;
mod pictures;
mod previews;
mod reading;
pub mod schema;
mod settings;
mod shapes;
mod sweep;
mod thumbnails;
mod uploading;

pub use blob_check::{BlobCheckError, BlobReport, check_blobs};
pub use blobs::{BlobError, BlobStore, S3};
pub use parts::{Media, Parts};
pub use pending::{CreateError, Created};
pub use previews::PreviewError;
pub use reading::{BlobStream, Found, OpenError};
pub use settings::{Hosts, Previewing, Quota, Retention, Settings};
pub use shapes::Wanted;
pub use sweep::SweepError;
pub use thumbnails::{Thumbnail, ThumbnailError};
pub use uploading::{MAX_FILE_NAME_BYTES, NotReceived, Upload, UploadError};
