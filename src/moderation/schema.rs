//! What is stored for moderation: every keyspace of this crate and the rows in them.
//!
//! Owns: the declarations, and nothing that reads or writes them.

use plop_base::UnixMillis;
use plop_db::{Position, record};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};

plop_db::keyspaces! {
    pub const KEYSPACES;

    /// What users have reported, in the order in which it came; the key is also the report's name. Written by reporting; read by administrators;
    /// the oldest of a user's are deleted beyond [`crate::reports::MAX_OF_USER`]. A redaction does not reach it: the text is the
    /// reporter's. It stays when the reporter, the room or the event is gone.
    pub Reports = 250 "reports" Scan { Position => ReportRow }

    /// The room in which a user gets the server's notices. Written with the first notice, and when that room cannot be used any more; read with each notice.
    /// Never deleted. Redactions do not touch it.
    pub NoticeRooms = 252 "notice_rooms" Point { OwnedUserId => OwnedRoomId }

    /// Whose reports they are: written and deleted together with `reports`; read by reporting, to bound them.
    pub ReportsByUser = 251 "reports_by_user" Scan { (OwnedUserId, Position) => () }
}

record! {
    /// A report.
    pub struct ReportRow = 1 {
        pub at: UnixMillis,
        pub reporter: OwnedUserId,
        /// The room that is reported, or in which the event is. Whether it exists nobody has looked.
        pub room: Option<OwnedRoomId>,
        /// An event of that room, which the reporter could see.
        pub event: Option<OwnedEventId>,
        /// The user who is reported. Whether there is one nobody has looked.
        pub user: Option<OwnedUserId>,
        pub reason: Option<String>,
    }
}
