//! What `plop check` asks of the rows of media: that they lead to each other. Whether they lead to blobs is another question
//! (`blob_check`), whose answer may be far away.
//!
//! Owns: the references between this crate's keyspaces. Repairs nothing.

use plop_db::{Reference, ReferenceCheck};

use crate::schema::{
    MediaByAccess, MediaFiles, PendingByExpiry, PendingByUser, PendingMedia, Previews, PreviewsByExpiry,
    Thumbnails, UnfitFiles, UploadsByUser,
};

/// The checks of this crate's rows.
pub fn reference_checks() -> Vec<Box<dyn ReferenceCheck>> {
    vec![
        Box::new(Reference::<MediaFiles, MediaByAccess>::exists("files by access", |(server, id), row| {
            vec![(row.kind, row.accessed, server.clone(), id.clone())]
        })),
        Box::new(Reference::<MediaByAccess, MediaFiles> {
            name: "files by access",
            names: |(_, _, server, id), ()| vec![(server.clone(), id.clone())],
            agrees: |((kind, accessed, ..), ()), (_, row)| row.kind == *kind && row.accessed == *accessed,
        }),
        Box::new(Reference::<MediaFiles, UploadsByUser> {
            name: "uploads by user",
            names: |(_, id), row| {
                row.uploader.iter().map(|user| (user.clone(), row.created, id.clone())).collect()
            },
            agrees: |(_, row), (_, size)| row.size == *size,
        }),
        Box::new(Reference::<Thumbnails, MediaFiles>::exists("files of thumbnails", |(server, id, _), _| {
            vec![(server.clone(), id.clone())]
        })),
        Box::new(Reference::<UnfitFiles, MediaFiles>::exists("unfit files", |key, _| vec![key.clone()])),
        Box::new(Reference::<Previews, PreviewsByExpiry>::exists("previews", |key, row| {
            vec![(row.expires, *key)]
        })),
        Box::new(Reference::<PreviewsByExpiry, Previews> {
            name: "previews",
            names: |(_, key), ()| vec![*key],
            agrees: |((expires, _), ()), (_, row)| row.expires == *expires,
        }),
        Box::new(Reference::<PendingMedia, PendingByUser> {
            name: "announced files",
            names: |id, row| vec![(row.user.clone(), id.clone())],
            agrees: |(_, row), (_, expires)| row.expires == *expires,
        }),
        Box::new(Reference::<PendingMedia, PendingByExpiry>::exists("announced files", |id, row| {
            vec![(row.expires, id.clone())]
        })),
        Box::new(Reference::<PendingByExpiry, PendingMedia> {
            name: "announced files",
            names: |(_, id), ()| vec![id.clone()],
            agrees: |((expires, _), ()), (_, row)| row.expires == *expires,
        }),
    ]
}
