//! `GET /_matrix/client/versions`.

use std::collections::BTreeMap;

use ruma::api::client::discovery::get_supported_versions::Response;

use crate::extract::Ruma;

/// Versions of which everything holds that they say of the chapters served here. A chapter that is not served counts for none: its endpoints are
/// `404 M_UNRECOGNIZED` (`docs/decisions/0030-versions-that-are-advertised.md`).
const VERSIONS: [&str; 19] = [
    "v1.1", "v1.2", "v1.3", "v1.4", "v1.5", "v1.6", "v1.7", "v1.8", "v1.9", "v1.10", "v1.11", "v1.12",
    "v1.13", "v1.14", "v1.15", "v1.16", "v1.17", "v1.18", "v1.19",
];

/// What is served and in no released version of the specification.
const FEATURES: &[&str] = &[
    // Account data that is deleted.
    "org.matrix.msc3391",
    // Pushers that are switched off and on.
    "org.matrix.msc3881",
    // Delayed events.
    "org.matrix.msc4140",
    // Invite filtering.
    "org.matrix.msc4155",
    // Sliding sync, as clients have it in use.
    "org.matrix.simplified_msc3575",
    // Dehydrated devices.
    "org.matrix.msc3814",
    // Settings of a device for its own notifications.
    "org.matrix.msc3890",
    // Filtering `/messages` by relation.
    "org.matrix.msc3874",
    // Thread subscriptions, and their changes.
    "org.matrix.msc4306",
    "org.matrix.msc4308",
];

/// `GET /_matrix/client/versions` (client-server API, "API Versions"). For everyone.
pub async fn versions() -> Ruma<Response> {
    let mut response = Response::new(VERSIONS.map(ToOwned::to_owned).to_vec());
    response.unstable_features =
        FEATURES.iter().map(|feature| ((*feature).to_owned(), true)).collect::<BTreeMap<_, _>>();
    Ruma(response)
}
