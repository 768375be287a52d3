//! One's own devices (client-server API, "Device Management"), and the one that nobody uses at present (MSC3814).

mod dehydrated;
mod dehydrated_events;
mod deletion;
mod listing;
mod naming;

use crate::budgets::PAGE;
use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new()
        .get("/_matrix/client/v3/devices", listing::all)
        .get("/_matrix/client/v3/devices/{deviceId}", listing::one)
        .put("/_matrix/client/v3/devices/{deviceId}", naming::rename)
        .delete("/_matrix/client/v3/devices/{deviceId}", deletion::one)
        .post("/_matrix/client/v3/delete_devices", deletion::several)
        .put(dehydrated::PATH, dehydrated::upload)
        .get(dehydrated::PATH, dehydrated::read)
        .delete(dehydrated::PATH, dehydrated::delete)
        .costly_get(dehydrated_events::PATH, PAGE, dehydrated_events::page)
        .costly_post(dehydrated_events::PATH, PAGE, dehydrated_events::batch)
}
