//! What an administrator may choose about accounts. Filled in by the composition root from the configuration.

use std::time::Duration;

use plop_base::buckets::Rate;
pub use plop_base::buckets::Rate as AttemptRate;

use crate::passwords::{Password, PasswordCost};
use crate::terms::Policy;

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
            last_seen_interval: Duration::from_secs(5 * 60),
            cached_sessions: 50_000,
        }
    }
}
