//! Files (client-server API, "Content repository").
//!
//! Owns: the form of uploads and answers: headers that keep a browser from running what somebody uploaded, ranges. Does not own: what may be uploaded, what is
//! kept ([`plop_media`]).
//!
//! Invariants: neither a body nor an answer is held whole. What the older endpoints give without an access token is nothing, unless an administrator opened them.

mod config;
mod downloading;
mod headers;
mod previews;
mod ranges;
mod thumbnails;
mod uploading;

use crate::budgets::{PREVIEW, UPLOAD};
use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new()
        .costly_post("/_matrix/media/v3/upload", UPLOAD, uploading::upload)
        .costly_post("/_matrix/media/v1/create", UPLOAD, uploading::create)
        .costly_put("/_matrix/media/v3/upload/{serverName}/{mediaId}", UPLOAD, uploading::upload_to)
        .get("/_matrix/client/v1/media/config", config::config)
        .get("/_matrix/client/v1/media/download/{serverName}/{mediaId}", downloading::download)
        .get("/_matrix/client/v1/media/download/{serverName}/{mediaId}/{fileName}", downloading::download_as)
        .get("/_matrix/client/v1/media/thumbnail/{serverName}/{mediaId}", thumbnails::thumbnail)
        .costly_get("/_matrix/client/v1/media/preview_url", PREVIEW, previews::preview)
        .and(deprecated())
}

/// The same before there was authentication of them.
fn deprecated() -> Routes {
    Routes::new()
        .get("/_matrix/media/v3/config", config::config)
        .costly_get("/_matrix/media/v3/preview_url", PREVIEW, previews::preview)
        .get("/_matrix/media/v3/download/{serverName}/{mediaId}", downloading::open_download)
        .get("/_matrix/media/v3/download/{serverName}/{mediaId}/{fileName}", downloading::open_download_as)
        .get("/_matrix/media/v3/thumbnail/{serverName}/{mediaId}", thumbnails::open_thumbnail)
}
