//! Profiles (client-server API, "Profiles").
//!
//! Owns: nothing but the forms. Does not own: what a field may be ([`plop_accounts::profile`]), how a new name reaches the rooms
//! ([`plop_rooms::upkeep`]).
//!
//! Invariant: a user who is not here and one of another server, whose server cannot be asked, are answered alike.

mod reading;
mod writing;

use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new()
        .get("/_matrix/client/v3/profile/{userId}", reading::whole)
        .get("/_matrix/client/v3/profile/{userId}/{keyName}", reading::field)
        .put("/_matrix/client/v3/profile/{userId}/{keyName}", writing::set)
        .delete("/_matrix/client/v3/profile/{userId}/{keyName}", writing::delete)
}
