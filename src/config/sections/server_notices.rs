//! `[server_notices]`: what administrators tell users.

use ruma::MxcUri;

use crate::Problems;
use crate::schema::section;

section! {
    /// What administrators tell users of this server (`POST /_synapse/admin/v1/send_server_notice`). Each user has a room for it, to which the server
    /// invites them with the first notice.
    pub struct ServerNotices {
        /// The name of the user in whose name the server speaks, without `@` and the server's name: "server", which nobody can register, or another one that
        /// nobody has. Without it there are no notices.
        pub user: Option<String> = None,
        /// The name that others see of it.
        pub display_name: String = "Server Notices".to_owned(),
        /// Its picture: an `mxc://` address.
        pub avatar_url: Option<String> = None,
        /// The name of the rooms.
        pub room_name: String = "Server Notices".to_owned(),
        /// The picture of the rooms: an `mxc://` address.
        pub room_avatar_url: Option<String> = None,
    }
}

/// Longest name: that of a profile.
const MAX_NAME_BYTES: usize = 1_024;
/// Longest localpart; with the server's name an id has 255 bytes at most.
const MAX_USER_BYTES: usize = 64;

impl ServerNotices {
    pub(crate) fn validate(&self, problems: &mut Problems) {
        let allowed =
            |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'=' | b'-' | b'/' | b'+');
        let is_name = |user: &str| (1..=MAX_USER_BYTES).contains(&user.len()) && user.bytes().all(allowed);
        if self.user.as_deref().is_some_and(|user| !is_name(user)) {
            let message = "a name is made of at most 64 of a to z, digits and ._=-/+";
            problems.add("server_notices.user", message);
        }
        for (key, name) in [("display_name", &self.display_name), ("room_name", &self.room_name)] {
            if !(1..=MAX_NAME_BYTES).contains(&name.len()) {
                problems.add(format!("server_notices.{key}"), "a name has 1 to 1024 bytes");
            }
        }
        for (key, url) in [("avatar_url", &self.avatar_url), ("room_avatar_url", &self.room_avatar_url)] {
            let is_mxc = |url: &str| url.len() <= MAX_NAME_BYTES && <&MxcUri>::from(url).is_valid();
            if url.as_deref().is_some_and(|url| !is_mxc(url)) {
                problems.add(format!("server_notices.{key}"), "not an mxc:// address");
            }
        }
    }
}
