//! `[registration]`: who may create an account.

use serde::{Deserialize, Serialize};

use crate::Secret;
use crate::schema::section;

section! {
    /// Who may create an account.
    pub struct Registration {
        /// "closed" (nobody), "token" (whoever has a registration token) or "open" (everybody who can reach the
        /// server: spammers will).
        pub mode: RegistrationMode = RegistrationMode::Token,
        /// Whoever knows this secret can create accounts, administrators too, at `/_synapse/admin/v1/register`.
        /// Without it the endpoint is not there.
        pub shared_secret: Option<Secret> = None,
        /// Names that nobody can register, in upper or lower case: whoever had one would be taken for somebody else.
        /// "server" is always one of them.
        pub reserved_names: Vec<String> = Vec::from(["admin", "administrator", "root"].map(str::to_owned)),
    }
}

/// Who may create an account through the client API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationMode {
    Closed,
    Token,
    Open,
}
