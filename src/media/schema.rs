//! What is stored of media: every keyspace of this crate and the rows in them. The files themselves are blobs in a store of their own.
//!
//! Owns: the declarations, and nothing that reads or writes them. No redaction touches any of them: a file belongs to no event.

use plop_base::UnixMillis;
use plop_db::{Counter, record, tags};
use ruma::{OwnedServerName, OwnedUserId};

/// What an `mxc://` address names: the server and the id that it gave.
pub type MediaKey = (OwnedServerName, String);

plop_db::keyspaces! {
    pub const KEYSPACES;

    /// The files. Written when a file is here whole, and again, seldom, when it is read; read by everything that serves it; deleted by the sweep.
    /// Its blob exists, `uploads_by_user` has it if a user uploaded it, and `media_by_access` at its last access.
    pub MediaFiles = 200 "media_files" Point { (OwnedServerName, String) => MediaRow }

    /// What a user uploaded: the user, when, the id. The value is the size in bytes. Written and deleted with `media_files`; read by administration.
    pub UploadsByUser = 201 "uploads_by_user" Scan { (OwnedUserId, UnixMillis, String) => u64 }

    /// How much a user has here. Written with `uploads_by_user`, and the sum of it; read by quotas. It stays when it is zero.
    pub UploadTotals = 202 "upload_totals" Counter { (OwnedUserId, Total) => Counter }

    /// Files by the time when they were last asked for, so that the sweep finds those that nobody wants. Written, moved and deleted with `media_files`.
    pub MediaByAccess = 203 "media_by_access" Queue { (MediaKind, UnixMillis, OwnedServerName, String) => () }

    /// Files that are announced and not uploaded yet, by id. Written by the announcement; read by uploads and by whoever waits; deleted with the upload, or by the
    /// sweep when they have expired. `pending_by_user` and `pending_by_expiry` have the same ones.
    pub PendingMedia = 204 "pending_media" Point { String => PendingRow }

    /// The same by user, for the limit: the user, the id. The value is when it expires.
    pub PendingByUser = 205 "pending_by_user" Scan { (OwnedUserId, String) => UnixMillis }

    /// The same by the time when they expire, for the sweep.
    pub PendingByExpiry = 206 "pending_by_expiry" Queue { (UnixMillis, String) => () }

    /// Blobs that no row has: those that are being written, and those whose row is gone. Written before the first byte, and with the batch that deletes a row, each
    /// time durably; deleted with the batch that writes a row, and when the blob is gone. The sweep deletes the blobs of old ones.
    pub UnplacedBlobs = 207 "unplaced_blobs" Queue { String => UnixMillis }

    /// Thumbnails: the file, the shape. Written when one is made; read by those who ask for it; deleted with the file. There are at most as many of a file as there are
    /// shapes, which are fixed.
    pub Thumbnails = 208 "thumbnails" Scan { (OwnedServerName, String, Shape) => ThumbnailRow }

    /// Files of which there is no thumbnail of any shape. Written when that was found out, and again when it was, later; read by those who ask for one; deleted with the
    /// file. It holds for a while only: another release may decode more, an administrator may allow more.
    pub UnfitFiles = 310 "unfit_files" Point { (OwnedServerName, String) => UnfitRow }

    /// Previews of addresses, by the hash of the address. Written when one is made, or could not be; read by those who ask for it; deleted
    /// by the sweep when it has expired, and when there are too many. `previews_by_expiry` has the same ones. Its picture is a file like
    /// others, which may go first.
    pub Previews = 209 "previews" Point { [u8; 32] => PreviewRow }

    /// The same by the time when they expire.
    pub PreviewsByExpiry = 210 "previews_by_expiry" Queue { (UnixMillis, [u8; 32]) => () }

    /// How much there is of them. Written with `previews`, and with `media_files` of the kind `Preview`; read to keep both within their bounds.
    pub PreviewTotals = 211 "preview_totals" Counter { PreviewTotal => Counter }
}

tags! {
    /// Why a file is here, which decides for how long.
    pub enum MediaKind {
        /// A user uploaded it.
        Upload = 1,
        /// This server fetched it for a preview.
        Preview = 2,
    }
}

tags! {
    /// What is counted of a user's uploads.
    pub enum Total {
        Bytes = 1,
        Files = 2,
    }
}

tags! {
    /// How a picture is fitted into a size (client-server API, "Thumbnails").
    pub enum Method {
        /// It fills the size and is cut.
        Crop = 1,
        /// It keeps its shape and covers the size in one direction.
        Scale = 2,
    }
}

record! {
    /// Which thumbnail: one of a fixed list.
    #[derive(PartialOrd, Ord)]
    pub struct Shape = 1 {
        pub method: Method,
        pub width: u32,
        pub height: u32,
        /// Whether it moves, if the picture does.
        pub animated: bool,
    }
}

record! {
    /// A file.
    pub struct MediaRow = 1 {
        pub kind: MediaKind,
        /// Its name in the store of blobs.
        pub blob: String,
        /// In bytes.
        pub size: u64,
        /// As the client said, if it can be a header; not looked at.
        pub content_type: Option<String>,
        pub file_name: Option<String>,
        /// None if nobody uploaded it.
        pub uploader: Option<OwnedUserId>,
        pub created: UnixMillis,
        /// When somebody asked for it; a day may be missing.
        pub accessed: UnixMillis,
    }
}

record! {
    /// An announced file.
    pub struct PendingRow = 1 {
        pub user: OwnedUserId,
        pub expires: UnixMillis,
    }
}

record! {
    /// A thumbnail.
    pub struct ThumbnailRow = 1 {
        /// Its name in the store of blobs; `None` if the file itself serves, because it is no larger than what was asked for.
        pub blob: Option<String>,
        /// In bytes.
        pub size: u64,
        /// What it is, whatever was said of the file.
        pub format: Format,
        pub width: u32,
        pub height: u32,
    }
}

record! {
    /// What was found out of a file.
    pub struct UnfitRow = 1 {
        pub reason: Unfit,
        pub since: UnixMillis,
    }
}

tags! {
    /// Why there is no thumbnail of a file.
    pub enum Unfit {
        /// It is none of the formats.
        NotAPicture = 1,
        /// It has too many pixels.
        TooLarge = 2,
        /// It cannot be decoded.
        Broken = 3,
    }
}

tags! {
    /// What pictures are.
    pub enum Format {
        Png = 1,
        Jpeg = 2,
        Gif = 3,
        WebP = 4,
    }
}

tags! {
    /// What is counted of previews.
    pub enum PreviewTotal {
        Previews = 1,
        PictureBytes = 2,
    }
}

record! {
    /// What is kept of an address.
    pub struct PreviewRow = 1 {
        pub expires: UnixMillis,
        /// As clients get it; `None` if there is no preview.
        pub text: Option<String>,
        /// The id of its picture.
        pub picture: Option<String>,
    }
}

impl Format {
    /// Its content type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Gif => "image/gif",
            Self::WebP => "image/webp",
        }
    }
}
