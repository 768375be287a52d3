//! Whom users find, and where they meet them (client-server API, "User Directory", "Mutual Rooms").

mod mutual_rooms;
mod search;

use crate::budgets::{LIST, USER_DIRECTORY};
use crate::routes::Routes;

/// The chapters' endpoints.
pub fn routes() -> Routes {
    Routes::new()
        .costly_post("/_matrix/client/v3/user_directory/search", USER_DIRECTORY, search::search)
        .costly_get("/_matrix/client/v1/mutual_rooms", LIST, mutual_rooms::mutual_rooms)
}
