//! Keys of devices and users (client-server API, "End-to-End Encryption": "Key management API", "Cross-signing").

mod changes;
mod claiming;
mod cross_signing;
mod elsewhere;
mod querying;
mod signatures;
mod uploading;

pub use uploading::{take_object, take_upload};

use crate::budgets::Cost;
use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new()
        .post("/_matrix/client/v3/keys/upload", uploading::upload)
        .costly_post("/_matrix/client/v3/keys/query", Cost::Read(1), querying::query)
        .post("/_matrix/client/v3/keys/claim", claiming::claim)
        .costly_get("/_matrix/client/v3/keys/changes", Cost::Read(1), changes::changes)
        .post("/_matrix/client/v3/keys/device_signing/upload", cross_signing::upload)
        .post("/_matrix/client/v3/keys/signatures/upload", signatures::upload)
}
