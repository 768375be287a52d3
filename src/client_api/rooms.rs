//! Rooms: how they begin, who comes and goes, under which names they are found (client-server API, "Rooms").

mod aliases;
mod create;
mod directory;
mod entering;
mod forget;
mod hierarchy;
mod membership;
mod summary;
mod upgrade;

use crate::budgets::{INVITE, JOIN, PAGE, ROOM, SEARCH};
use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new()
        .costly_post("/_matrix/client/v3/createRoom", ROOM, create::create)
        .costly_post("/_matrix/client/v3/rooms/{roomId}/upgrade", ROOM, upgrade::upgrade)
        // Membership.
        .get("/_matrix/client/v3/joined_rooms", membership::joined_rooms)
        .costly_post("/_matrix/client/v3/join/{roomIdOrAlias}", JOIN, entering::join)
        .costly_post("/_matrix/client/v3/rooms/{roomId}/join", JOIN, entering::join_by_id)
        .costly_post("/_matrix/client/v3/knock/{roomIdOrAlias}", JOIN, entering::knock)
        .costly_post("/_matrix/client/v3/rooms/{roomId}/invite", INVITE, membership::invite)
        .post("/_matrix/client/v3/rooms/{roomId}/leave", membership::leave)
        .post("/_matrix/client/v3/rooms/{roomId}/kick", membership::kick)
        .post("/_matrix/client/v3/rooms/{roomId}/ban", membership::ban)
        .post("/_matrix/client/v3/rooms/{roomId}/unban", membership::unban)
        .post("/_matrix/client/v3/rooms/{roomId}/forget", forget::forget)
        // Aliases.
        .get("/_matrix/client/v3/directory/room/{roomAlias}", aliases::resolve)
        .put("/_matrix/client/v3/directory/room/{roomAlias}", aliases::create)
        .delete("/_matrix/client/v3/directory/room/{roomAlias}", aliases::delete)
        .get("/_matrix/client/v3/rooms/{roomId}/aliases", aliases::list)
        // The directory of published rooms.
        .get("/_matrix/client/v3/directory/list/room/{roomId}", directory::visibility)
        .put("/_matrix/client/v3/directory/list/room/{roomId}", directory::set_visibility)
        .get("/_matrix/client/v3/publicRooms", directory::published_rooms)
        .costly_post("/_matrix/client/v3/publicRooms", SEARCH, directory::search)
        // Looking from outside.
        .costly_get("/_matrix/client/v1/rooms/{roomId}/hierarchy", PAGE, hierarchy::hierarchy)
        .costly_get("/_matrix/client/v1/room_summary/{roomIdOrAlias}", PAGE, summary::summary)
        .costly_get(
            "/_matrix/client/unstable/im.nheko.summary/summary/{roomIdOrAlias}",
            PAGE,
            summary::former_summary,
        )
}
