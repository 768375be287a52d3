//! Key backups: encrypted copies of keys, which a user's devices leave here for the next ones (client-server API, "Server-side key backups").
//!
//! Owns: nothing but the forms. Does not own: which of two keys is kept, what may be stored ([`plop_e2ee::backup`]).
//!
//! Invariant: `auth_data` and `session_data` are answered as they were sent; what is in them is the business of clients.

mod deleting;
mod list;
mod reading;
mod storing;
mod version;
mod versions;

use crate::budgets::{LIST, PAGE};
use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new()
        .post("/_matrix/client/v3/room_keys/version", versions::create)
        .get("/_matrix/client/v3/room_keys/version", versions::current)
        .get("/_matrix/client/v3/room_keys/version/{version}", versions::read)
        .put("/_matrix/client/v3/room_keys/version/{version}", versions::update)
        .delete("/_matrix/client/v3/room_keys/version/{version}", versions::delete)
        .put("/_matrix/client/v3/room_keys/keys", storing::all)
        .put("/_matrix/client/v3/room_keys/keys/{roomId}", storing::of_room)
        .put("/_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}", storing::of_session)
        .costly_get("/_matrix/client/v3/room_keys/keys", LIST, reading::all)
        .costly_get("/_matrix/client/v3/room_keys/keys/{roomId}", PAGE, reading::of_room)
        .get("/_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}", reading::of_session)
        .delete("/_matrix/client/v3/room_keys/keys", deleting::all)
        .delete("/_matrix/client/v3/room_keys/keys/{roomId}", deleting::of_room)
        .delete("/_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}", deleting::of_session)
}
