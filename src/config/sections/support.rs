//! `[support]`: whom users turn to.

use ruma::UserId;

use crate::Problems;
use crate::schema::section;

section! {
    /// Whom users, and admins of other servers, turn to: told to everybody at `/.well-known/matrix/support`. Nothing is told of what
    /// is not set.
    pub struct Support {
        /// A page with help for users of this server, for example "https://example.org/help".
        pub page: Option<String> = None,
        /// The admin's Matrix id, better on another server: it is for when this one is down.
        pub admin_matrix_id: Option<String> = None,
        /// The admin's e-mail address.
        pub admin_email: Option<String> = None,
        /// The Matrix id of who is told of security problems.
        pub security_matrix_id: Option<String> = None,
        /// The e-mail address of who is told of security problems.
        pub security_email: Option<String> = None,
    }
}

impl Support {
    pub(crate) fn validate(&self, problems: &mut Problems) {
        let is_page = |page: &String| {
            (page.starts_with("https://") || page.starts_with("http://"))
                && page.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if let Some(page) = self.page.as_ref().filter(|page| !is_page(page)) {
            problems.add("support.page", format!("`{page}` is no address such as https://example.org/help"));
        }
        for (key, id) in [
            ("support.admin_matrix_id", &self.admin_matrix_id),
            ("support.security_matrix_id", &self.security_matrix_id),
        ] {
            if let Some(id) = id.as_ref().filter(|id| UserId::parse(id.as_str()).is_err()) {
                problems.add(key, format!("`{id}` is no id such as @admin:example.org"));
            }
        }
        let is_address = |address: &String| {
            address.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty())
                && address.bytes().all(|byte| byte.is_ascii_graphic())
        };
        for (key, address) in
            [("support.admin_email", &self.admin_email), ("support.security_email", &self.security_email)]
        {
            if let Some(address) = address.as_ref().filter(|address| !is_address(address)) {
                problems.add(key, format!("`{address}` is no address such as admin@example.org"));
            }
        }
    }
}
