//! One's own devices (client-server API, "Device Management").

mod deletion;
mod listing;
mod naming;

use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new()
        .get("/_matrix/client/v3/devices", listing::all)
        .get("/_matrix/client/v3/devices/{deviceId}", listing::one)
        .put("/_matrix/client/v3/devices/{deviceId}", naming::rename)
        .delete("/_matrix/client/v3/devices/{deviceId}", deletion::one)
        .post("/_matrix/client/v3/delete_devices", deletion::several)
}
