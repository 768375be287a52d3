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
