//! What an administrator may choose about accounts. Filled in by the composition root from the configuration.

use std::sync::Arc;
use std::time::Duration;

use plop_base::buckets::Rate;
pub use plop_base::buckets::Rate as AttemptRate;

use crate::mailer::Mailer;
use crate::passwords::{Password, PasswordCost};
use crate::policies::Policy;

/// All of it.
#[derive(Clone, Debug)]
pub struct Parameters {
    pub passwords: PasswordCost,
    /// Who may register through the client API.
    pub registration: RegistrationMode,
    /// What whoever registers accepts before.
    pub terms: Vec<Policy>,
    /// Whoever knows it can create accounts, administrators too.
    pub shared_secret: Option<Password>,
    /// Localparts, in lower case, that nobody can register.
    pub reserved_names: Vec<String>,
    /// How long an access token is valid that can be refreshed; one that cannot is valid until logout.
    pub access_token_lifetime: Duration,
    /// How long an unused refresh token is valid; `None` is until logout.
    pub refresh_token_lifetime: Option<Duration>,
    pub login_limits: LoginLimits,
    pub registration_limits: RegistrationLimits,
    pub guests: GuestParameters,
    pub mail_limits: MailLimits,
    /// `None`: no mails are sent, and accounts have no e-mail addresses.
    pub email: Option<EmailParameters>,
    /// Least time between two writes of when a device was last seen.
    pub last_seen_interval: Duration,
    /// Sessions kept in memory.
    pub cached_sessions: usize,
}

/// Who may create an account through the client API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationMode {
    Closed,
    /// Whoever has a registration token.
    Token,
    Open,
}

/// How often passwords may be tried.
#[derive(Clone, Copy, Debug)]
pub struct LoginLimits {
    /// On one account, and apart from that on one account from an address at which it is at home.
    pub account: Rate,
    /// From one IPv4 address or IPv6 /64.
    pub address: Rate,
    /// By everybody together, except from addresses at which the account is at home.
    pub everyone: Rate,
}

/// How often accounts may be made, and registration tokens tried.
#[derive(Clone, Copy, Debug)]
pub struct RegistrationLimits {
    pub address: Rate,
    pub everyone: Rate,
}

/// Accounts of guests.
#[derive(Clone, Copy, Debug)]
pub struct GuestParameters {
    /// Whether new ones are made.
    pub are_admitted: bool,
    /// How often.
    pub limits: RegistrationLimits,
    /// One that was not used for so long ends.
    pub lifetime: Duration,
}

/// How often mails may be asked for.
#[derive(Clone, Copy, Debug)]
pub struct MailLimits {
    /// To one address.
    pub address: Rate,
    /// From one IPv4 address or IPv6 /64.
    pub network: Rate,
    /// By everybody together.
    pub everyone: Rate,
}

/// Mails by which users prove e-mail addresses.
#[derive(Clone, Debug)]
pub struct EmailParameters {
    pub mailer: Arc<dyn Mailer>,
    /// What the links in mails begin with, up to their query: where the page behind them is.
    pub link_base: String,
    /// How long a link is valid, and then what it proves.
    pub link_lifetime: Duration,
    /// Clients are not told which addresses accounts have; mails tell.
    pub hides_accounts: bool,
    /// Where the page behind a link may lead to: beginnings of addresses, up to the host or a path.
    pub next_links: Vec<String>,
    pub at_registration: EmailAtRegistration,
}

/// Whether who registers proves an e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmailAtRegistration {
    Off,
    Optional,
    Required,
}

impl Parameters {
    /// Whether who registers proves an e-mail address.
    pub(crate) fn email_at_registration(&self) -> EmailAtRegistration {
        self.email.as_ref().map_or(EmailAtRegistration::Off, |email| email.at_registration)
    }
}

impl EmailParameters {
    /// The address of the page that confirms.
    pub(crate) fn link(&self, sid: &str, token: &str) -> String {
        format!("{}?sid={sid}&token={token}", self.link_base)
    }

    /// Whether the page may lead to this address.
    pub(crate) fn leads_to(&self, link: &str) -> bool {
        link.bytes().all(|byte| byte.is_ascii_graphic())
            && self.next_links.iter().any(|allowed| {
                let rest = link.strip_prefix(allowed.trim_end_matches('/'));
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
            })
    }
}

impl Default for Parameters {
    fn default() -> Self {
        let rate = |burst, seconds| Rate { burst, interval: Duration::from_secs(seconds) };
        Self {
            passwords: PasswordCost::default(),
            registration: RegistrationMode::Token,
            terms: Vec::new(),
            shared_secret: None,
            reserved_names: Vec::new(),
            access_token_lifetime: Duration::from_secs(60 * 60),
            refresh_token_lifetime: None,
            login_limits: LoginLimits {
                account: rate(10, 20),
                address: rate(30, 5),
                everyone: Rate { burst: 500, interval: Duration::from_millis(50) },
            },
            // A registration is three attempts: the flows, the token, the account.
            registration_limits: RegistrationLimits { address: rate(30, 10), everyone: rate(300, 1) },
            guests: GuestParameters {
                are_admitted: false,
                limits: RegistrationLimits { address: rate(10, 60), everyone: rate(100, 3) },
                lifetime: Duration::from_secs(30 * 24 * 60 * 60),
            },
            mail_limits: MailLimits { address: rate(3, 600), network: rate(10, 60), everyone: rate(100, 3) },
            email: None,
            last_seen_interval: Duration::from_secs(5 * 60),
            cached_sessions: 50_000,
        }
    }
}
