//! `[registration]`: who may create an account.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::schema::section;
use crate::{Problems, Secret};

section! {
    /// Who may create an account.
    pub struct Registration {
        /// "closed" (nobody), "token" (whoever has a registration token) or "open" (everybody who can reach the
        /// server: spammers will).
        pub mode: RegistrationMode = RegistrationMode::Token,
        /// Documents that whoever registers accepts before: terms of service, a privacy policy. Each has an id of its own, a
        /// version, and a name and an address in each language:
        /// `[registration.terms.privacy_policy]`, `version = "1.0"`,
        /// `en = { name = "Privacy policy", url = "https://example.org/privacy-1.0.html" }`.
        pub terms: BTreeMap<String, Policy> = BTreeMap::new(),
        /// Whether who registers proves an e-mail address: "off", "optional" or "required". An address serves to set a lost
        /// password anew; an account can get one later, too.
        pub email: EmailAtRegistration = EmailAtRegistration::Off,
        /// Whether guests get accounts, without proving anything and whatever `mode` says. They see and join rooms that admit guests, and little
        /// else; a guest who registers becomes a user.
        pub guests: bool = false,
        /// The account of a guest who was not here for so many days ends.
        pub guest_idle_days: NonZeroU32 = const { NonZeroU32::new(30).unwrap() },
        /// Whoever knows this secret can create accounts, administrators too, at `/_synapse/admin/v1/register`.
        /// Without it the endpoint is not there.
        pub shared_secret: Option<Secret> = None,
        /// Names that nobody can register, in upper or lower case: whoever had one would be taken for somebody else.
        /// "server" is always one of them.
        pub reserved_names: Vec<String> = Vec::from(["admin", "administrator", "root"].map(str::to_owned)),
    }
}

/// Whether who registers proves an e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmailAtRegistration {
    Off,
    Optional,
    Required,
}

/// A document to accept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    pub version: String,
    /// By the codes of languages.
    #[serde(flatten)]
    pub translations: BTreeMap<String, PolicyText>,
}

/// A document in one language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyText {
    pub name: String,
    pub url: String,
}

impl Registration {
    pub(crate) fn validate(&self, problems: &mut Problems) {
        for (id, policy) in &self.terms {
            let key = format!("registration.terms.{id}");
            if !is_opaque(id) || !is_opaque(&policy.version) {
                problems.add(&*key, "ids and versions are made of at most 255 letters, digits and -._~");
            }
            if policy.translations.is_empty() {
                problems.add(&*key, "no name and address in any language");
            }
            let is_link = |url: &str| {
                (url.starts_with("https://") || url.starts_with("http://"))
                    && url.bytes().all(|byte| byte.is_ascii_graphic())
            };
            for (language, text) in policy.translations.iter().filter(|(_, text)| !is_link(&text.url)) {
                problems.add(format!("{key}.{language}"), format!("`{}` is no web address", text.url));
            }
        }
    }
}

/// Appendices, "Opaque Identifiers".
fn is_opaque(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

/// Who may create an account through the client API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationMode {
    Closed,
    Token,
    Open,
}
