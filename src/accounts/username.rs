//! Names of users: which ones can be registered, and whom a client means at login.

use ruma::{OwnedUserId, ServerName, UserId};

use plop_base::limits::MAX_ID_BYTES;

/// Why a name cannot be registered, whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UsernameError {
    /// Not in the grammar, or too long.
    #[error("not a valid user name")]
    Invalid,
    /// Kept for the server or an application service.
    #[error("this user name is reserved")]
    Reserved,
}

/// The server's own notices come from it.
const ALWAYS_RESERVED: &str = "server";

/// The user id for a name that a client asks for. Upper case becomes lower case, so that no two users differ by it only; every
/// other character outside the grammar is refused (appendices, "User Identifiers").
pub(crate) fn new_user_id(
    name: &str,
    server: &ServerName,
    reserved: &[String],
) -> Result<OwnedUserId, UsernameError> {
    let localpart = name.to_ascii_lowercase();
    let allowed =
        |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'=' | b'-' | b'/' | b'+');
    if localpart.is_empty() || !localpart.bytes().all(allowed) {
        return Err(UsernameError::Invalid);
    }
    if localpart == ALWAYS_RESERVED || reserved.contains(&localpart) {
        return Err(UsernameError::Reserved);
    }
    // The two sigils `@` and `:`.
    if localpart.len() + server.as_str().len() + 2 > MAX_ID_BYTES {
        return Err(UsernameError::Invalid);
    }
    OwnedUserId::try_from(format!("@{localpart}:{server}")).map_err(|_| UsernameError::Invalid)
}

/// Whom an identifier of type `m.id.user` names: a full user id of this server or a localpart. `None` when it can be nobody here.
pub(crate) fn named_user(user: &str, server: &ServerName) -> Option<OwnedUserId> {
    let user = if user.starts_with('@') {
        UserId::parse(user).ok()?
    } else {
        UserId::parse(format!("@{user}:{server}")).ok()?
    };
    if user.server_name() != server {
        return None;
    }
    // Names are registered in lower case.
    OwnedUserId::try_from(format!("@{}:{server}", user.localpart().to_ascii_lowercase())).ok()
}

#[cfg(test)]
mod tests {
    use ruma::{server_name, user_id};

    use super::*;

    fn new(name: &str) -> Result<OwnedUserId, UsernameError> {
        new_user_id(name, server_name!("a.example"), &["root".to_owned()])
    }

    #[test]
    fn names_follow_the_grammar_and_lose_their_case() {
        assert_eq!(new("Alice").expect("valid"), user_id!("@alice:a.example"));
        assert!(new("a.b_c=d-e/f+0").is_ok());
        for name in ["", "a b", "a:b", "@a", "é", "a\0", "a\n", "#a", "a%62"] {
            assert_eq!(new(name), Err(UsernameError::Invalid), "{name:?}");
        }
    }

    #[test]
    fn reserved_names_are_reserved_in_every_case() {
        for name in ["server", "SERVER", "root", "Root"] {
            assert_eq!(new(name), Err(UsernameError::Reserved));
        }
    }

    #[test]
    fn a_user_id_has_at_most_255_bytes() {
        let longest = 255 - "@:a.example".len();
        assert!(new(&"a".repeat(longest)).is_ok());
        assert_eq!(new(&"a".repeat(longest + 1)), Err(UsernameError::Invalid));
    }

    #[test]
    fn a_login_names_a_localpart_or_a_user_of_this_server() {
        let named = |user| named_user(user, server_name!("a.example"));
        assert_eq!(named("alice").expect("a user"), user_id!("@alice:a.example"));
        assert_eq!(named("@Alice:a.example").expect("a user"), user_id!("@alice:a.example"));
        assert_eq!(named("@alice:b.example"), None);
        assert_eq!(named("@alice"), None);
    }
}
