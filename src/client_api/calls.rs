//! What clients need for calls besides rooms: credentials for TURN servers (client-server API, "Voice over IP"), and where the calls of Element Call go
//! (MSC4143).
//!
//! Owns: making the credentials. Does not own: which servers there are (an administrator's: [`turn::Turn`], [`transports::Transport`]).

pub mod transports;
pub mod turn;

use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new()
        .get("/_matrix/client/v3/voip/turnServer", turn::credentials)
        .get("/_matrix/client/unstable/org.matrix.msc4143/rtc/transports", transports::list)
}
