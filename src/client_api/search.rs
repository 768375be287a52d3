//! Searching for events by their words (client-server API, "Server Side Search").

mod answer;
mod request;
mod room_events;

use crate::budgets::SEARCH;
use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new().costly_post("/_matrix/client/v3/search", SEARCH, room_events::search)
}
