//! What clients keep for a user on the server (client-server API, "Client Config", "Room Tagging", "Filtering").
//!
//! Owns: nothing but the forms. Does not own: what may be kept, and how much of it ([`plop_accounts`]).
//!
//! Invariant: bodies are kept and answered whole: ruma's types would drop what they do not know.

mod content;
mod filters;
mod tags;

use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new()
        .get("/_matrix/client/v3/user/{userId}/account_data/{type}", content::of_user)
        .put("/_matrix/client/v3/user/{userId}/account_data/{type}", content::set_of_user)
        .get("/_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}", content::of_room)
        .put("/_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}", content::set_of_room)
        .delete(
            "/_matrix/client/unstable/org.matrix.msc3391/user/{userId}/account_data/{type}",
            content::delete_of_user,
        )
        .delete(
            "/_matrix/client/unstable/org.matrix.msc3391/user/{userId}/rooms/{roomId}/account_data/{type}",
            content::delete_of_room,
        )
        .get("/_matrix/client/v3/user/{userId}/rooms/{roomId}/tags", tags::list)
        .put("/_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}", tags::set)
        .delete("/_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}", tags::remove)
        .post("/_matrix/client/v3/user/{userId}/filter", filters::define)
        .get("/_matrix/client/v3/user/{userId}/filter/{filterId}", filters::read)
}
